using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Format;
using BackupDr.Sources;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Agent.Clusters;

/// <summary>A test restore of a base backup, and of the log behind it where that is received: a server of its version is started in it,
/// behind a socket that nobody else can reach, and looks through every table and index.</summary>
static class ClusterDrill
{
    /// <exception cref="SourceException">It could not be restored, or the server's programs are missing.</exception>
    public static async Task<JobResult> Run(DrillScene scene, PostgreSqlSpec spec, CancellationToken ct)
    {
        var snapshot = await scene.Repository.FindSnapshot(scene.SnapshotId, SnapshotFilter.All, ct);
        using var sandbox = DrillSandbox.Make(scene.State, scene.Run, spec.Scratch ?? DrillScene.UsualScratch);
        return await sandbox.Space.Watch(token => Run(scene, snapshot, spec, sandbox, token), ct);
    }

    static async Task<JobResult> Run(DrillScene scene, Snapshot snapshot, PostgreSqlSpec spec, DrillSandbox sandbox, CancellationToken ct)
    {
        var reporter = scene.Reporter;
        reporter.Event(EventLevel.Info, "drill.begin", $"Test restore of the cluster in snapshot {scene.ShortId} into {sandbox.Folder}.");
        var begunAt = DrillStory.Now;
        var report = await ClusterProof.Run(scene.Repository, new ClusterProofOptions
        {
            Folder = sandbox.Folder,
            SystemIdentifier = RecoverySet.SystemOf(snapshot),
            Base = scene.SnapshotId,
            Reserve = sandbox.Space.Reserve,
            // Where the log is received a person restores to its end, and that is what has to be proven.
            Target = spec.Log is null ? RecoveryTarget.EndOfBackup : RecoveryTarget.Latest,
            OnPhase = phase => reporter.Progress(new JobProgress { Phase = phase }),
            Assertions = scene.Looks.Assertions,
            Look = scene.Looks.Script,
        }, RestoreJobRun.Progress(reporter, "restoring"), ct);
        return Result(report, begunAt, reporter) with { Healed = JobRunner.Healed(scene.Repository, reporter) };
    }

    /// <summary>What a look through a started copy of a database server found, in the log and as a result.</summary>
    internal static JobResult Result(ProofReport report, DateTimeOffset begunAt, RunReporter reporter)
    {
        foreach (var check in report.Checks)
            reporter.Event(check.Passed ? EventLevel.Info : EventLevel.Error, "drill.check",
                $"{check.Name}: {(check.Passed ? "passed" : "FAILED")}. {check.Detail}");
        return new JobResult
        {
            Outcome = JobOutcome.Complete,
            Drill = DrillStory.OfDatabase(report, begunAt, startsServer: true) with
            {
                // A server is back when it answers, not when its files are.
                RestoreSeconds = Math.Round((report.RestoreTime + report.StartTime).TotalSeconds, 3),
                Isolated = report.IsIsolated,
            },
        };
    }
}
