using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Retention;

/// <summary>Makes the runs that remove from repositories, one at a time for each, and keeps when the next one is due.</summary>
static class GarbageTable
{
    /// <summary>From one prune to the next where the location locks objects: it extends the locks of what is needed.</summary>
    static readonly TimeSpan WhereLocked = TimeSpan.FromDays(7);
    /// <summary>Before a prune is tried again that failed, or that others were waited for.</summary>
    static readonly TimeSpan NextTry = TimeSpan.FromHours(1);

    /// <summary>What one prune may do; the next one goes on a day later.</summary>
    static readonly PruneJob Budget = new() { RepackBytes = 64L << 30, RepackPacks = 20_000, Seconds = 4 * 3600 };
    static readonly TimeSpan AfterBudget = TimeSpan.FromDays(1);

    const string Busy = "exists (select from run u where u.repository_id = r.id and u.kind in ('Forget', 'Prune') "
        + "and u.state in ('Queued', 'Leased', 'Running'))";

    const string Locked = "exists (select from location l where l.lock_days is not null and (l.id = r.location_id or exists (select from "
        + "replica c where c.repository_id = r.id and c.location_id = l.id)))";

    /// <summary>Makes a run that removes.</summary>
    /// <returns>The run; the one that is there where one waits or is under way; null with the reason where nobody may remove.</returns>
    public static async Task<(RunId? Run, string? Problem)> Start(Transaction tx, RepositoryId repository, JobKind kind, RunId run,
        string requestedBy, CancellationToken ct)
    {
        var found = await tx.First("""
            select r.host_id, h.name as host, h.retired_at is not null as retired, l.name as location, l.kind, r.upkeep_allowed
            from repository r join host h on h.id = r.host_id join location l on l.id = r.location_id
            where r.id = $1 and r.state = 'Ready' for update of r
            """, [repository], row => new
        {
            Host = row.Id<HostId>("host_id"),
            Name = row.Text("host"),
            Problem = RetentionTable.Problem(row),
        }, ct);
        if (found is null) return (null, "The repository is not made yet.");
        if (found.Problem is { } problem) return (null, problem);
        var there = await tx.First("select id from run where repository_id = $1 and kind in ('Forget', 'Prune') and state in ('Queued', "
            + "'Leased', 'Running') limit 1", [repository], row => (RunId?)row.Id<RunId>("id"), ct);
        if (there is not null) return (there, null);
        await RunTable.Add(tx, new NewRun
        {
            Id = run,
            Kind = kind,
            Title = kind == JobKind.Forget ? $"Forget old recovery points of {found.Name}" : $"Give back space of {found.Name}",
            Host = found.Host,
            Repository = repository,
            RequestedBy = requestedBy,
            Job = kind == JobKind.Forget ? new StoredJob() : new StoredJob(Prune: Budget),
        }, ct);
        await Notifications.Changed(tx, "storage", repository.ToString(), ct);
        return (run, null);
    }

    /// <summary>Repositories of which a prune is due and in which nothing is being removed; another node's are left to it.</summary>
    public static Task<List<RepositoryId>> Due(Transaction tx, int most, CancellationToken ct) => tx.Query($"""
        select r.id from repository r join location l on l.id = r.location_id join host h on h.id = r.host_id
            left join garbage g on g.repository_id = r.id
        where r.state = 'Ready' and r.upkeep_allowed and l.kind <> 'Gateway' and h.retired_at is null and not {Busy}
            and not exists (select from run u where u.repository_id = r.id and u.kind = 'Prune' and (u.state = 'Failed'
                and u.finished_at > clock() - interval '1 hour' or u.state = 'Cancelled' and u.finished_at > clock() - interval '1 day'))
            and coalesce(g.prune_due_at, case when {Locked} then coalesce(g.pruned_at, r.created_at) + $1 end) <= clock()
        order by r.id limit $2 for update of r skip locked
        """, [WhereLocked, most], row => row.Id<RepositoryId>("id"), ct);

    /// <summary>A prune is due now.</summary>
    public static Task PruneSoon(Transaction tx, RepositoryId repository, CancellationToken ct) => tx.Execute("""
        insert into garbage (repository_id, prune_due_at) values ($1, clock())
        on conflict (repository_id) do update set prune_due_at = least(garbage.prune_due_at, clock())
        """, [repository], ct);

    /// <summary>Keeps what a prune said, and when the next one is due: when what waits can go.</summary>
    public static Task Pruned(Transaction tx, EndedRun run, JobResult result, CancellationToken ct)
    {
        var done = result.Prune;
        TimeSpan? pause = done is null ? result.Outcome == JobOutcome.Cancelled ? AfterBudget : NextTry
            : done.WaitsFor.Count > 0 ? NextTry : done.IsCut ? AfterBudget : null;
        return tx.Execute("""
            insert into garbage (repository_id, prune_due_at, pruned_at, prune_run_id, result)
            values ($1, coalesce(clock() + $2::interval, $3::timestamptz + interval '1 hour'),
                case when $4::jsonb is not null then clock() end, $5, $4)
            on conflict (repository_id) do update set prune_due_at = excluded.prune_due_at, prune_run_id = excluded.prune_run_id,
                pruned_at = coalesce(excluded.pruned_at, garbage.pruned_at), result = coalesce(excluded.result, garbage.result)
            """, [run.Repository, pause, pause is null ? done?.LockedFirst : null,
                JsonText.Of(done, WireJson.Default.PruneResult), run.Id], ct);
    }

    /// <summary>What the last prunes said of repositories.</summary>
    public static async Task<IReadOnlyDictionary<RepositoryId, Garbage>> All(SqlSource db, CancellationToken ct)
        => (await db.Query("""
            select r.id, h.name as host, h.retired_at is not null as retired, l.name as location, l.kind, r.upkeep_allowed,
                g.prune_due_at, g.pruned_at, g.prune_run_id, g.result,
                (select count(*) from recovery_point p where p.repository_id = r.id and p.trash_until is not null and p.gone_at is null)
                as in_trash, u.id as removing
            from repository r join host h on h.id = r.host_id join location l on l.id = r.location_id
            left join garbage g on g.repository_id = r.id
            left join lateral (select id from run where repository_id = r.id and kind in ('Forget', 'Prune')
                and state in ('Queued', 'Leased', 'Running') limit 1) u on true
            """, [], row => (Id: row.Id<RepositoryId>("id"), Garbage: new Garbage
        {
            Problem = RetentionTable.Problem(row),
            InTrash = (int)row.Long("in_trash"),
            Removing = row.IdOrNull<RunId>("removing"),
            DueAt = row.TimeOrNull("prune_due_at"),
            PrunedAt = row.TimeOrNull("pruned_at"),
            LastRun = row.IdOrNull<RunId>("prune_run_id"),
            LastResult = row.Json("result", WireJson.Default.PruneResult),
        }), ct)).ToDictionary(one => one.Id, one => one.Garbage);
}
