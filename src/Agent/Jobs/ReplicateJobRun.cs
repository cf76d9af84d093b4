using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine.Replicas;

namespace BackupDr.Agent.Jobs;

/// <summary>Brings all places of a repository to the same state. The control plane says which places there are, so an empty one is
/// filled, the repository's own too.</summary>
static class ReplicateJobRun
{
    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, ReplicateJob job, RunReporter reporter, CancellationToken ct)
    {
        var clock = TimeProvider.System;
        var begun = clock.GetTimestamp();
        var places = jobs.Places(run);
        try
        {
            using var password = Secret.FromText(run.Job.Repository.Password);
            var summary = await Replication.Execute([.. places.Select(place => place.Store)], password, jobs.Telling(run, reporter),
                new ReplicationRequest
                {
                    ReadsData = job.ReadData,
                    RefillsFirst = true,
                    AddsOnly = job.AddsOnly,
                    Progress = Progress(reporter),
                }, ct);
            foreach (var place in summary.Places) Tell(reporter, place);
            foreach (var problem in summary.Damaged.Take(100))
                reporter.Event(EventLevel.Error, "replica.damaged", $"{problem.Path}: {problem.Message}");
            return new JobResult
            {
                Outcome = summary.IsEqual ? JobOutcome.Complete : JobOutcome.Incomplete,
                Replicate = new ReplicateResult
                {
                    Places = [.. places.Zip(summary.Places, (place, done) => Result(place.Location, done))],
                    Damaged = [.. summary.Damaged.Take(1000).Select(problem => $"{problem.Path}: {problem.Message}")],
                    Seconds = clock.GetElapsedTime(begun).TotalSeconds,
                },
            };
        }
        finally
        {
            foreach (var (_, store) in places) await store.DisposeAsync();
        }
    }

    static ReplicatedPlaceResult Result(LocationId? location, ReplicatedPlace done) => new()
    {
        Location = location ?? throw new BadInputException("job", "The job does not say in which location the repository is.",
            "Install the node of the agent's version."),
        Problem = done.Problem ?? done.NotRemoved,
        WasEmpty = done.WasEmpty,
        Objects = done.Objects,
        Bytes = done.Bytes,
        Healed = done.Healed,
        Removed = done.Removed,
        Snapshots = done.Problem is null ? [.. done.Snapshots.Select(id => id.ToString())] : null,
    };

    static void Tell(RunReporter reporter, ReplicatedPlace place)
    {
        if (place.Problem is { } problem)
        {
            reporter.Event(EventLevel.Warning, "replica.absent", $"{place.Url} was not used: {problem}");
            return;
        }
        reporter.Event(place.WasEmpty || place.Healed > 0 ? EventLevel.Warning : EventLevel.Info, "replica.done",
            $"{place.Url}{(place.WasEmpty ? " was empty," : "")} got {place.Objects} objects, {place.Bytes} bytes; "
            + $"{place.Healed} damaged ones are right again, {place.Removed} were removed; {place.Snapshots.Count} snapshots.");
        if (place.NotRemoved is { } left) reporter.Event(EventLevel.Warning, "replica.later", $"{place.Url}: {left}");
    }

    static IProgress<ReplicationProgress> Progress(RunReporter reporter)
        => new JobRunner.Direct<ReplicationProgress>(now => reporter.Progress(new JobProgress
        {
            Phase = "replicating",
            FilesDone = now.ObjectsDone,
            FilesTotal = now.ObjectsTotal,
            BytesDone = now.BytesDone,
            BytesTotal = now.BytesTotal,
        }));
}
