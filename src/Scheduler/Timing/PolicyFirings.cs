using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Drills;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Timing;

/// <summary>The loops of a node: fires policies, ends expired leases, starts what moves packs, checks and test-restores, and lets retention
/// look. Every node with the role runs them; the tables decide.</summary>
public sealed partial class PolicyFirings(IFiringEngine engine, Postgres db, FirePolicy firePolicy, LeaseExpiry expiry, TierDue tiering,
    ChecksDue checks, DrillDue drills, RetentionDue retention, AssignLook assigning, TimeProvider clock, ILogger<PolicyFirings> log)
        : BackgroundService
{
    const string Prefix = "policy/";
    static readonly TimeSpan LeasesEvery = TimeSpan.FromSeconds(2), UpkeepEvery = TimeSpan.FromMinutes(1),
        RetentionEvery = TimeSpan.FromSeconds(10);
    static readonly Caller Schedule = Caller.System("schedule");

    /// <summary>The key under which a policy is scheduled.</summary>
    internal static string Key(PolicyId policy) => Prefix + policy;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var firing = engine.Run(Fire, stoppingToken);
        await Reconcile(stoppingToken);
        await Task.WhenAll(firing, Every(LeasesEvery, expiry.Run, stoppingToken),
            Every(UpkeepEvery, tiering.Run, stoppingToken), Every(UpkeepEvery, checks.Run, stoppingToken),
            Every(UpkeepEvery, drills.Run, stoppingToken), Every(RetentionEvery, retention.Run, stoppingToken),
            Every(UpkeepEvery, assigning.Run, stoppingToken));
    }

    /// <summary>Schedules what should be: a policy that was saved when the node died before it was scheduled is not forgotten.</summary>
    async Task Reconcile(CancellationToken ct)
    {
        foreach (var policy in await PolicyTable.List(db, "p.paused_at is null and $1::uuid is null", null,
            ct)) await engine.ScheduleOrReplace(Key(policy.Id), policy.Spec.Schedule, ct);
    }

    async Task Fire(Firing firing, CancellationToken ct)
    {
        if (!firing.Key.StartsWith(Prefix, StringComparison.Ordinal) || !TypedId.TryParse<PolicyId>(firing.Key[Prefix.Length..],
            out var policy)) return;
        var started = await firePolicy.Handle(Schedule, policy, firing.NominalAt, ct);
        LogFired(log, policy.ToString(), firing.NominalAt, started.Runs.Count);
    }

    async Task Every(TimeSpan time, Func<CancellationToken, Task<int>> work, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(time, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
            {
                try { await work(ct); }
                catch (Npgsql.NpgsqlException e) { LogPaused(log, e.Message); }
                // One thing of one repository that nobody thought of must not end all loops of the node: told, and tried again.
                catch (Exception e) when (e is not OperationCanceledException) { LogBroken(log, e); }
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    [LoggerMessage(2001, LogLevel.Information, "{Policy} fired for {NominalAt:u}: {Runs} runs")]
    static partial void LogFired(ILogger log, string policy, DateTimeOffset nominalAt, int runs);

    [LoggerMessage(2002, LogLevel.Warning, "What is due waits for the database: {Reason}")]
    static partial void LogPaused(ILogger log, string reason);

    [LoggerMessage(2003, LogLevel.Error, "Something in what is due is broken")]
    static partial void LogBroken(ILogger log, Exception exception);
}
