using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Reads how packs of repositories move into cooler classes, and makes the runs that move them.</summary>
static class TierTable
{
    /// <summary>From one run to the next, and from a repository's making to its first.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromDays(1);

    // Locations l of a repository r that have a rule.
    const string Ruled = "l.tier_class is not null and (l.id = r.location_id or exists (select from replica c "
        + "where c.repository_id = r.id and c.location_id = l.id))";

    /// <summary>The repositories with a rule, each with its newest run.</summary>
    public static async Task<IReadOnlyDictionary<RepositoryId, Tiering>> All(SqlSource db, CancellationToken ct)
    {
        var rules = (await db.Query($"""
            select r.id, l.id, l.name, {LocationRules.Columns} from repository r join location l on {Ruled}
            order by l.id <> r.location_id, lower(l.name)
            """, [], row => (Repository: row.Id<RepositoryId>(0),
                Rule: new TieredLocation(row.Id<LocationId>(1), row.Text(2), LocationRules.Tier(row)!)), ct))
            .ToLookup(one => one.Repository);
        if (rules.Count == 0) return new Dictionary<RepositoryId, Tiering>();
        return (await db.Query($"""
            select r.id, case when k.state in ('Queued', 'Leased', 'Running') then null else coalesce(r.tier_due_at, r.created_at + $2) end,
                k.id, k.state, k.finished_at, k.result
            from repository r left join lateral (
                select id, state, finished_at, result from run where repository_id = r.id and kind = 'Tier' order by id desc limit 1) k
                on true
            where r.id = any($1)
            """, [rules.Select(of => of.Key.Value).ToArray(), Every], row => (Id: row.Id<RepositoryId>(0), Tiering: new Tiering
        {
            Rules = [.. rules[row.Id<RepositoryId>(0)].Select(one => one.Rule)],
            DueAt = row.TimeOrNull(1),
            LastRun = row.IdOrNull<RunId>(2),
            LastState = row.IsNull(3) ? null : row.Word<RunState>("state"),
            LastAt = row.TimeOrNull(4),
            LastResult = row.Json("result", WireJson.Default.JobResult)?.Tier,
        }), ct)).ToDictionary(one => one.Id, one => one.Tiering);
    }

    /// <summary>Makes a run that moves what is due, unless one waits or is under way.</summary>
    /// <returns>The run, also where it was there already; null without a rule, or where upkeep is not allowed.</returns>
    public static async Task<RunId?> Start(Transaction tx, RepositoryId repository, RunId run, string requestedBy, CancellationToken ct)
    {
        var found = await tx.First($"""
            select r.host_id, h.name from repository r join host h on h.id = r.host_id
            where r.id = $1 and r.upkeep_allowed and exists (select from location l where {Ruled}) for update of r
            """, [repository], row => (Host: row.Id<HostId>(0), Name: row.Text(1)), ct);
        if (found.Name is null) return null;
        if (await RunTable.Open(tx, repository, JobKind.Tier, ct) is { } there) return there;
        await tx.Execute("update repository set tier_due_at = clock() + $2 where id = $1", [repository, Every], ct);
        await RunTable.Add(tx, new NewRun
        {
            Id = run,
            Kind = JobKind.Tier,
            Title = $"Move cold packs of {found.Name}",
            Host = found.Host,
            Repository = repository,
            RequestedBy = requestedBy,
            Job = new StoredJob(),
        }, ct);
        await Notifications.Changed(tx, "storage", repository.ToString(), ct);
        return run;
    }

    /// <summary>The repositories of which a run is due. Another node's are left to it; one of which packs are being thawed waits: a thaw
    /// may have moved some out of the archive for good.</summary>
    public static Task<List<RepositoryId>> Due(Transaction tx, int most, CancellationToken ct) => tx.Query($"""
        select r.id from repository r where r.state = 'Ready' and r.upkeep_allowed
            and coalesce(r.tier_due_at, r.created_at + $1) <= clock() and exists (select from location l where {Ruled})
            and not exists (select from run w where w.repository_id = r.id and w.kind = 'Restore' and w.thawing is not null
                and w.state in ('Queued', 'Leased', 'Running'))
        order by r.id limit $2 for update of r skip locked
        """, [Every, most], row => row.Id<RepositoryId>(0), ct);
}

/// <summary>Starts the runs that are due. Any node may do it at any time.</summary>
public sealed class TierDue(Postgres db, TimeProvider clock)
{
    const int AtOnce = 100;

    /// <summary>Starts them; gives their number.</summary>
    public Task<int> Run(CancellationToken ct) => db.InTransaction(async tx =>
    {
        var due = await TierTable.Due(tx, AtOnce, ct);
        foreach (var repository in due) await TierTable.Start(tx, repository, RunId.New(clock), "schedule", ct);
        return due.Count;
    }, ct);
}

/// <summary>Moves now what the rules of a repository's locations want in a cooler class.</summary>
public sealed class TierRepository(Postgres db, TimeProvider clock)
{
    /// <summary>Starts it, or gives the run that waits or is under way.</summary>
    /// <exception cref="ConflictException">No location of it has a rule.</exception>
    public async Task<RunStarted> Handle(Caller caller, TierRepositoryRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunStart);
        return await db.InTransaction(async tx =>
        {
            if (!await tx.Scalar<bool>("select exists (select from repository where id = $1)", [request.Id], ct))
                throw new NotFoundException("A repository with this id");
            await RepositoryTable.MustAllowUpkeep(tx, request.Id, ct);
            var run = await TierTable.Start(tx, request.Id, RunId.New(clock), caller.Name, ct) ?? throw new ConflictException(
                "repository.no_tier", "No location of this repository says into which class its packs move.", "Set that at the location.");
            await Audit.Add(tx, caller, "repository.tier", request.Id.ToString(), run.ToString(), ct);
            return new RunStarted(run);
        }, ct);
    }
}
