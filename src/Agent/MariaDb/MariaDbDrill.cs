using BackupDr.Agent.Clusters;
using BackupDr.Agent.Jobs;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Format;
using BackupDr.Sources;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Agent.MariaDb;

/// <summary>A test restore of a base backup and of the log behind it: a server of its version is started in it, behind a socket that
/// nobody else can reach, and looks through every table and index.</summary>
static class MariaDbDrill
{
    /// <exception cref="SourceException">It could not be restored, or the server's programs are missing.</exception>
    public static async Task<JobResult> Run(DrillScene scene, MariaDbSpec spec, CancellationToken ct)
    {
        var snapshot = await scene.Repository.FindSnapshot(scene.SnapshotId, SnapshotFilter.All, ct);
        using var sandbox = DrillSandbox.Make(scene.State, scene.Run, spec.Scratch ?? DrillScene.UsualScratch);
        return await sandbox.Space.Watch(token => Run(scene, snapshot, sandbox, token), ct);
    }

    static async Task<JobResult> Run(DrillScene scene, Snapshot snapshot, DrillSandbox sandbox, CancellationToken ct)
    {
        var reporter = scene.Reporter;
        reporter.Event(EventLevel.Info, "drill.begin", $"Test restore of the server in snapshot {scene.ShortId}, and of the log behind "
            + $"it, into {sandbox.Folder}.");
        var begunAt = DrillStory.Now;
        var report = await MariaDbProof.Run(scene.Repository, new MariaDbProofOptions
        {
            Folder = sandbox.Folder,
            Server = MariaDbRecoverySet.ServerOf(snapshot),
            Base = scene.SnapshotId,
            Reserve = sandbox.Space.Reserve,
            Target = BinlogTarget.Latest,
            OnPhase = phase => reporter.Progress(new JobProgress { Phase = phase }),
            Assertions = scene.Looks.Assertions,
            Look = scene.Looks.Script,
        }, RestoreJobRun.Progress(reporter, "restoring"), ct);
        return ClusterDrill.Result(report, begunAt, reporter) with { Healed = JobRunner.Healed(scene.Repository, reporter) };
    }
}
