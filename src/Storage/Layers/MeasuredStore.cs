using System.Runtime.CompilerServices;

namespace BackupDr.Storage.Layers;

/// <summary>Lets requests through a gate and counts them, each try for itself: it lies below the layer that retries.</summary>
/// <remarks>A listing is one request at a time by nature and its pages are the store's own, so that it does not wait at the gate.</remarks>
public sealed class MeasuredStore : IObjectStore
{
    readonly IObjectStore _inner;
    readonly StoreCounters _counters;
    readonly RequestGate _gate;
    readonly TimeProvider _clock;

    /// <param name="inner">The store underneath; disposed with this one.</param>
    /// <param name="counters">Counts.</param>
    /// <param name="gate">Of this place; shared by all who go there.</param>
    /// <param name="clock">Measures.</param>
    public MeasuredStore(IObjectStore inner, StoreCounters counters, RequestGate gate, TimeProvider clock)
    {
        (_inner, _counters, _gate, _clock) = (inner, counters, gate, clock);
        Locks = inner.Locks is { } locks ? new MeasuredLocks(locks, this) : null;
        Tiers = inner.Tiers is { } tiers ? new MeasuredTiers(tiers, this) : null;
        Versions = inner.Versions is { } versions ? new MeasuredVersions(versions, this) : null;
    }

    /// <inheritdoc/>
    public string Url => _inner.Url;

    /// <inheritdoc/>
    public StoreAbilities Abilities => _inner.Abilities;

    /// <inheritdoc/>
    public int RequestsAtOnce => _inner.RequestsAtOnce;

    /// <inheritdoc/>
    public IObjectLocks? Locks { get; }

    /// <inheritdoc/>
    public IObjectTiers? Tiers { get; }

    /// <inheritdoc/>
    public IObjectVersions? Versions { get; }

    /// <inheritdoc/>
    public TimeSpan? ClockDifference => _inner.ClockDifference;

    /// <inheritdoc/>
    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
        => Do(RequestVerb.Put, content.Length, () => _inner.Put(name, content, ct), ct);

    /// <inheritdoc/>
    public Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct)
        => Do(RequestVerb.Read, target.Length, () => _inner.Read(name, offset, target, ct), ct);

    /// <inheritdoc/>
    public Task<StoredObject?> Head(ObjectName name, CancellationToken ct) => Do(RequestVerb.Head, 0, () => _inner.Head(name, ct), ct);

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var listing = _inner.List(folder, ct).GetAsyncEnumerator(ct);
        var took = TimeSpan.Zero;
        StoreFault? fault = null;
        try
        {
            while (true)
            {
                var begun = _clock.GetTimestamp();
                bool isMore;
                try { isMore = await listing.MoveNextAsync(); }
                catch (StoreException e)
                {
                    fault = e.Fault;
                    throw;
                }
                finally { took += _clock.GetElapsedTime(begun); }
                if (!isMore) yield break;
                yield return listing.Current;
            }
        }
        finally { _counters.Add(RequestVerb.List, 0, took, fault); }
    }

    /// <inheritdoc/>
    public Task<bool> Delete(ObjectName name, CancellationToken ct) => Do(RequestVerb.Delete, 0, () => _inner.Delete(name, ct), ct);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    Task Do(RequestVerb verb, long bytes, Func<Task> request, CancellationToken ct)
        => Do(verb, bytes, async () => { await request(); return true; }, ct);

    Task<T> Do<T>(RequestVerb verb, long bytes, Func<Task<T>> request, CancellationToken ct) => _gate.Run(async () =>
    {
        var begun = _clock.GetTimestamp();
        StoreFault? fault = null;
        var isDone = false;
        try
        {
            var answer = await request();
            isDone = true;
            return answer;
        }
        catch (StoreException e)
        {
            fault = e.Fault;
            throw;
        }
        finally { _counters.Add(verb, isDone ? bytes : 0, _clock.GetElapsedTime(begun), fault); }
    }, ct);

    sealed class MeasuredLocks(IObjectLocks inner, MeasuredStore store) : IObjectLocks
    {
        public RetentionRule? Rule => inner.Rule;

        public Task<Retention?> Of(ObjectName name, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.Of(name, ct), ct);

        public Task Retain(ObjectName name, Retention retention, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.Retain(name, retention, ct), ct);

        public Task<bool> IsHeld(ObjectName name, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.IsHeld(name, ct), ct);

        public Task Hold(ObjectName name, bool held, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.Hold(name, held, ct), ct);
    }

    sealed class MeasuredTiers(IObjectTiers inner, MeasuredStore store) : IObjectTiers
    {
        public IAsyncEnumerable<TieredObject> List(string folder, CancellationToken ct) => inner.List(folder, ct);

        public Task<ObjectTier> Of(ObjectName name, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.Of(name, ct), ct);

        public Task Move(ObjectName name, string storageClass, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.Move(name, storageClass, ct), ct);

        public Task Thaw(ObjectName name, int days, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.Thaw(name, days, ct), ct);
    }

    sealed class MeasuredVersions(IObjectVersions inner, MeasuredStore store) : IObjectVersions
    {
        public IAsyncEnumerable<ListedVersion> List(string folder, CancellationToken ct) => inner.List(folder, ct);

        public Task<DateTimeOffset?> KeptUntil(ObjectName name, string version, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.KeptUntil(name, version, ct), ct);

        public Task<IReadOnlyList<ObjectVersion>> Of(ObjectName name, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.Of(name, ct), ct);

        public Task Remove(ObjectName name, string version, CancellationToken ct)
            => store.Do(RequestVerb.Other, 0, () => inner.Remove(name, version, ct), ct);
    }
}
