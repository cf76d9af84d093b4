using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Sources.Files;

namespace BackupDr.Agent.Jobs;

/// <summary>Takes a snapshot of a source.</summary>
static class BackupJobRun
{
    const int MaximumLines = 100;

    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, BackupJob job, RunReporter reporter, CancellationToken ct)
    {
        using var source = Open(job.Source);
        using var repository = await jobs.Open(run, reporter, ct);
        reporter.Event(EventLevel.Info, "backup.begin", $"Backing up {string.Join(", ", source.Paths)} to {repository.Store.Url}.");
        var progress = new JobRunner.Direct<BackupProgress>(now => reporter.Progress(new JobProgress
        {
            Phase = "uploading",
            FilesDone = now.FilesDone,
            FilesTotal = now.FilesTotal,
            BytesDone = now.BytesDone,
            BytesTotal =
                now.BytesTotal,
            Current = now.Current,
        }));
        var summary = await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = job.HostName,
            UserName = Environment.UserName,
            Tags = job.Tags,
            Excludes = job.Source.Files?.Excludes ?? [],
            CountFirst = true,
        }, progress, ct);
        foreach (var problem in summary.Missing.Take(MaximumLines)) reporter.Event(EventLevel.Warning, "backup.missing",
            $"{problem.Path}: {problem.Message}");
        foreach (var remark in summary.Remarks.Take(MaximumLines)) reporter.Event(EventLevel.Info, "backup.remark",
            $"{remark.Path}: {remark.Message}");
        reporter.Event(EventLevel.Info, "backup.snapshot", $"Snapshot {summary.SnapshotId.ToString()[..8]}: {summary.Files} files, "
            + $"{summary.Bytes} bytes, {summary.BytesNew} new, {summary.BytesStored} stored.");
        return new JobResult
        {
            Outcome = summary.IsComplete ? JobOutcome.Complete : JobOutcome.Incomplete,
            Backup = new BackupResult
            {
                SnapshotId = summary.SnapshotId.ToString(),
                ParentId = summary.ParentId?.ToString(),
                TakenAt = summary.Time,
                Files =
                    summary.Files,
                Folders = summary.Folders,
                FilesNew = summary.FilesNew,
                FilesChanged = summary.FilesChanged,
                Bytes = summary.Bytes,
                BytesNew = summary.BytesNew,
                BytesAdded = summary.BytesStored,
                Missing = JobRunner.Cut(summary.Missing),
                MissingCount = summary.Missing.Count,
                Seconds = summary.Duration.TotalSeconds,
            },
        };
    }

    /// <summary>Opens a source of this host.</summary>
    /// <exception cref="BadInputException">It is of a kind that this agent does not know.</exception>
    public static FileSource Open(SourceSpec spec) => spec is { Kind: SourceKind.Files, Files: { } files } ? FileSource.Open(files)
        : throw new BadInputException("source", $"The source kind {spec.Kind} is unknown to this agent.",
            "Install the agent of the node's version.");
}
