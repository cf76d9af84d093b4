using BackupDr.Agent.Leasing;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;

namespace BackupDr.Agent.Jobs;

/// <summary>Puts a snapshot, or parts of it, into a folder of this host; absolute paths are made again below it.</summary>
static class RestoreJobRun
{
    const int MaximumLines = 100;

    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, RestoreJob job, RunReporter reporter, CancellationToken ct)
    {
        using var repository = await jobs.OpenToRead(run, reporter, ct);
        var snapshot = await repository.FindSnapshot(job.SnapshotId, SnapshotFilter.All, ct);
        using var target = FileTarget.Open(job.Target, job.Overwrite);
        reporter.Event(EventLevel.Info, "restore.begin", $"Restoring snapshot {snapshot.ShortId} to {job.Target}.");
        var summary = await RestoreRun.Execute(repository, snapshot, default, job.Paths, target, Progress(reporter, "restoring"), ct);
        foreach (var problem in summary.Failed.Take(MaximumLines)) reporter.Event(EventLevel.Error, "restore.failed",
            $"{problem.Path}: {problem.Message}");
        foreach (var kept in summary.Kept.Take(MaximumLines)) reporter.Event(EventLevel.Warning, "restore.kept",
            $"{kept.Path}: {kept.Message}");
        foreach (var remark in target.Remarks.Take(MaximumLines)) reporter.Event(EventLevel.Info, "restore.remark",
            $"{remark.Path}: {remark.Message}");
        reporter.Event(EventLevel.Info, "restore.done",
            $"Restored {summary.Files} {(summary.Files == 1 ? "file" : "files")}, {summary.Bytes} bytes.");
        var healed = JobRunner.Healed(repository, reporter);
        var problems = summary.Failed.Concat(summary.Kept).ToList();
        return new JobResult
        {
            Outcome = problems.Count == 0 ? JobOutcome.Complete : JobOutcome.Incomplete,
            Healed = healed,
            Restore = new RestoreResult
            {
                Target = job.Target,
                Files = summary.Files,
                Bytes = summary.Bytes,
                Problems = JobRunner.Cut(problems),
                ProblemCount =
                    problems.Count,
                Seconds = summary.Duration.TotalSeconds,
            },
        };
    }

    public static IProgress<RestoreProgress> Progress(RunReporter reporter, string phase) =>
        new JobRunner.Direct<RestoreProgress>(now => reporter.Progress(new JobProgress
        {
            Phase = phase,
            FilesDone = now.FilesDone,
            FilesTotal = now.FilesTotal,
            BytesDone = now.BytesDone,
            BytesTotal = now.BytesTotal,
        }));
}
