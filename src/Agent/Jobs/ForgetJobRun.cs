using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.MariaDb;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Agent.Jobs;

/// <summary>Removes the snapshots that the node names, at the repository's own place; a replication carries that to the others. One that
/// was stopped is continued by the next: what is gone is gone.</summary>
static class ForgetJobRun
{
    const int AtOnce = 50;

    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, ForgetJob job, RunReporter reporter, CancellationToken ct)
    {
        var begun = TimeProvider.System.GetTimestamp();
        using var repository = await jobs.Open(run, reporter, ct);
        List<BlobId> ids = [.. job.Snapshots.Select(Id)];
        reporter.Event(EventLevel.Info, "forget.begin", $"Removing {ids.Count} snapshots from {repository.Store.Url}.");
        var retained = await Forget.Retained(repository, ids, ct);
        var (removed, gone) = (0, new List<string>());
        foreach (var part in ids.Chunk(AtOnce))
        {
            removed += await Forget.Remove(repository, part, ct);
            gone.AddRange(part.Select(id => id.ToString()));
            reporter.Progress(new JobProgress { Phase = "forgetting", FilesDone = gone.Count, FilesTotal = ids.Count });
        }
        var logs = 0;
        foreach (var cluster in job.Clusters ?? []) logs += await Logs(repository, "cluster " + cluster, Needless(cluster), reporter, ct);
        foreach (var server in job.Servers ?? []) logs += await Logs(repository, "server " + server, NeedlessOf(server), reporter, ct);
        reporter.Event(EventLevel.Info, "forget.done", $"Removed {removed} snapshots; {ids.Count - removed} were gone already. "
            + (retained.Last is { } until ? $"{retained.Objects} of them are locked: the store keeps them, hidden, until {until:u}." : ""));
        return new JobResult
        {
            Outcome = JobOutcome.Complete,
            Forget = new ForgetResult
            {
                Gone = gone,
                Removed = removed,
                LogsRemoved = logs,
                LockedUntil = retained.Last,
                Seconds = TimeProvider.System.GetElapsedTime(begun).TotalSeconds,
            },
        };
    }

    /// <summary>Removes the log of a database server before its oldest base backup. Which base backups stay is not decided here.</summary>
    static async Task<int> Logs(Repository repository, string whose, Func<Repository, CancellationToken, Task<List<string>>> needless,
        RunReporter reporter, CancellationToken ct)
    {
        List<string> logs;
        try { logs = await needless(repository, ct); }
        catch (NotFoundException e)   // no base backup is left, so nothing says which log could go
        {
            reporter.Event(EventLevel.Info, "forget.log", e.Message);
            return 0;
        }
        if (logs.Count == 0) return 0;
        var removed = await Forget.Remove(repository, [.. logs.Select(Id)], ct);
        reporter.Event(EventLevel.Info, "forget.log", $"Removed {removed} snapshots of the log of {whose}: they lie before its oldest base "
            + "backup.");
        return removed;
    }

    static Func<Repository, CancellationToken, Task<List<string>>> Needless(string cluster) => async (repository, ct) =>
    {
        var set = await RecoverySet.Load(repository, cluster, ct);
        List<BaseBackup> all = [.. set.Bases.Select(each => each with { IsSound = true })];
        var plan = ClusterRetention.Plan(all, set.Logs, all.Count, null, TimeProvider.System.GetUtcNow(), set.Log.SegmentBytes);
        return [.. plan.Logs.Select(log => log.Id)];
    };

    static Func<Repository, CancellationToken, Task<List<string>>> NeedlessOf(string server) => async (repository, ct) =>
    {
        var set = await MariaDbRecoverySet.Load(repository, server, ct);
        return [.. MariaDbRetention.Plan(set.Bases, set.Logs, set.Bases.Count, null, TimeProvider.System.GetUtcNow()).Logs];
    };

    static BlobId Id(string text) => BlobId.TryParse(text, out var id) ? id
        : throw new BadInputException("snapshots", $"'{text}' is no id of a snapshot.", "Install the node of the agent's version.");
}
