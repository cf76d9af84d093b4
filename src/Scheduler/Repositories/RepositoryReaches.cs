using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Who can read a repository, and who can delete in it: each that is handed its password, or holds it.</summary>
public sealed class ShowRepositoryReach(Postgres db)
{
    /// <exception cref="NotFoundException">There is no repository with this id.</exception>
    public async Task<IReadOnlyList<RepositoryReach>> Handle(Caller caller, ShowRepositoryReachRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageRead, request.Id, ct);
        var about = await db.First("""
            select h.id, h.name, l.kind, l.lock_days, r.upkeep_allowed,
                exists (select from gateway_user u where u.repository_id = r.id) as has_user,
                not exists (select from replica c join location o on o.id = c.location_id
                    where c.repository_id = r.id and o.kind not in ('S3', 'Azure')) as is_far
            from repository r join host h on h.id = r.host_id join location l on l.id = r.location_id where r.id = $1
            """, [request.Id], row => new ReachedRepository
        {
            Host = new ReachingHost(row.Id<HostId>("id"), row.Text("name")),
            Kind = row.Word<LocationKind>("kind"),
            LockDays = row.IsNull(3) ? null : row.Int("lock_days"),
            IsUpkeepAllowed = row.Bool("upkeep_allowed"),
            HasGatewayUser = row.Bool("has_user"),
            HasOnlyFarReplicas = row.Bool("is_far"),
        }, ct) ?? throw new NotFoundException("A repository with this id");
        return RepositoryReaches.Of(about with
        {
            Movers = await Hosts("h.is_mover", request.Id, ct),
            DrillHosts = await Hosts("""
                h.id in (select right(named, 32)::uuid from item i join policy p on p.id = i.policy_id
                    cross join lateral jsonb_array_elements_text(coalesce(p.spec->'proof'->'drillHosts', '[]'::jsonb)) named
                    where i.repository_id = $1 and i.retired_at is null)
                """, request.Id, ct),
        });
    }

    Task<List<ReachingHost>> Hosts(string condition, RepositoryId id, CancellationToken ct) => db.Query($"""
        select h.id, h.name from host h where h.retired_at is null and not h.awaits_approval and $1::uuid is not null and {condition}
        order by lower(h.name), h.id
        """, [id], row => new ReachingHost(row.Id<HostId>("id"), row.Text("name")), ct);
}

/// <summary>A host that reaches a repository.</summary>
readonly record struct ReachingHost(HostId Id, string Name);

/// <summary>What decides who reaches a repository.</summary>
sealed record ReachedRepository
{
    /// <summary>Whose backups go into it.</summary>
    public required ReachingHost Host { get; init; }
    /// <summary>Kind of its own location.</summary>
    public required LocationKind Kind { get; init; }
    /// <summary>For how many days each object is locked; null for not at all.</summary>
    public int? LockDays { get; init; }
    /// <summary>Whether repository work is done in it.</summary>
    public bool IsUpkeepAllowed { get; init; } = true;
    /// <summary>Whether stock restic has a user of the gateway.</summary>
    public bool HasGatewayUser { get; init; }
    /// <summary>Whether its further places, if any, are object stores.</summary>
    public bool HasOnlyFarReplicas { get; init; } = true;
    /// <summary>Hosts with the role mover.</summary>
    public IReadOnlyList<ReachingHost> Movers { get; init; } = [];
    /// <summary>Hosts that policies name for drills of what is in it.</summary>
    public IReadOnlyList<ReachingHost> DrillHosts { get; init; } = [];
}

/// <summary>What follows from where a repository lies. Pure; it mirrors whom the leases hand its password to.</summary>
static class RepositoryReaches
{
    /// <summary>Everybody, each once, by what gives most.</summary>
    public static IReadOnlyList<RepositoryReach> Of(ReachedRepository about)
    {
        var isFar = about.Kind is LocationKind.S3 or LocationKind.Azure;
        var all = new List<RepositoryReach>
        {
            new(ReachAs.Host, about.Host.Id, about.Host.Name, about.Kind != LocationKind.Gateway, about.Kind switch
            {
                LocationKind.Folder => "the folder is on its own machine",
                LocationKind.Gateway => "it is handed the password for each run; the gateway lets it add and take nothing away",
                LocationKind.Rest => "it is handed the password for each run; whether it may delete is the REST server's to say",
                _ => $"it is handed the password and the credentials of the location for each run{Locked(about)}",
            }),
        };
        if (about.IsUpkeepAllowed && about.HasOnlyFarReplicas && (isFar || about.Kind == LocationKind.Gateway))
            all.AddRange(about.Movers.Select(mover => new RepositoryReach(ReachAs.Mover, mover.Id, mover.Name, isFar, isFar
                ? $"repository work is given to it: check, prune, replicate, tiers{Locked(about)}"
                : "checks are given to it; the gateway lets it take nothing away")));
        // A folder is read on its own machine alone.
        if (about.Kind != LocationKind.Folder)
            all.AddRange(about.DrillHosts.Select(host => new RepositoryReach(ReachAs.DrillHost, host.Id, host.Name,
                about.Kind != LocationKind.Gateway, $"a policy names it for drills{(isFar ? Locked(about) : "")}")));
        if (about.HasGatewayUser)
            all.Add(new RepositoryReach(ReachAs.GatewayUser, null, "Stock restic", false,
                "whoever has the password of the repository's user of the gateway adds and takes nothing away"));
        all.Add(new RepositoryReach(ReachAs.Nodes, null, "The nodes", about.Kind != LocationKind.Folder, about.Kind switch
        {
            LocationKind.Folder => "they hold the password, sealed; the folder they reach through its agent",
            LocationKind.Gateway => "they hold the password, sealed, and one of them has the folder",
            _ => "they hold the password and the credentials of the location, sealed",
        }));
        return [.. all.DistinctBy(one => (one.Host, one.Host is null ? one.As : default))];
    }

    static string Locked(ReachedRepository about)
        => about.LockDays is { } days ? $"; what is younger than {days} {(days == 1 ? "day" : "days")} is locked against everybody" : "";
}
