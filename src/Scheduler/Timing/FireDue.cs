using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;

namespace BackupDr.Scheduler.Timing;

/// <summary>Fires what is due. The engine says when to look; which nominal time that is, and whether it was fired, our tables say. Any
/// node may look at any time.</summary>
/// <remarks>Of several nominal times that passed since the last look only the newest fires: it makes up for the others. A clock that is
/// put back fires nothing twice, because a nominal time fires once; one that is put forward loses nothing but what a look never saw.
/// </remarks>
public sealed partial class FireDue(Postgres db, FirePolicy firePolicy, ILogger<FireDue> log)
{
    /// <summary>How far a node's clock may be ahead of the database's for its word to count.</summary>
    public static readonly TimeSpan MostSkew = TimeSpan.FromSeconds(30);

    static readonly Caller Schedule = Caller.System("schedule");

    sealed record Watched(PolicyId Policy, ScheduleSpec Schedule, DateTimeOffset Since, DateTimeOffset Now);

    const string Active = "select id, spec->'schedule' as schedule, schedule_since, clock() as now from policy "
        + "where paused_at is null and removed_at is null";

    static Watched Read(Row row) => new(row.Id<PolicyId>("id"), row.Json("schedule", WireJson.Default.ScheduleSpec)!,
        row.Time("schedule_since"), row.Time("now"));

    /// <summary>Looks at all policies and fires what no engine told; gives the number of firings.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var due = new List<(PolicyId Policy, DateTimeOffset Nominal)>();
        foreach (var policy in await db.Query(Active, [], Read, ct))
            if (Nominal(policy, policy.Now) is { } nominal) due.Add((policy.Policy, nominal));
        if (due.Count == 0) return 0;
        var missing = await db.Query("""
            select w.policy, w.nominal from unnest($1::uuid[], $2::timestamptz[]) as w(policy, nominal)
            where not exists (select from firing f where f.policy_id = w.policy and f.nominal_at = w.nominal)
            """, [due.Select(one => one.Policy.Value).ToArray(), due.Select(one => one.Nominal.UtcDateTime).ToArray()],
            row => (Policy: row.Id<PolicyId>("policy"), Nominal: row.Time("nominal")), ct);
        foreach (var (policy, nominal) in missing) await Fire(policy, nominal, ct);
        return missing.Count;
    }

    /// <summary>Fires a policy of which an engine says that its time has come.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="at">The engine's moment, by the clock of this node.</param>
    /// <param name="ct">Cancels.</param>
    public async Task Tell(PolicyId policy, DateTimeOffset at, CancellationToken ct)
    {
        var watched = await db.First($"{Active} and id = $1", [policy], Read, ct);
        if (watched is null) return;
        // A node whose clock is far ahead is not believed: the look at all policies goes by the database's.
        var moment = at > watched.Now && at - watched.Now <= MostSkew ? at : watched.Now;
        if (Nominal(watched, moment) is { } nominal) await Fire(policy, nominal, ct);
    }

    static DateTimeOffset? Nominal(Watched policy, DateTimeOffset now) => StartTimes.Of(policy.Schedule).Due(policy.Since, now);

    async Task Fire(PolicyId policy, DateTimeOffset nominal, CancellationToken ct)
    {
        var started = await firePolicy.Handle(Schedule, policy, nominal, ct);
        if (started.Runs.Count > 0) LogFired(log, policy.ToString(), nominal, started.Runs.Count);
    }

    [LoggerMessage(2001, LogLevel.Information, "{Policy} fired for {NominalAt:u}: {Runs} runs")]
    static partial void LogFired(ILogger log, string policy, DateTimeOffset nominalAt, int runs);
}
