using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Drills;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Retention;

namespace BackupDr.Scheduler.Runs;

/// <summary>What the end of a run brings about, in the transaction of its end.</summary>
public sealed class RunEffects(EvidenceLog evidence, PolicyRuns policies, AnomalyHold anomalies, TimeProvider clock)
{
    // What makes everything in a repository unreadable, whoever restores.
    static readonly HashSet<string> Unreadable = ["repository.wrong_password", "repository.missing", "repository.damaged"];

    /// <summary>After a replication that did not make all places equal.</summary>
    static readonly TimeSpan NextTry = TimeSpan.FromMinutes(10);

    /// <param name="tx">The transaction of its end.</param>
    /// <param name="run">The run.</param>
    /// <param name="result">What came of it.</param>
    /// <param name="ct">Cancels.</param>
    /// <param name="receivedAt">For a backup that its host made alone: when its point counts as received; null for now.</param>
    internal async Task Apply(Transaction tx, EndedRun run, JobResult result, CancellationToken ct, DateTimeOffset? receivedAt = null)
    {
        await OfKind(tx, run, result, receivedAt, ct);
        foreach (var copy in result.Healed ?? []) await Healed(tx, run, copy, ct);
        if (result is not { Outcome: JobOutcome.Failed, Error.Code: "store.denied" }) return;
        if (await RunTable.AgainWithNewCredentials(tx, run, RunId.New(clock), ct) && run.Kind is JobKind.Init or JobKind.Adopt)
            await RepositoryTable.AwaitInit(tx, run.Repository, ct);
    }

    Task OfKind(Transaction tx, EndedRun run, JobResult result, DateTimeOffset? receivedAt, CancellationToken ct) => run.Kind switch
    {
        JobKind.Init => RepositoryTable.Initialised(tx, run.Repository, result.ConfigId, ct),
        JobKind.Backup when result.Backup is not null => Backup(tx, run, result, receivedAt, ct),
        JobKind.Drill => Drill(tx, run, result, ct),
        JobKind.Replicate => Replicate(tx, run, result, ct),
        JobKind.Adopt => Adopt(tx, run, result, ct),
        JobKind.Forget => RemovalEffects.Forgot(tx, evidence, clock, run, result, ct),
        JobKind.Prune => RemovalEffects.Pruned(tx, clock, run, result, ct),
        JobKind.Check when result.Check is not null => Checked(tx, run, result.Check, ct),
        JobKind.Check when result.Error is { } why && Unreadable.Contains(why.Code) => Checked(tx, run, Nothing(why.Message), ct),
        JobKind.Restore when result.Restore is not null => Restore(tx, run, result, ct),
        _ => Task.CompletedTask,
    };

    async Task Backup(Transaction tx, EndedRun run, JobResult result, DateTimeOffset? receivedAt, CancellationToken ct)
    {
        if (run.Item is not { } item) return;
        var point = await RecoveryPointTable.Add(tx, clock, item, run, result.Backup!, result.Outcome == JobOutcome.Complete,
            receivedAt, ct);
        await ReplicaTable.Holds(tx, point, result.Backup!.Location, run.Repository, ct);
        await ReplicaTable.Start(tx, run.Repository, RunId.New(clock), "system: after a backup", false, TimeSpan.Zero, ct);
        var (spec, source, name, hasProof, isLocal) = await tx.First("""
            select p.spec, i.source, i.name, exists (select 1 from recovery_point r where r.item_id = i.id and r.proof is not null)
                   or exists (select 1 from run d where d.item_id = i.id and d.kind = 'Drill' and d.state in ('Queued', 'Leased',
                   'Running')), l.kind = 'Folder'
            from item i join policy p on p.id = i.policy_id join repository o on o.id = i.repository_id
            join location l on l.id = o.location_id where i.id = $1
            """, [item.Value], row => (row.Text(0), row.Text(1), row.Text(2), row.Bool(3), row.Bool(4)), ct);
        var policy = StoredJson.Read<PolicySpec>(spec);
        if (result.Outcome == JobOutcome.Complete)
            await anomalies.Check(tx, run, item, name, point, result.Backup!, policy.Retention.Anomaly ?? new AnomalySpec(), ct);
        // Where the policy names hosts for drills, the planner chooses among them; a folder on the item's host is reached from there only.
        if (hasProof || !policy.Proof.DrillAfterFirst || (policy.Proof.DrillHosts.Count > 0 && !isLocal)) return;
        var what = new DrilledPoint(item, run.Policy, name, run.Host, run.Repository,
            StoredJson.Read<SourceSpec>(source), point, result.Backup!.SnapshotId,
            policy.Proof);
        await DrillRuns.Start(tx, RunId.New(clock), what, run.Host, "system: first proof", ct);
    }

    async Task Drill(Transaction tx, EndedRun run, JobResult result, CancellationToken ct)
    {
        var drill = result.Drill ?? new DrillResult { Result = ProofResult.Skipped, Reason = result.Error?.Message ?? "It was cancelled." };
        // A drill that could not be made at all proves nothing, and one that failed to restore is a failed proof.
        if (result.Drill is null && result.Outcome == JobOutcome.Failed) drill = drill with { Result = ProofResult.Failed };
        if (run.Point is { } point && drill.Result != ProofResult.Skipped) await RecoveryPointTable.Proven(tx, point, run.Id, drill, ct);
        await evidence.Append(tx, "drill", run.Item?.ToString() ?? run.Id.ToString(), await RunEvidence.Drill(tx, run, drill, ct), ct);
    }

    async Task Adopt(Transaction tx, EndedRun run, JobResult result, CancellationToken ct)
    {
        if (result is not { Adopt: { } look, ConfigId: { } config })
        {
            await AdoptionTable.Failed(tx, run.Repository, result.Error?.Message ?? "It was cancelled.", ct);
            return;
        }
        await AdoptionTable.Looked(tx, run.Repository, config, look, ct);
        await RecoveryPointTable.Found(tx, clock, run, look, ct);
        await ReplicaTable.Found(tx, run.Repository, ct);
    }

    async Task Replicate(Transaction tx, EndedRun run, JobResult result, CancellationToken ct)
    {
        await ReplicaTable.Replicated(tx, run.Repository, run.Id, result, ct);
        await Lost(tx, run, await RecoveryPointTable.Placed(tx, run.Repository, run.Id, ct), ct);
        await Notifications.Changed(tx, "storage", run.Repository.ToString(), ct);
        if (result.Outcome is JobOutcome.Failed or JobOutcome.Incomplete)
            await ReplicaTable.Start(tx, run.Repository, RunId.New(clock), "system: places differ", false, NextTry, ct);
        foreach (var place in result.Replicate?.Places ?? [])
        {
            if (!place.WasEmpty && place.Healed == 0) continue;
            await evidence.Append(tx, "replica", run.Repository.ToString(), (await RunEvidence.Of(tx, run, ct)) with
            {
                Location = place.Location.ToString(),
                WasEmpty = RunEvidence.YesNo(place.WasEmpty),
                Objects = RunEvidence.Number(place.Objects),
                Bytes = RunEvidence.Number(place.Bytes),
                Healed = RunEvidence.Number(place.Healed),
            }, ct);
        }
    }

    /// <summary>Points that are gone are evidence, and what they protected is backed up at once.</summary>
    async Task Lost(Transaction tx, EndedRun run, IReadOnlyList<LostPoint> lost, CancellationToken ct)
    {
        foreach (var point in lost)
            await evidence.Append(tx, "lost", point.Item?.ToString() ?? run.Repository.ToString(),
                (await RunEvidence.Of(tx, run, ct)) with
                {
                    Item = point.Item?.ToString(),
                    Point = point.Id.ToString(),
                    Snapshot = point.SnapshotId,
                }, ct);
        await policies.StartAgain(tx, [.. lost.Where(point => point.Item is not null).Select(point => point.Item!.Value).Distinct()],
            "system: its recovery points are gone", ct);
    }

    /// <summary>A copy that was bad is evidence, whoever found it.</summary>
    async Task Healed(Transaction tx, EndedRun run, HealedCopy copy, CancellationToken ct)
        => await evidence.Append(tx, "heal", run.Repository.ToString(), (await RunEvidence.Of(tx, run, ct)) with
        {
            Object = copy.Name,
            Place = copy.Place,
            Problem = copy.Problem,
            From = copy.From,
        }, ct);

    async Task Restore(Transaction tx, EndedRun run, JobResult result, CancellationToken ct)
        => await evidence.Append(tx, "restore", run.Item?.ToString() ?? run.Id.ToString(),
            await RunEvidence.Restore(tx, run, result.Outcome, result.Restore!, ct), ct);

    /// <summary>A repository that does not open: the round begins anew when it does.</summary>
    static CheckResult Nothing(string why) => new() { Errors = [why] };

    async Task Checked(Transaction tx, EndedRun run, CheckResult check, CancellationToken ct)
    {
        await RollingCheckTable.Checked(tx, run.Repository, check, ct);
        await evidence.Append(tx, "check", run.Repository.ToString(), (await RunEvidence.Of(tx, run, ct)) with
        {
            Outcome = (check.Errors.Count == 0 ? JobOutcome.Complete : JobOutcome.Incomplete).ToString(),
            Objects = RunEvidence.Number(check.Packs),
            Bytes = RunEvidence.Number(check.BytesRead),
            Mismatches = RunEvidence.Number(check.Errors.Count),
            Problem = check.Errors is [var first, ..] ? first : null,
        }, ct);
    }
}
