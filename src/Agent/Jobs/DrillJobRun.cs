using System.Diagnostics;
using System.Globalization;
using BackupDr.Agent.Clusters;
using BackupDr.Agent.Leasing;
using BackupDr.Agent.MariaDb;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources;
using BackupDr.Sources.Files;
using BackupDr.Sources.Tools;

namespace BackupDr.Agent.Jobs;

/// <summary>A timed test restore into a sandbox: every file compared with the snapshot by its hashes, and with the live source where that
/// did not change.</summary>
/// <remarks>The sandbox is a private folder of the agent. Nothing in it is run but what the policy names, cut off
/// from the network.</remarks>
static class DrillJobRun
{
    /// <summary>Opens the repository and drills.</summary>
    public static Task<JobResult> Run(JobRunner jobs, LeasedRun run, DrillJob job, AgentState state, DrillLooks looks,
        RunReporter reporter, CancellationToken ct)
        => Run(token => jobs.OpenToRead(run, reporter, token), run.RunId, job, state, looks, reporter, ct);

    /// <summary>Drills within the time that the policy gives. What had no room says nothing of the point; what takes too long, and what is
    /// wrong, makes it failed.</summary>
    internal static async Task<JobResult> Run(Func<CancellationToken, Task<Repository>> open, RunId run, DrillJob job, AgentState state,
        DrillLooks looks, RunReporter reporter, CancellationToken ct)
    {
        var begun = Stopwatch.GetTimestamp();
        var limit = job.Limit ?? ProofSpec.DefaultDrillLimit;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(limit);
        try
        {
            using var repository = await open(late.Token);
            return await Drill(new DrillScene(repository, run, job, state, looks, reporter), begun, late.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return NotMade(ProofResult.Failed, "drill.late", $"It was not finished within {Words(limit)}.", reporter, begun);
        }
        catch (SourceException e) when (DrillSpace.IsMeant(e))
        {
            return NotMade(ProofResult.Skipped, e.Code, $"{e.Message} {e.Hint}", reporter, begun, isFull: true);
        }
        // A thaw costs, and nobody asked for one: such a point is neither proven nor disproved.
        catch (RepositoryException e) when (e.Archived is not null)
        {
            return NotMade(ProofResult.Skipped, "drill.archived", $"{e.Message} A drill does not thaw, because that costs: thaw with a "
                + "restore, then drill while it is readable.", reporter, begun);
        }
    }

    static JobResult NotMade(ProofResult result, string code, string reason, RunReporter reporter, long begun, bool isFull = false)
    {
        reporter.Event(result == ProofResult.Failed ? EventLevel.Error : EventLevel.Warning, code, reason);
        return Result(new DrillResult { Result = result, Reason = reason, HadNoRoom = isFull, Seconds = Seconds(begun) });
    }

    static string Words(TimeSpan time) => time switch
    {
        { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.#} s"),
        { TotalHours: >= 1, Minutes: 0 } => $"{(int)time.TotalHours} h",
        _ => $"{(int)time.TotalMinutes} min",
    };

    static Task<JobResult> Drill(DrillScene scene, long begun, CancellationToken ct) => scene.Job.LiveSource switch
    {
        { PostgreSql: { } cluster } => ClusterDrill.Run(scene, cluster, ct),
        { MariaDb: { } server } => MariaDbDrill.Run(scene, server, ct),
        { Kind: SourceKind.Sqlite } => SqliteDrill.Run(scene, ct),
        _ => Files(scene, begun, ct),
    };

    static async Task<JobResult> Files(DrillScene scene, long begun, CancellationToken ct)
    {
        var snapshot = await scene.Repository.FindSnapshot(scene.SnapshotId, SnapshotFilter.All, ct);
        using var sandbox = DrillSandbox.Make(scene.State, scene.Run);
        await sandbox.Space.Need(scene.Repository, snapshot, ct);
        return await sandbox.Space.Watch(token => Files(scene, snapshot, sandbox, begun, token), ct);
    }

    static async Task<JobResult> Files(DrillScene scene, Engine.Format.Snapshot snapshot, DrillSandbox sandbox, long begun,
        CancellationToken ct)
    {
        var (repository, reporter) = (scene.Repository, scene.Reporter);
        var begunAt = DrillStory.Now;
        reporter.Event(EventLevel.Info, "drill.begin", $"Test restore of snapshot {snapshot.ShortId} into a sandbox.");
        RestoreSummary restored;
        using (var target = FileTarget.Open(FilePath.FromText(sandbox.Folder), OverwritePolicy.Always))
            restored = await RestoreRun.Execute(repository, snapshot, default, [], target,
                RestoreJobRun.Progress(reporter, "restoring"), ct);
        var (restoreSeconds, restoredAt) = (Seconds(begun), DrillStory.Now);
        reporter.Event(EventLevel.Info, "drill.restored", $"Restored {restored.Files} files in {restoreSeconds:0.0} s; comparing each "
            + $"with the snapshot.");
        var (findings, liveProblem) = await Compare(scene, snapshot, sandbox, restored, ct);
        var problems = restored.Failed.Concat(findings.Mismatches).ToList();
        foreach (var problem in problems.Take(100)) reporter.Event(EventLevel.Error, "drill.mismatch",
            $"{problem.Path}: {problem.Message}");
        var look = await Look(scene.Looks, sandbox, reporter, ct);
        var proven = problems.Count == 0 && look is not { Passed: false };
        reporter.Event(proven ? EventLevel.Info : EventLevel.Error, "drill.done", proven
            ? $"Proven: {findings.FilesCompared} files equal the snapshot; {findings.LiveEqual} also equal the live source, "
                + $"{findings.LiveChanged} changed there since."
            : problems.Count == 0 ? "Not proven." : $"Not proven: {problems.Count} entries differ.");
        var healed = JobRunner.Healed(repository, reporter);
        return Result(new DrillResult
        {
            Result = proven ? ProofResult.Proven : ProofResult.Failed,
            Reason = proven ? null
                : problems.Count == 0 ? $"{look!.Name}: {look.Detail}" : $"{problems.Count} entries differ from the snapshot.",
            Checks = look is null ? null : [new DrillCheck(look.Name, look.Passed, look.Detail, "it ends with 0")],
            FilesCompared = findings.FilesCompared,
            BytesCompared = findings.BytesCompared,
            Mismatches = JobRunner.Cut(problems),
            LiveEqual = findings.LiveEqual,
            LiveChanged =
                findings.LiveChanged,
            Steps = DrillStory.StepsOfFiles(begunAt, restoredAt, restored, findings),
            NotDone = DrillStory.OfFiles(liveProblem, look is not null),
            RestoreSeconds = restoreSeconds,
            Seconds = Seconds(begun),
        }) with
        { Healed = healed };
    }

    static async Task<ProofCheck?> Look(DrillLooks looks, DrillSandbox sandbox, RunReporter reporter, CancellationToken ct)
    {
        if (looks.Script is not { } script) return null;
        var look = await script(new Dictionary<string, string> { [Isolation.Copy] = sandbox.Folder }, null, ct);
        reporter.Event(look.Passed ? EventLevel.Info : EventLevel.Error, "drill.check",
            $"{look.Name}: {(look.Passed ? "passed" : "FAILED")}. {look.Detail}");
        return look;
    }

    static async Task<(ProofFindings Findings, string? LiveProblem)> Compare(DrillScene scene,
        Engine.Format.Snapshot snapshot, DrillSandbox sandbox, RestoreSummary restored, CancellationToken ct)
    {
        var (job, reporter) = (scene.Job, scene.Reporter);
        var silent = new Silent();
        using var restoredTree = FileSource.OpenTree(FilePath.FromText(sandbox.Folder));
        using var live = job is { IsElsewhere: false, LiveSource.Files: { } files } ? FileSource.Open(files) : null;
        var (opened, liveProblem) = OpenLive(live, silent, reporter);
        using var liveRoot = opened;
        var progress = new JobRunner.Direct<long>(files => reporter.Progress(new JobProgress
        {
            Phase = "comparing",
            FilesDone = files,
            FilesTotal = restored.Files
        }));
        return (await ProofComparison.Execute(scene.Repository, snapshot, restoredTree, liveRoot, progress, ct), liveProblem);
    }

    /// <summary>A live source that is gone does not make a restore wrong: it is told, and only the snapshot is compared.</summary>
    static (ISourceFolder? Live, string? Problem) OpenLive(FileSource? live, Silent silent, RunReporter reporter)
    {
        if (live is null) return (null, "The source is not on the host of this drill.");
        try { return (live.OpenRoot(silent), null); }
        catch (BackupDrException e)
        {
            reporter.Event(EventLevel.Warning, "drill.live", $"The live source cannot be compared: {e.Message}");
            return (null, e.Message);
        }
    }

    static JobResult Result(DrillResult drill) => new() { Outcome = JobOutcome.Complete, Drill = drill };

    static double Seconds(long begun) => Math.Round(Stopwatch.GetElapsedTime(begun).TotalSeconds, 3);

    sealed class Silent : ISourceProblems
    {
        public int Count { get; private set; }
        public void Missing(FilePath path, string message) => Count++;
        public void Remark(FilePath path, string message) => Count++;
    }
}
