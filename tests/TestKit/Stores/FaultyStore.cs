using System.Runtime.CompilerServices;
using BackupDr.Storage;

namespace BackupDr.TestKit.Stores;

/// <summary>The operations of a store, for rules of <see cref="FaultyStore"/>.</summary>
public enum StoreVerb { Put, Read, Head, List, Delete }

/// <summary>A store that fails when its rule says so: before the operation reaches the store, or after it (the answer is lost).</summary>
public sealed class FaultyStore(IObjectStore inner) : IObjectStore
{
    int _calls;

    /// <summary>Asked before each operation with its running number from 1; an exception returned is thrown and nothing reaches the
    /// store.</summary>
    public Func<StoreVerb, string, int, Exception?> Before { get; set; } = (_, _, _) => null;

    /// <summary>Awaited before each put, read, head and delete, after <see cref="Before"/>.</summary>
    public Func<StoreVerb, string, CancellationToken, Task> Until { get; set; } = (_, _, _) => Task.CompletedTask;

    /// <summary>Asked after each operation; an exception returned is thrown though the store did the work.</summary>
    public Func<StoreVerb, string, int, Exception?> After { get; set; } = (_, _, _) => null;

    /// <summary>Operations so far.</summary>
    public int Calls => Volatile.Read(ref _calls);

    public string Url => inner.Url;

    public StoreAbilities Abilities => inner.Abilities;

    public int RequestsAtOnce => inner.RequestsAtOnce;

    public IObjectLocks? Locks => inner.Locks;

    public IObjectTiers? Tiers => inner.Tiers;

    public IObjectVersions? Versions => inner.Versions;

    public TimeSpan? ClockDifference => inner.ClockDifference;

    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
        => Guarded(StoreVerb.Put, name.Value, async () => { await inner.Put(name, content, ct); return true; }, ct);

    public Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct)
        => Guarded(StoreVerb.Read, name.Value, async () => { await inner.Read(name, offset, target, ct); return true; }, ct);

    public Task<StoredObject?> Head(ObjectName name, CancellationToken ct)
        => Guarded(StoreVerb.Head, name.Value, () => inner.Head(name, ct), ct);

    public async IAsyncEnumerable<StoredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        var call = Interlocked.Increment(ref _calls);
        if (Before(StoreVerb.List, folder, call) is { } early) throw early;
        await foreach (var found in inner.List(folder, ct)) yield return found;
        if (After(StoreVerb.List, folder, call) is { } late) throw late;   // a listing that breaks off at its end
    }

    public Task<bool> Delete(ObjectName name, CancellationToken ct)
        => Guarded(StoreVerb.Delete, name.Value, () => inner.Delete(name, ct), ct);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    async Task<T> Guarded<T>(StoreVerb verb, string what, Func<Task<T>> work, CancellationToken ct)
    {
        var call = Interlocked.Increment(ref _calls);
        if (Before(verb, what, call) is { } early) throw early;
        await Until(verb, what, ct);
        var answer = await work();
        if (After(verb, what, call) is { } late) throw late;
        return answer;
    }
}
