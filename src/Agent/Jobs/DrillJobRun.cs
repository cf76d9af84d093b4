using System.Diagnostics;
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
    static readonly TimeSpan Longest = TimeSpan.FromHours(12);

    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, DrillJob job, AgentState state, DrillLooks looks,
        RunReporter reporter, CancellationToken ct)
    {
        var begun = Stopwatch.GetTimestamp();
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Longest);
        try { return await Drill(jobs, run, job, state, looks, reporter, begun, late.Token); }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return Result(new DrillResult
            {
                Result =
            ProofResult.Failed,
                Reason = $"It took longer than {Longest.TotalHours:0} hours.",
                Seconds = Seconds(begun)
            });
        }
    }

    /// <summary>A thaw costs, and nobody asked for one: such a point is neither proven nor disproved.</summary>
    static JobResult Archived(RepositoryException why, RunReporter reporter, long begun)
    {
        var reason = $"{why.Message} A drill does not thaw, because that costs: thaw with a restore, then drill while it is readable.";
        reporter.Event(EventLevel.Warning, "drill.archived", reason);
        return Result(new DrillResult { Result = ProofResult.Skipped, Reason = reason, Seconds = Seconds(begun) });
    }

    static async Task<JobResult> Drill(JobRunner jobs, LeasedRun run, DrillJob job, AgentState state, DrillLooks looks,
        RunReporter reporter, long begun, CancellationToken ct)
    {
        using var repository = await jobs.OpenToRead(run, reporter, ct);
        try
        {
            return job.LiveSource switch
            {
                { PostgreSql: { } cluster }
                    => await ClusterDrill.Run(repository, run.RunId, job.SnapshotId, cluster, state, looks, reporter, ct),
                { MariaDb: { } server }
                    => await MariaDbDrill.Run(repository, run.RunId, job.SnapshotId, server, state, looks, reporter, ct),
                { Kind: SourceKind.Sqlite } => await SqliteDrill.Run(repository, run.RunId, job.SnapshotId, state, looks, reporter, ct),
                _ => await Files(repository, run.RunId, job, state, looks, reporter, begun, ct),
            };
        }
        catch (RepositoryException e) when (e.Archived is not null) { return Archived(e, reporter, begun); }
    }

    static async Task<JobResult> Files(Repository repository, RunId run, DrillJob job, AgentState state, DrillLooks looks,
        RunReporter reporter, long begun, CancellationToken ct)
    {
        var snapshot = await repository.FindSnapshot(job.SnapshotId, SnapshotFilter.All, ct);
        using var sandbox = DrillSandbox.Make(state, run);
        var begunAt = DrillStory.Now;
        reporter.Event(EventLevel.Info, "drill.begin", $"Test restore of snapshot {snapshot.ShortId} into a sandbox.");
        RestoreSummary restored;
        using (var target = FileTarget.Open(FilePath.FromText(sandbox.Folder), OverwritePolicy.Always))
            restored = await RestoreRun.Execute(repository, snapshot, default, [], target,
                RestoreJobRun.Progress(reporter, "restoring"), ct);
        var (restoreSeconds, restoredAt) = (Seconds(begun), DrillStory.Now);
        reporter.Event(EventLevel.Info, "drill.restored", $"Restored {restored.Files} files in {restoreSeconds:0.0} s; comparing each "
            + $"with the snapshot.");
        var (findings, liveProblem) = await Compare(repository, snapshot, sandbox, job, restored, reporter, ct);
        var problems = restored.Failed.Concat(findings.Mismatches).ToList();
        foreach (var problem in problems.Take(100)) reporter.Event(EventLevel.Error, "drill.mismatch",
            $"{problem.Path}: {problem.Message}");
        var look = await Look(looks, sandbox, reporter, ct);
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

    static async Task<(ProofFindings Findings, string? LiveProblem)> Compare(Repository repository,
        Engine.Format.Snapshot snapshot, DrillSandbox sandbox, DrillJob job, RestoreSummary restored, RunReporter reporter,
        CancellationToken ct)
    {
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
        return (await ProofComparison.Execute(repository, snapshot, restoredTree, liveRoot, progress, ct), liveProblem);
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
