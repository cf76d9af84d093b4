using BackupDr.Agent.Clusters;
using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Sources;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Agent.MariaDb;

/// <summary>A test restore of a base backup and of the log behind it: a server of its version is started in it, behind a socket that
/// nobody else can reach, and looks through every table and index.</summary>
static class MariaDbDrill
{
    /// <exception cref="SourceException">It could not be restored, or the server's programs are missing.</exception>
    public static async Task<JobResult> Run(Repository repository, RunId run, string snapshotId, MariaDbSpec spec, AgentState state,
        DrillLooks looks, RunReporter reporter, CancellationToken ct)
    {
        var snapshot = await repository.FindSnapshot(snapshotId, SnapshotFilter.All, ct);
        using var sandbox = DrillSandbox.Make(state, run, spec.Scratch ?? FilePath.FromText("/var/tmp"));
        reporter.Event(EventLevel.Info, "drill.begin", $"Test restore of the server in snapshot {snapshotId[..8]}, and of the log behind "
            + $"it, into {sandbox.Folder}.");
        var begunAt = DrillStory.Now;
        var report = await MariaDbProof.Run(repository, new MariaDbProofOptions
        {
            Folder = sandbox.Folder,
            Server = MariaDbRecoverySet.ServerOf(snapshot),
            Base = snapshotId,
            Target = BinlogTarget.Latest,
            Assertions = looks.Assertions,
            Look = looks.Script,
        }, RestoreJobRun.Progress(reporter, "restoring"), ct);
        return ClusterDrill.Result(report, begunAt, reporter) with { Healed = JobRunner.Healed(repository, reporter) };
    }
}
