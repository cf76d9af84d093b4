using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runs;

/// <summary>What a run leaves as evidence: who, where and when as it was then, what was done, and what was not.</summary>
static class RunEvidence
{
    /// <summary>What every run tells, with the names and versions of this moment.</summary>
    public static async Task<EvidenceBody> Of(Transaction tx, EndedRun run, CancellationToken ct)
        => (await Known(tx, run, ct)).Body;

    /// <summary>A drill, measured against its policy's objectives.</summary>
    public static async Task<EvidenceBody> Drill(Transaction tx, EndedRun run, DrillResult drill, CancellationToken ct)
    {
        var (body, policy, takenAt, startedAt) = await Known(tx, run, ct);
        var isRestored = drill.RestoreSeconds > 0 && drill.Result != ProofResult.Skipped;
        return body with
        {
            Result = drill.Result.ToString(),
            Reason = drill.Reason,
            Steps = Steps(drill),
            Checks = Checks(drill),
            NotDone = NotDone(drill),
            Rto = policy is null || !isRestored ? null : Target(policy.Rto.TotalSeconds, drill.RestoreSeconds),
            Rpo = policy is null || takenAt is null || startedAt is null ? null
                : Target(policy.Rpo.TotalSeconds, Math.Max(0, (startedAt - takenAt).Value.TotalSeconds)),
            FilesCompared = Number(drill.FilesCompared),
            BytesCompared = Number(drill.BytesCompared),
            Mismatches = Number(drill.Mismatches.Count),
            LiveEqual = Number(drill.LiveEqual),
            LiveChanged = Number(drill.LiveChanged),
            RestoreSeconds = Seconds(drill.RestoreSeconds),
            Isolated = YesNo(drill.Isolated),
        };
    }

    /// <summary>A restore.</summary>
    public static async Task<EvidenceBody> Restore(Transaction tx, EndedRun run, JobOutcome outcome, RestoreResult restore,
        CancellationToken ct)
    {
        var (body, policy, _, _) = await Known(tx, run, ct);
        return body with
        {
            Target = restore.Target.ToString(),
            Outcome = outcome.ToString(),
            Files = Number(restore.Files),
            Bytes = Number(restore.Bytes),
            Problems = Number(restore.ProblemCount),
            RestoreSeconds = Seconds(restore.Seconds),
            Rto = policy is null || outcome != JobOutcome.Complete ? null : Target(policy.Rto.TotalSeconds, restore.Seconds),
        };
    }

    static async Task<(EvidenceBody Body, PolicySpec? Policy, DateTimeOffset? TakenAt, DateTimeOffset? StartedAt)> Known(Transaction tx,
        EndedRun run, CancellationToken ct)
        => await tx.First("""
            select h.name as host_name, h.agent_version, i.name as item_name, r.item_id, i.policy_id, p.name as policy_name, p.version,
                p.spec, s.url, t.snapshot_id, t.taken_at, r.requested_by, r.started_at, coalesce(r.finished_at, clock()) as finished_at
            from run r join host h on h.id = r.host_id join repository s on s.id = r.repository_id
            left join item i on i.id = r.item_id left join policy p on p.id = i.policy_id
            left join recovery_point t on t.id = r.point_id
            where r.id = $1
            """, [run.Id], row => (new EvidenceBody
        {
            Run = run.Id.ToString(),
            Point = run.Point?.ToString(),
            Snapshot = row.TextOrNull("snapshot_id"),
            PointTakenAt = Moment(row.TimeOrNull("taken_at")),
            Host = run.Host.ToString(),
            HostName = row.Text("host_name"),
            AgentVersion = row.Text("agent_version"),
            Item = run.Item?.ToString(),
            ItemName = row.TextOrNull("item_name"),
            Policy = row.IdOrNull<PolicyId>("policy_id")?.ToString(),
            PolicyName = row.TextOrNull("policy_name"),
            PolicyVersion = row.IsNull("version") ? null : Number(row.Int("version")),
            Repository = run.Repository.ToString(),
            RepositoryUrl = row.Text("url"),
            RequestedBy = row.Text("requested_by"),
            StartedAt = Moment(row.TimeOrNull("started_at")),
            FinishedAt = Moment(row.TimeOrNull("finished_at")),
        }, row.Json("spec", WireJson.Default.PolicySpec), row.TimeOrNull("taken_at"), row.TimeOrNull("started_at")), ct);

    static List<EvidenceStep>? Steps(DrillResult drill) => drill.Steps is not { Count: > 0 } steps ? null
        : [.. steps.Select(step => new EvidenceStep(step.Name, HashChain.Moment(step.StartedAt), HashChain.Moment(step.EndedAt),
            step.Passed ? "done" : "failed", step.Detail))];

    static List<EvidenceLook>? Checks(DrillResult drill) => drill.Checks is not { Count: > 0 } checks ? null
        : [.. checks.Select(check => new EvidenceLook(check.Name, check.Expected ?? "", check.Detail, YesNo(check.Passed)))];

    static List<EvidenceOmission>? NotDone(DrillResult drill)
    {
        if (drill.NotDone is { Count: > 0 } told) return [.. told.Select(one => new EvidenceOmission(one.Name, one.Why))];
        return drill.Result == ProofResult.Skipped ? [new EvidenceOmission("The restore", drill.Reason ?? "no reason was told")] : null;
    }

    static EvidenceTarget Target(double target, double achieved) => new(Seconds(target), Seconds(achieved), YesNo(achieved <= target));

    static string? Moment(DateTimeOffset? at) => at is { } time ? HashChain.Moment(time) : null;

    static string Seconds(double seconds) => seconds.ToString("0.###", CultureInfo.InvariantCulture);

    public static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    public static string YesNo(bool value) => value ? "yes" : "no";
}
