using System.Collections.Concurrent;
using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Gateway;

/// <summary>Puts refused deletions into the audit log: on a host that works as it should there are none.</summary>
/// <remarks>At most one entry a minute, repository and node, so that nobody can fill the log; it says how many there were since.</remarks>
public sealed class RefusedDeletes(Postgres db, TimeProvider clock)
{
    static readonly TimeSpan Between = TimeSpan.FromMinutes(1);

    sealed class Count
    {
        public long? NotedAt;
        public int Since;
    }

    readonly ConcurrentDictionary<RepositoryId, Count> _counts = new();

    /// <summary>Notes one.</summary>
    public async Task Note(Caller caller, RepositoryId repository, string what, CancellationToken ct)
    {
        var count = _counts.GetOrAdd(repository, _ => new Count());
        int since;
        lock (count)
        {
            count.Since++;
            if (count.NotedAt is { } at && clock.GetElapsedTime(at) < Between) return;
            (count.NotedAt, since, count.Since) = (clock.GetTimestamp(), count.Since, 0);
        }
        await using var tx = await db.Begin(ct);
        await Audit.Add(tx, caller, "gateway.delete_refused", repository.ToString(),
            $"{what}{(since > 1 ? $"; {since} refused since the last entry" : "")}, from {caller.Address}", ct);
        await tx.Commit(ct);
    }
}
