using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Tiers;
using BackupDr.Storage;

namespace BackupDr.Agent.Jobs;

/// <summary>Moves packs into the classes that the rules of their locations name, one place after the other. One that was stopped is
/// continued by the next: what is moved lies there.</summary>
static class TierJobRun
{
    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, RunReporter reporter, CancellationToken ct)
    {
        var begun = TimeProvider.System.GetTimestamp();
        var access = run.Job.Repository;
        TierRule?[] rules = [access.Tier, .. (access.Replicas ?? []).Select(place => place.Tier)];
        var places = jobs.Places(run);
        var done = new List<TieredPlaceResult>();
        JobError? first = null;
        try
        {
            foreach (var ((location, store), rule) in places.Zip(rules))
            {
                if (rule is null || location is not { } id) continue;
                try { done.Add(await Move(jobs, run, id, store, rule, reporter, ct)); }
                catch (BackupDrException e)
                {
                    reporter.Event(EventLevel.Error, e.Code, $"{store.Url}: {e.Message}");
                    first ??= new JobError(e.Code, e.Message, e.Hint, e.IsTransient);
                    done.Add(new TieredPlaceResult { Location = id, Class = rule.Class, Problem = e.Message });
                }
            }
        }
        finally
        {
            foreach (var (_, store) in places) await store.DisposeAsync();
        }
        return new JobResult
        {
            Outcome = first is null ? JobOutcome.Complete : done.TrueForAll(place => place.Problem is not null) ? JobOutcome.Failed
                : JobOutcome.Incomplete,
            Error = first,
            Tier = new TierResult { Places = done, Seconds = TimeProvider.System.GetElapsedTime(begun).TotalSeconds },
        };
    }

    static async Task<TieredPlaceResult> Move(JobRunner jobs, LeasedRun run, LocationId location, IObjectStore store, TierRule rule,
        RunReporter reporter, CancellationToken ct)
    {
        using var repository = await jobs.Open(run, store, reporter, ct);
        reporter.Event(EventLevel.Info, "tier.begin",
            $"Moving packs in {store.Url} that are older than {rule.AfterDays} days to {rule.Class}.");
        var report = await TierRun.Execute(repository, new TierRequest(rule.Class, TimeSpan.FromDays(rule.AfterDays)),
            new JobRunner.Direct<TierProgress>(now => reporter.Progress(new JobProgress
            {
                Phase = "moving",
                FilesDone = now.Done,
                FilesTotal = now.Total,
                BytesDone = now.BytesDone,
                BytesTotal = now.BytesTotal,
            })), ct);
        reporter.Event(EventLevel.Info, "tier.done", $"Moved {report.Moved} packs, {report.MovedBytes} bytes, to {rule.Class}. Of the "
            + $"others {report.There} lie there already, {report.Young} are too young, of {report.Early} the least days of their class are "
            + $"not over, {report.Archived} would have to be thawed, {report.WithFolders} hold folders.");
        return new TieredPlaceResult
        {
            Location = location,
            Class = rule.Class,
            Moved = report.Moved,
            MovedBytes = report.MovedBytes,
            There = report.There,
            Young = report.Young,
            Early = report.Early,
            Archived = report.Archived,
            WithFolders = report.WithFolders,
        };
    }
}
