using System.Collections.Concurrent;
using BackupDr.Contracts;
using BackupDr.Storage;

namespace BackupDr.Scheduler.Gateway;

/// <summary>How large repositories are, for their quotas: listed once an hour, counted in between.</summary>
/// <remarks>Several nodes count for themselves, so a repository may pass its quota by what comes in by the others in that hour.</remarks>
public sealed class GatewayUsage(TimeProvider clock)
{
    static readonly TimeSpan ListAgain = TimeSpan.FromHours(1);

    sealed class Counter
    {
        public Task<long>? Listing;
        public long ListedAt;
        public long Added;
    }

    readonly ConcurrentDictionary<RepositoryId, Counter> _counters = new();

    /// <summary>Bytes that the repository holds now.</summary>
    public async Task<long> Of(RepositoryId repository, IObjectStore store, CancellationToken ct)
    {
        var counter = _counters.GetOrAdd(repository, _ => new Counter());
        Task<long> listing;
        lock (counter)
        {
            if (counter.Listing is null or { IsFaulted: true } || clock.GetElapsedTime(counter.ListedAt) > ListAgain)
            {
                // Several wait for it, so it does not end with the one that asked first.
                (counter.Listing, counter.ListedAt) = (Sum(store, CancellationToken.None), clock.GetTimestamp());
                Interlocked.Exchange(ref counter.Added, 0);
            }
            listing = counter.Listing;
        }
        return await listing.WaitAsync(ct) + Interlocked.Read(ref counter.Added);
    }

    /// <summary>Something was added.</summary>
    public void Added(RepositoryId repository, long bytes)
    {
        if (_counters.TryGetValue(repository, out var counter)) Interlocked.Add(ref counter.Added, bytes);
    }

    static async Task<long> Sum(IObjectStore store, CancellationToken ct)
    {
        var bytes = 0L;
        try
        {
            await foreach (var found in store.List("", ct)) bytes += found.SizeBytes;
        }
        catch (StoreException e) when (e.Fault == StoreFault.Unusable) { return 0; }   // the folder is made by the first put
        return bytes;
    }
}
