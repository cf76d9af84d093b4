using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
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
