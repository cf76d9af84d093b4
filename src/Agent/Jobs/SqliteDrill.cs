using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Sources;
using BackupDr.Sources.Sqlite;

namespace BackupDr.Agent.Jobs;

/// <summary>A test restore of a database file: opened, looked through, its rows compared with those that were counted when it was
/// stored.</summary>
static class SqliteDrill
{
    /// <exception cref="SourceException">It could not be restored.</exception>
    public static async Task<JobResult> Run(DrillScene scene, CancellationToken ct)
    {
        var snapshot = await scene.Repository.FindSnapshot(scene.SnapshotId, SnapshotFilter.All, ct);
        using var sandbox = DrillSandbox.Make(scene.State, scene.Run);
        await sandbox.Space.Need(scene.Repository, snapshot, ct);
        return await sandbox.Space.Watch(token => Run(scene, sandbox, token), ct);
    }

    static async Task<JobResult> Run(DrillScene scene, DrillSandbox sandbox, CancellationToken ct)
    {
        var reporter = scene.Reporter;
        reporter.Event(EventLevel.Info, "drill.begin", $"Test restore of the database in snapshot {scene.ShortId}.");
        var begunAt = DrillStory.Now;
        var report = await SqliteProof.Run(scene.Repository, new SqliteProofOptions
        {
            Snapshot = scene.SnapshotId,
            Scratch = sandbox.Folder,
            Assertions = scene.Looks.Assertions,
            Look = scene.Looks.Script,
        }, RestoreJobRun.Progress(reporter, "restoring"), ct);
        foreach (var check in report.Checks)
            reporter.Event(check.Passed ? EventLevel.Info : EventLevel.Error, "drill.check",
                $"{check.Name}: {(check.Passed ? "passed" : "FAILED")}. {check.Detail}");
        return new JobResult
        {
            Outcome = JobOutcome.Complete,
            Healed = JobRunner.Healed(scene.Repository, reporter),
            Drill = DrillStory.OfDatabase(report, begunAt, startsServer: false) with
            {
                RestoreSeconds = Math.Round(report.RestoreTime.TotalSeconds, 3),
            },
        };
    }
}
