using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
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
    public static async Task<JobResult> Run(Repository repository, RunId run, string snapshotId, AgentState state, DrillLooks looks,
        RunReporter reporter, CancellationToken ct)
    {
        using var sandbox = DrillSandbox.Make(state, run);
        reporter.Event(EventLevel.Info, "drill.begin", $"Test restore of the database in snapshot {snapshotId[..8]}.");
        var begunAt = DrillStory.Now;
        var report = await SqliteProof.Run(repository, new SqliteProofOptions
        {
            Snapshot = snapshotId,
            Scratch = sandbox.Folder,
            Assertions = looks.Assertions,
            Look = looks.Script,
        }, RestoreJobRun.Progress(reporter, "restoring"), ct);
        foreach (var check in report.Checks)
            reporter.Event(check.Passed ? EventLevel.Info : EventLevel.Error, "drill.check",
                $"{check.Name}: {(check.Passed ? "passed" : "FAILED")}. {check.Detail}");
        return new JobResult
        {
            Outcome = JobOutcome.Complete,
            Healed = JobRunner.Healed(repository, reporter),
            Drill = DrillStory.OfDatabase(report, begunAt, startsServer: false) with
            {
                RestoreSeconds = Math.Round(report.RestoreTime.TotalSeconds, 3),
            },
        };
    }
}
