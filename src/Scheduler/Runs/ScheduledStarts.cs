using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runs;

/// <summary>A backup of a firing that has not begun.</summary>
sealed record WaitingRun
{
    public required RunId Id { get; init; }
    public required ItemId Item { get; init; }
    public required HostId Host { get; init; }
    public required DateTimeOffset NominalAt { get; init; }
    /// <summary>When it was to start.</summary>
    public required DateTimeOffset DueAt { get; init; }
}

/// <summary>Backups of firings that wait for their start: held outside of the policy's hours, skipped, dropped. What an agent has begun
/// once is in progress: it goes on, and is tried again, also outside of the hours.</summary>
static class ScheduledStarts
{
    /// <summary>From when on a start is said to be late.</summary>
    public static readonly TimeSpan Late = TimeSpan.FromMinutes(15);

    const string Waiting = "r.kind = 'Backup' and r.state = 'Queued' and r.nominal_at is not null and r.lease_epoch = 0";

    /// <summary>Decides at the moment of a claim whether a run may start.</summary>
    /// <returns>Whether it may; otherwise it was put off, or left out.</returns>
    public static async Task<bool> MayBegin(Transaction tx, WaitingRun run, ScheduleSpec schedule, DateTimeOffset now, CancellationToken ct)
    {
        var times = StartTimes.Of(schedule);
        if (times.IsMissed(run.NominalAt, run.Item, now)) return await Skip(tx, run, ct);
        if (!times.Hours.IsOpen(now)) return await Hold(tx, run, Planned(times, run, now), ct);
        if (now - run.DueAt > Late) await tx.Execute("update run set note = coalesce(note, $2) where id = $1", [run.Id,
            $"Began {StartTimes.Words(now - run.DueAt)} late, and stands for the times that passed meanwhile."], ct);
        return true;
    }

    /// <summary>When a run of a firing starts, for an item that could not start for over a year.</summary>
    public static PlannedStart Planned(StartTimes times, DateTimeOffset nominal, ItemId item, DateTimeOffset now)
        => times.Plan(nominal, item, now) ?? new PlannedStart(now.AddDays(1), "an opening of its windows");

    static PlannedStart Planned(StartTimes times, WaitingRun run, DateTimeOffset now) => Planned(times, run.NominalAt, run.Item, now);

    /// <returns>Always false: it may not begin now.</returns>
    static async Task<bool> Hold(Transaction tx, WaitingRun run, PlannedStart start, CancellationToken ct)
    {
        await tx.Execute("update run set due_at = $2, held_for = $3 where id = $1", [run.Id, start.At, start.WaitsFor], ct);
        if (start.WaitsFor is { } why)
            await RunTable.Event(tx, run.Id, 0, EventLevel.Info, "run.held", $"Waits for {why}.", ct);
        await Notifications.Changed(tx, "runs", run.Id.ToString(), ct);
        return false;
    }

    /// <summary>Ends a run that came too late, where the policy makes up for nothing.</summary>
    /// <returns>Always false: it may not begin.</returns>
    public static Task<bool> Skip(Transaction tx, WaitingRun run, CancellationToken ct) => End(tx, run, "run.skipped",
        $"Skipped: it could not begin near {Time(run.NominalAt)}, and its policy makes up for nothing that was missed.", ct);

    static async Task<bool> End(Transaction tx, WaitingRun run, string code, string why, CancellationToken ct)
    {
        await tx.Execute("update run set state = 'Cancelled', finished_at = clock(), held_for = null, note = $2, result = $3 where id = $1 "
            + "and state = 'Queued'", [run.Id, why, JsonText.Of(new JobResult { Outcome = JobOutcome.Cancelled },
                WireJson.Default.JobResult)], ct);
        await RunTable.Event(tx, run.Id, 0, EventLevel.Warning, code, why, ct);
        await Notifications.Changed(tx, "runs", run.Id.ToString(), ct);
        return false;
    }

    /// <summary>Ends those of a policy that came too late, so that they do not stand in the way of a new firing.</summary>
    public static async Task SkipMissed(Transaction tx, PolicyId policy, StartTimes times, DateTimeOffset now, CancellationToken ct)
    {
        foreach (var run in await Of(tx, policy, ct))
            if (times.IsMissed(run.NominalAt, run.Item, now)) await Skip(tx, run, ct);
    }

    /// <summary>Ends those of a policy that makes no runs any more.</summary>
    public static async Task Drop(Transaction tx, PolicyId policy, string why, CancellationToken ct)
    {
        foreach (var run in await Of(tx, policy, ct)) await End(tx, run, "run.dropped", why, ct);
    }

    /// <summary>Ends those of an item that wait for an earlier time than one that its host has made alone: they would be of the same
    /// state of things once more.</summary>
    public static async Task StoodFor(Transaction tx, ItemId item, DateTimeOffset nominal, CancellationToken ct)
    {
        foreach (var run in await tx.Query($"select r.id, r.item_id, r.host_id, r.nominal_at, r.due_at from run r where r.item_id = $1 "
            + $"and {Waiting} and r.nominal_at < $2 order by r.id for update", [item, nominal.UtcDateTime], Read, ct))
            await End(tx, run, "run.stood_for", $"The host made the backup of {Time(nominal)} by itself while no node was reachable, which "
                + "stands for this one too.", ct);
    }

    /// <summary>Gives those of a policy the start that its new schedule has for them.</summary>
    public static async Task PlanAgain(Transaction tx, PolicyId policy, StartTimes times, CancellationToken ct)
    {
        var now = await tx.Scalar<DateTimeOffset>("select clock()", [], ct);
        foreach (var run in await Of(tx, policy, ct))
        {
            await Hold(tx, run, Planned(times, run, now), ct);
            await Notifications.WakeHost(tx, run.Host, ct);
        }
    }

    static Task<List<WaitingRun>> Of(Transaction tx, PolicyId policy, CancellationToken ct) => tx.Query(
        $"select r.id, r.item_id, r.host_id, r.nominal_at, r.due_at from run r where r.policy_id = $1 and {Waiting} order by r.id "
            + "for update",
        [policy], Read, ct);

    /// <summary>Of a row with id, item_id, host_id, nominal_at and due_at.</summary>
    public static WaitingRun Read(Row row) => new()
    {
        Id = row.Id<RunId>("id"),
        Item = row.Id<ItemId>("item_id"),
        Host = row.Id<HostId>("host_id"),
        NominalAt = row.Time("nominal_at"),
        DueAt = row.Time("due_at"),
    };

    internal static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
