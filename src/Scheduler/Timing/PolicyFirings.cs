using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Drills;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Timing;

/// <summary>The loops of a node: fires policies, ends expired leases, starts what moves packs, checks and test-restores, and lets retention
/// look. Every node with the role runs them; the tables decide.</summary>
public sealed class PolicyFirings(IFiringEngine engine, Postgres db, FireDue fireDue, LeaseExpiry expiry, UpkeepDue upkeep,
    DrillDue drills, RetentionDue retention, AssignLook assigning, NodeLoops loops) : BackgroundService
{
    const string Prefix = "policy/";
    static readonly TimeSpan LeasesEvery = TimeSpan.FromSeconds(2), UpkeepEvery = TimeSpan.FromMinutes(1),
        RetentionEvery = TimeSpan.FromSeconds(10), LookEvery = TimeSpan.FromSeconds(10), ReconcileEvery = TimeSpan.FromMinutes(5);

    /// <summary>The key under which a policy is scheduled.</summary>
    internal static string Key(PolicyId policy) => Prefix + policy;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var firing = engine.Run(Fire, stoppingToken);
        await Task.WhenAll(firing, loops.Insist(Reconcile, stoppingToken),
            loops.Every(ReconcileEvery, Reconcile, stoppingToken), loops.Every(LeasesEvery, expiry.Run, stoppingToken),
            loops.Every(LookEvery, fireDue.Run, stoppingToken),
            loops.Every(UpkeepEvery, token => upkeep.Run(JobKind.Tier, token), stoppingToken),
            loops.Every(UpkeepEvery, token => upkeep.Run(JobKind.Check, token), stoppingToken),
            loops.Every(UpkeepEvery, drills.Run, stoppingToken), loops.Every(RetentionEvery, retention.Run, stoppingToken),
            loops.Every(UpkeepEvery, assigning.Run, stoppingToken));
    }

    /// <summary>Schedules what should be: a policy that was saved when the node died, or the database went away, before it was scheduled
    /// is not forgotten.</summary>
    async Task<int> Reconcile(CancellationToken ct)
    {
        var policies = await PolicyTable.List(db, "p.paused_at is null and $1::uuid is null", null, ct);
        foreach (var policy in policies) await engine.ScheduleOrReplace(Key(policy.Id), policy.Spec.Schedule, ct);
        return policies.Count;
    }

    async Task Fire(Firing firing, CancellationToken ct)
    {
        if (!firing.Key.StartsWith(Prefix, StringComparison.Ordinal) || !TypedId.TryParse<PolicyId>(firing.Key[Prefix.Length..],
            out var policy)) return;
        // A firing whose time came while the database was away is made when it is back. Made twice, it makes nothing the second time.
        await loops.Insist(stop => fireDue.Tell(policy, firing.NominalAt, stop), ct);
    }
}
