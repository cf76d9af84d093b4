using System.Globalization;
using BackupDr.Agent.Clusters;
using BackupDr.Agent.Leasing;
using BackupDr.Agent.MariaDb;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Tiers;
using BackupDr.Sources.Files;

namespace BackupDr.Agent.Jobs;

/// <summary>Puts a snapshot, or parts of it, into a folder of this host; absolute paths are made again below it.</summary>
static class RestoreJobRun
{
    const int MaximumLines = 100;

    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, RestoreJob job, AgentState state, RunReporter reporter,
        CancellationToken ct)
    {
        using var repository = await jobs.OpenToRead(run, reporter, ct);
        if (job.Cluster is not null || job.MariaDb is not null)
        {
            try
            {
                return job.Cluster is { } cluster
                    ? cluster.OnlyLooks || cluster.Part is not null
                        ? await ClusterPartRun.Run(repository, run.RunId, job, cluster, Thaw(job.Thaw), state, reporter, ct)
                        : await ClusterRestoreRun.Run(repository, job, cluster, Thaw(job.Thaw), reporter, ct)
                    : await MariaDbRestoreRun.Run(repository, run.RunId, job, job.MariaDb!, Thaw(job.Thaw), state, reporter, ct);
            }
            catch (RepositoryException e) when (e is { Archived: { } space }) { return NotThawed(e, space, reporter); }
        }
        var snapshot = await repository.FindSnapshot(job.SnapshotId, SnapshotFilter.All, ct);
        using var target = FileTarget.Open(job.Target, job.Overwrite);
        reporter.Event(EventLevel.Info, "restore.begin", $"Restoring snapshot {snapshot.ShortId} to {job.Target}.");
        RestoreSummary summary;
        try
        {
            summary = await RestoreRun.Execute(repository, snapshot, RestoreRequest.Of(job.Paths) with { Thaw = Thaw(job.Thaw) }, target,
                Progress(reporter, "restoring"), ct);
        }
        catch (RepositoryException e) when (e is { Archived: { } space }) { return NotThawed(e, space, reporter); }
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

    static ThawRequest Thaw(ThawConsent? consent) => consent is null ? new ThawRequest()
        : new ThawRequest { Thaws = true, Days = consent.Days, PriceOfGiB = consent.PriceOfGiB };

    /// <summary>Packs that are not thawed end the restore, or put it off where their thaw was asked for.</summary>
    static JobResult NotThawed(RepositoryException why, ArchivedSpace space, RunReporter reporter)
    {
        var isAsked = why.Fault == RepositoryFault.Thawing;
        reporter.Event(EventLevel.Info, "restore.thaw", why.Message);
        return new JobResult
        {
            Outcome = isAsked ? JobOutcome.Waiting : JobOutcome.Failed,
            Error = isAsked ? null : new JobError(why.Code, why.Message, "Choose 'Thaw and restore'.", false),
            Archived = new ArchivedPacks
            {
                Packs = space.Packs,
                Thawing = isAsked ? space.Packs : space.Thawing,
                Bytes = space.Bytes,
                Classes = space.Classes,
                Time = space.Time,
                Cost = space.Cost,
                Words = space.Words(Size),
            },
        };
    }

    static string Size(long bytes) => bytes < 1 << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0.0} MiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 30):0.0} GiB");

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
