using System.Runtime.CompilerServices;

namespace BackupDr.Storage.Layers;

/// <summary>How often and how long <see cref="RetryingStore"/> tries.</summary>
public sealed record RetryOptions
{
    /// <summary>Upper bound of the first pause; each further one doubles it. Default 500 ms.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Upper bound of any pause. Default 30 s.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Time from the first failure after which an operation is given up. Default 15 min.</summary>
    public TimeSpan Budget { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>A smaller budget until the place has answered once; null for none.</summary>
    public FirstContact? FirstContact { get; init; }

    /// <summary>Told before each pause. Called from any thread.</summary>
    public Action<Repetition>? Repeating { get; init; }
}

/// <summary>An operation failed and is tried again.</summary>
/// <param name="Failure">The last one.</param>
/// <param name="Lasted">Time since the first one.</param>
/// <param name="Left">Time until it is given up.</param>
public readonly record struct Repetition(StoreException Failure, TimeSpan Lasted, TimeSpan Left);

/// <summary>Whether a place has answered yet. One that never did is more likely written wrong than down for a moment, and nothing is lost
/// yet by giving it up.</summary>
/// <param name="budget">Time from the first failure after which a place that never answered is given up.</param>
public sealed class FirstContact(TimeSpan budget)
{
    volatile bool _hasAnswered;

    /// <summary>Time from the first failure after which a place that never answered is given up.</summary>
    public TimeSpan Budget => budget;

    /// <summary>Whether it did.</summary>
    public bool HasAnswered => _hasAnswered;

    /// <summary>It did.</summary>
    public void Answered() => _hasAnswered = true;
}

/// <summary>Repeats what failed for a passing reason, with full jitter, until a budget is used up. The only layer that retries.</summary>
/// <remarks>
/// Only faults that are transient by kind are repeated. A put that is told "exists" reads the object back: when the bytes are ours, an
/// earlier try did arrive and only its answer was lost, or something on the way sent it twice. A listing is started again only while
/// nothing of it was handed out; stores whose pages fail on their own repeat a page themselves.
/// </remarks>
public sealed class RetryingStore : IObjectStore
{
    readonly IObjectStore _inner;
    readonly RetryOptions _options;
    readonly TimeProvider _clock;

    /// <param name="inner">The store underneath; disposed with this one.</param>
    /// <param name="options">How often and how long.</param>
    /// <param name="clock">For pauses and the budget.</param>
    public RetryingStore(IObjectStore inner, RetryOptions options, TimeProvider clock)
        => (_inner, _options, _clock) = (inner, options, clock);

    /// <inheritdoc/>
    public string Url => _inner.Url;

    /// <inheritdoc/>
    public int RequestsAtOnce => _inner.RequestsAtOnce;

    /// <inheritdoc/>
    public StoreAbilities Abilities => _inner.Abilities;

    /// <inheritdoc/>
    public IObjectLocks? Locks => _inner.Locks is { } locks ? new RetryingLocks(locks, this) : null;

    /// <inheritdoc/>
    public IObjectTiers? Tiers => _inner.Tiers is { } tiers ? new RetryingTiers(tiers, this) : null;

    /// <inheritdoc/>
    public IObjectVersions? Versions => _inner.Versions is { } versions ? new RetryingVersions(versions, this) : null;

    /// <inheritdoc/>
    public TimeSpan? ClockDifference => _inner.ClockDifference;

    /// <inheritdoc/>
    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        return Retry(async () =>
        {
            try { await _inner.Put(name, content, ct); }
            catch (StoreException e) when (e.Fault == StoreFault.Exists)
            {
                if (!await Holds(name, content, ct)) throw;
            }
            return true;
        }, ct);
    }

    /// <inheritdoc/>
    public Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct)
        => Retry(async () => { await _inner.Read(name, offset, target, ct); return true; }, ct);

    /// <inheritdoc/>
    public Task<StoredObject?> Head(ObjectName name, CancellationToken ct) => Retry(() => _inner.Head(name, ct), ct);

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        IAsyncEnumerator<StoredObject>? listing = null;
        try
        {
            var more = await Retry(async () =>
            {
                if (listing is not null) await listing.DisposeAsync();
                listing = _inner.List(folder, ct).GetAsyncEnumerator(ct);
                return await listing.MoveNextAsync();
            }, ct);
            for (; more; more = await listing!.MoveNextAsync()) yield return listing!.Current;
        }
        finally
        {
            if (listing is not null) await listing.DisposeAsync();
        }
    }

    /// <inheritdoc/>
    public Task<bool> Delete(ObjectName name, CancellationToken ct)
    {
        var failedBefore = false;
        return Retry(async () =>
        {
            // After a failed try "it was not there" may mean that the first one worked: what the caller wanted is so either way.
            try { return await _inner.Delete(name, ct) || failedBefore; }
            catch (StoreException e) when (e.IsTransient) { failedBefore = true; throw; }
        }, ct);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    async Task<bool> Holds(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        if (await _inner.Head(name, ct) is not { } found || found.SizeBytes != content.Length) return false;
        var stored = new byte[content.Length];
        await _inner.Read(name, 0, stored, ct);
        return stored.AsSpan().SequenceEqual(content.Span);
    }

    Task<T> Retry<T>(Func<Task<T>> attempt, CancellationToken ct) => Retries.Run(attempt, _options, _clock, ct);

    sealed class RetryingLocks(IObjectLocks inner, RetryingStore store) : IObjectLocks
    {
        public RetentionRule? Rule => inner.Rule;

        public Task<Retention?> Of(ObjectName name, CancellationToken ct) => store.Retry(() => inner.Of(name, ct), ct);

        public Task Retain(ObjectName name, Retention retention, CancellationToken ct)
            => store.Retry(async () => { await inner.Retain(name, retention, ct); return true; }, ct);

        public Task<bool> IsHeld(ObjectName name, CancellationToken ct) => store.Retry(() => inner.IsHeld(name, ct), ct);

        public Task Hold(ObjectName name, bool held, CancellationToken ct)
            => store.Retry(async () => { await inner.Hold(name, held, ct); return true; }, ct);
    }

    sealed class RetryingTiers(IObjectTiers inner, RetryingStore store) : IObjectTiers
    {
        public IAsyncEnumerable<TieredObject> List(string folder, CancellationToken ct) => inner.List(folder, ct);   // pages retry

        public Task<ObjectTier> Of(ObjectName name, CancellationToken ct) => store.Retry(() => inner.Of(name, ct), ct);

        public Task Move(ObjectName name, string storageClass, CancellationToken ct)
            => store.Retry(async () => { await inner.Move(name, storageClass, ct); return true; }, ct);

        public Task Thaw(ObjectName name, int days, CancellationToken ct)
            => store.Retry(async () => { await inner.Thaw(name, days, ct); return true; }, ct);
    }

    sealed class RetryingVersions(IObjectVersions inner, RetryingStore store) : IObjectVersions
    {
        public IAsyncEnumerable<ListedVersion> List(string folder, CancellationToken ct) => inner.List(folder, ct);   // pages retry

        public Task<DateTimeOffset?> KeptUntil(ObjectName name, string version, CancellationToken ct)
            => store.Retry(() => inner.KeptUntil(name, version, ct), ct);

        public Task<IReadOnlyList<ObjectVersion>> Of(ObjectName name, CancellationToken ct) => store.Retry(() => inner.Of(name, ct), ct);

        public Task Remove(ObjectName name, string version, CancellationToken ct)
            => store.Retry(async () => { await inner.Remove(name, version, ct); return true; }, ct);
    }
}
