using BackupDr.Agent.Leasing;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine.Garbage;

namespace BackupDr.Agent.Jobs;

/// <summary>Gives back the space of what no snapshot needs, in two phases and within a budget, while backups go on. One that was stopped
/// leaves a whole repository; the next goes on.</summary>
static class PruneJobRun
{
    const int MostNamed = 20;

    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, PruneJob job, RunReporter reporter, CancellationToken ct)
    {
        var begun = TimeProvider.System.GetTimestamp();
        using var repository = await jobs.Open(run, reporter, ct);
        reporter.Event(EventLevel.Info, "prune.begin", $"Looking for what no snapshot in {repository.Store.Url} needs.");
        var report = await GarbageCollection.Execute(repository, new PruneRequest
        {
            MaximumRepackBytes = job.RepackBytes,
            MaximumRepackPacks = job.RepackPacks,
            MaximumRepackTime = job.Seconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        }, new JobRunner.Direct<PruneProgress>(now => reporter.Progress(new JobProgress
        {
            Phase = now.Step,
            FilesDone = now.Done,
            FilesTotal = now.Total == 0 ? null : now.Total,
        })), ct);
        Tell(reporter, report);
        return new JobResult
        {
            Outcome = JobOutcome.Complete,
            Prune = new PruneResult
            {
                Snapshots = report.Plan.Snapshots,
                RemovedPacks = report.RemovedPacks,
                RemovedBytes = report.RemovedBytes + report.HiddenBytes,
                RepackedPacks = report.RepackedPacks,
                LeftUnusedBytes = report.Plan.LeftUnusedBytes,
                WaitingPacks = report.WaitingPacks,
                WaitsFor = [.. report.WaitsFor.Take(MostNamed).Select(owner => owner.ToString())],
                IsCut = report.IsCut,
                LockedBytes = report.Locked.Bytes,
                LockedFirst = report.Locked.First,
                LockedLast = report.Locked.Last,
                ExtendedLocks = report.ExtendedLocks,
                Seconds = TimeProvider.System.GetElapsedTime(begun).TotalSeconds,
            },
        };
    }

    static void Tell(RunReporter reporter, PruneReport report)
    {
        reporter.Event(EventLevel.Info, "prune.done", $"{report.Plan.Snapshots} snapshots need {report.Plan.UsedBytes} bytes in "
            + $"{report.Plan.Packs} packs. Removed {report.RemovedPacks} packs, {report.RemovedBytes} bytes; rewrote "
            + $"{report.RepackedPacks}; {report.WaitingPacks} are marked and wait.");
        foreach (var owner in report.WaitsFor.Take(MostNamed)) reporter.Event(EventLevel.Info, "prune.waits", $"Waiting for {owner}.");
        if (report.IsCut) reporter.Event(EventLevel.Info, "prune.cut", "The budget ended before the work did; the next run goes on.");
        if (report.Locked.First is { } first)
            reporter.Event(EventLevel.Info, "prune.locked", $"{report.Locked.Bytes} bytes that nothing needs are locked: space returns "
                + $"from {first:u} on.");
        if (report.RescuedPacks > 0)
            reporter.Event(EventLevel.Info, "prune.rescued", $"{report.RescuedPacks} marked packs are needed again and stay.");
    }
}
