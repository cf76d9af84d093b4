using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Repositories;

/// <summary>All repositories by host and location.</summary>
public sealed class ListRepositories(Postgres db)
{
    public async Task<IReadOnlyList<RepositorySummary>> Handle(Caller caller, ListRepositoriesRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageRead);
        var replicas = await ReplicaTable.All(db, ct);
        return await db.Query("""
            select r.id, r.config_id, r.host_id, h.name as host_name, r.location_id, l.name as location_name, l.kind as location_kind,
                r.url, r.state,
                (select count(*) from recovery_point p where p.repository_id = r.id) as points,
                (select coalesce(sum((p.backup->>'bytesAdded')::bigint), 0)::bigint from recovery_point p where p.repository_id = r.id)
                as stored
            from repository r join host h on h.id = r.host_id join location l on l.id = r.location_id
            order by lower(h.name), lower(l.name), r.id
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
            RecoveryPoints = (int)row.Long("points"),
            StoredBytes = row.Long("stored"),
            Replicas = [.. replicas[row.Id<RepositoryId>("id")]],
        }, ct);
    }
}

/// <summary>Shows a repository's password and the stock command that restores without us. Audited each time.</summary>
public sealed class RevealRepositoryPassword(Postgres db, RepositoryTable repositories)
{
    public async Task<RepositoryEscape> Handle(Caller caller, RevealRepositoryPasswordRequest request, CancellationToken ct)
    {
        caller.Must(Right.SecretReveal);
        await using var tx = await db.Begin(ct);
        var access = await repositories.Access(tx, request.Id, ct);
        // Without us means without the gateway, too: the folder behind it.
        var url = await tx.First("select url from repository where id = $1", [request.Id], row => row.Text("url"), ct) ?? access.Url;
        await Audit.Add(tx, caller, "repository.reveal", request.Id.ToString(), url, ct);
        await tx.Commit(ct);
        return new RepositoryEscape(url, access.Password, StockCommand(url));
    }

    /// <summary>What restores without us, as it would be typed.</summary>
    internal static string StockCommand(string url) => $"restic -r {Quoted(url)} --password-file FILE restore latest --target DIR";

    static string Quoted(string text) => text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '/' or '.' or '_' or '-' or ':'
        or '@') ? text
        : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
