using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Gateway;

/// <summary>What a caller may reach.</summary>
/// <param name="Repository">The repository.</param>
/// <param name="Location">Its location.</param>
/// <param name="Root">The location's folder on the nodes.</param>
/// <param name="Folder">The repository's folder.</param>
/// <param name="QuotaBytes">Bytes it may grow to; null for no limit.</param>
public sealed record GatewayGrant(RepositoryId Repository, LocationId Location, FilePath Root, FilePath Folder, long? QuotaBytes);

/// <summary>Decides which repository a caller may reach: an agent its own and those of runs it has leased, a repository's user that
/// repository.</summary>
public sealed class GatewayGrants(Postgres db)
{
    /// <exception cref="DeniedException">There is no such repository behind a gateway, or it is none of the caller's business: which of
    /// the two is not told.</exception>
    public async Task<GatewayGrant> Of(Caller caller, RepositoryId repository, CancellationToken ct)
    {
        if (caller.Kind == CallerKind.RepositoryUser && caller.Repository != repository) throw Refused(caller);
        return await db.First("""
            select r.location_id, l.path, r.url, l.quota_bytes from repository r join location l on l.id = r.location_id
            where r.id = $1 and l.kind = $2 and ($3::uuid is null or r.host_id = $3 or exists (
                select from run where repository_id = r.id and host_id = $3 and state in ('Leased', 'Running')))
                and not exists (select from host where id = $3 and awaits_approval)
            """, [repository, LocationKind.Gateway, caller.Host], row => new GatewayGrant(repository, row.Id<LocationId>("location_id"),
                row.Path("path"), row.Path("url"), row.IsNull("quota_bytes") ? null : row.Long("quota_bytes")), ct)
            ?? throw Refused(caller);
    }

    static DeniedException Refused(Caller caller) => new($"{caller.Name} reaches no repository with this id through the gateway.",
        "An agent reaches its own repository, and another host's while it runs a job on it.");
}
