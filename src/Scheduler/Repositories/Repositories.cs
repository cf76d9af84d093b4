using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Retention;

namespace BackupDr.Scheduler.Repositories;

/// <summary>All repositories by host and location.</summary>
public sealed class ListRepositories(Postgres db, ChecksOptions options)
{
    /// <summary>Lists all.</summary>
    public Task<IReadOnlyList<RepositorySummary>> Handle(Caller caller, ListRepositoriesRequest request, CancellationToken ct)
        => Read(caller, "true", ct);

    /// <summary>Only those that were adopted: few, if any, where all the others are many, and what they hold is added up.</summary>
    public async Task<IReadOnlyList<RepositorySummary>> Adopted(Caller caller, CancellationToken ct)
    {
        caller.MustSomewhere(Right.StorageRead);
        if (!await db.Scalar<bool>("select exists (select from repository where adopted_at is not null)", [], ct)) return [];
        return await Read(caller, "r.adopted_at is not null", ct);
    }

    async Task<IReadOnlyList<RepositorySummary>> Read(Caller caller, string where, CancellationToken ct)
    {
        caller.MustSomewhere(Right.StorageRead);
        var replicas = await ReplicaTable.All(db, ct);
        var tierings = await TierTable.All(db, ct);
        var garbage = await GarbageTable.All(db, ct);
        var checks = await RollingCheckTable.All(db, options, ct);
        var all = await db.Query($"""
            select r.id, r.config_id, r.host_id, h.name as host_name, r.location_id, l.name as location_name, l.kind as location_kind,
                r.url, r.state, r.name, r.adopted_at, r.looked_at, r.look_problem, r.upkeep_allowed, r.upkeep_set_by, r.upkeep_set_at,
                p.points, p.stored, k.id as look_id, k.is_looking, l.lock_days, l.lock_mode,
                case when r.adopted_at is null then 0
                    else (select count(*) from recovery_point g where g.repository_id = r.id and g.gone_at is not null) end as gone,
                (select count(*) from item i where i.repository_id = r.id and i.retired_at is null) as items
            from repository r join host h on h.id = r.host_id join location l on l.id = r.location_id
            cross join lateral (
                select count(*) as points, coalesce(sum(bytes_added), 0)::bigint as stored
                from recovery_point where repository_id = r.id and gone_at is null) p
            left join lateral (
                select id, state in ('Queued', 'Leased', 'Running') as is_looking from run
                where r.adopted_at is not null and repository_id = r.id and kind = 'Adopt' order by id desc limit 1) k on true
            where {where} order by r.adopted_at is not null, lower(h.name), lower(l.name), r.id
            """, [], row => new RepositorySummary
        {
            Id = row.Id<RepositoryId>("id"),
            ConfigId = row.TextOrNull("config_id"),
            Host = row.Id<HostId>("host_id"),
            HostName = row.Text("host_name"),
            Location = row.Id<LocationId>("location_id"),
            LocationName = row.Text("location_name"),
            LocationKind = row.Word<LocationKind>("location_kind"),
            Url = row.Text("url"),
            State = row.Word<RepositoryState>("state"),
            Adoption = row.TimeOrNull("adopted_at") is { } added ? Adoption(row, added) : null,
            RecoveryPoints = (int)row.Long("points"),
            StoredBytes = row.Long("stored"),
            Replicas = [.. replicas[row.Id<RepositoryId>("id")]],
            Lock = LocationRules.Lock(row),
            Tiering = tierings.GetValueOrDefault(row.Id<RepositoryId>("id")),
            Garbage = garbage.GetValueOrDefault(row.Id<RepositoryId>("id")),
            Check = checks.GetValueOrDefault(row.Id<RepositoryId>("id")),
        }, ct);
        return [.. all.Where(one => caller.Sees(Right.StorageRead, one.Host, null, one.Location))];
    }

    static Adoption Adoption(Row row, DateTimeOffset added) => new()
    {
        Name = row.Text("name"),
        AddedAt = added,
        LookedAt = row.TimeOrNull("looked_at"),
        Problem = row.TextOrNull("look_problem"),
        Look = row.IdOrNull<RunId>("look_id"),
        IsLooking = !row.IsNull("is_looking") && row.Bool("is_looking"),
        UpkeepAllowed = row.Bool("upkeep_allowed"),
        UpkeepReason = (row.Bool("upkeep_allowed"), row.TextOrNull("upkeep_set_by")) switch
        {
            (false, null) => "Stock restic made it, and its owner has not said that we may.",
            (var allowed, var who) => $"{who} {(allowed ? "allowed" : "withdrew")} it on "
                + $"{row.Time("upkeep_set_at").UtcDateTime:yyyy-MM-dd HH:mm} UTC.",
        },
        Gone = (int)row.Long("gone"),
        Items = (int)row.Long("items"),
    };
}

/// <summary>Shows a repository's password and the stock command that restores without us. Audited each time.</summary>
public sealed class RevealRepositoryPassword(Postgres db, RepositoryTable repositories, FourEyes eyes)
{
    public async Task<RepositoryEscape> Handle(Caller caller, RevealRepositoryPasswordRequest request, CancellationToken ct)
    {
        await caller.Must(Right.SecretReveal, request.Id, ct);
        var known = await db.First("select url from repository where id = $1", [request.Id], row => row.Text("url"), ct)
            ?? throw new NotFoundException("A repository with this id");
        await eyes.Pass(caller, new Command("repository.reveal", request.Id.ToString(), $"Shows the password of the repository {known}.",
            known,
            ApprovedUse.AskAgain), request, WireJson.Default.RevealRepositoryPasswordRequest, ct);
        await using var tx = await db.Begin(ct);
        var access = await repositories.Access(tx, request.Id, ct);
        // Without us means without the gateway, too: the folder behind it.
        var url = await tx.First("select url from repository where id = $1", [request.Id], row => row.Text("url"), ct) ?? access.Url;
        await Audit.Add(tx, caller, "repository.reveal", request.Id.ToString(), url, ct);
        await tx.Commit(ct);
        return new RepositoryEscape(url, access.Password, StockCommand(url));
    }

    /// <summary>What restores without us, as it would be typed.</summary>
    internal static string StockCommand(string url) => $"restic -r {ShellWord.Of(url)} --password-file FILE restore latest --target DIR";
}
