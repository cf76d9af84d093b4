using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;

namespace BackupDr.Engine.Replicas;

/// <summary>What a repository that has several places is opened for.</summary>
public enum ReplicaUse
{
    /// <summary>Everything that any place holds is seen: the way to restore when a place is gone, empty or older.</summary>
    Read,
    /// <summary>Only what the first place holds counts as stored, so that it stays complete by itself; others answer what it
    /// cannot.</summary>
    Write,
}

/// <summary>An object that one place had not, or not rightly, and that another place answered for.</summary>
/// <param name="Name">Which.</param>
/// <param name="Place">The place that failed.</param>
/// <param name="Problem">What was wrong there, and whether it is right now.</param>
/// <param name="From">The place that had it.</param>
public sealed record HealedObject(ObjectName Name, string Place, string Problem, string From);

/// <summary>One repository in several places. What cannot be read at one is read at the next; a bad copy is put right.</summary>
/// <remarks>
/// A place that does not answer is left alone for <see cref="Rest"/>, so that a dead region costs its time-out once and not for
/// each object. Each place has its own retries underneath; give all but the last short ones. Source: docs/format/restic-v2.md, F-13.
/// </remarks>
public sealed partial class ReplicatedStore : IObjectStore
{
    /// <summary>How long a place that failed is not asked while others answer.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);

    sealed class Place(IObjectStore store)
    {
        public IObjectStore Store { get; } = store;
        public long? DownSince { get; set; }
        public string? Problem { get; set; }
    }

    readonly Place[] _places;
    readonly ReplicaUse _use;
    readonly TimeProvider _clock;
    readonly SemaphoreSlim _healing = new(1);
    readonly Dictionary<ObjectName, Place> _answered = [];   // by whom, where the first place is known not to be able to
    readonly List<HealedObject> _healed = [];

    ReplicatedStore(Place[] places, ReplicaUse use, TimeProvider clock) => (_places, _use, _clock) = (places, use, clock);

    /// <summary>Looks which of the places hold the repository.</summary>
    /// <param name="places">The first is the primary; at least one. Owned by the store that is made.</param>
    /// <param name="use">What for.</param>
    /// <param name="clock">For the rest of places that failed.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="StoreException">No place answers, or the first does not and is to be written.</exception>
    public static async Task<ReplicatedStore> Open(IReadOnlyList<IObjectStore> places, ReplicaUse use, TimeProvider clock,
        CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfZero(places.Count);
        var made = new ReplicatedStore([.. places.Select(store => new Place(store))], use, clock);
        await made.LookForConfig(ct);
        return made;
    }

    /// <inheritdoc/>
    public string Url => _places[0].Store.Url;

    /// <inheritdoc/>
    public int RequestsAtOnce => _places.Max(place => place.Store.RequestsAtOnce);

    /// <summary>Places that could not be used, or have not got the repository, and why.</summary>
    public IReadOnlyList<(string Place, string Problem)> Absent
        => [.. _places.Where(place => place.Problem is not null).Select(place => (place.Store.Url, place.Problem!))];

    /// <summary>What other places answered for, in the order in which it was found.</summary>
    public IReadOnlyList<HealedObject> Healed
    {
        get { lock (_healed) return [.. _healed]; }
    }

    async Task LookForConfig(CancellationToken ct)
    {
        StoreException? first = null;
        var found = 0;
        var empty = new List<Place>();
        foreach (var place in _places)
        {
            try
            {
                if (await place.Store.Head(ObjectLayout.Config, ct) is null) empty.Add(place);
                else found++;
            }
            catch (StoreException e) when (e.Fault == StoreFault.Missing) { empty.Add(place); }
            catch (StoreException e)
            {
                if (_use == ReplicaUse.Write && place == _places[0]) throw;
                first ??= e;
                Rests(place, e);
            }
        }
        // Where nobody has it, opening the repository says so in its own words.
        if (found == 0 && empty.Count == 0) throw first!;
        if (found == 0) return;
        foreach (var place in empty)
        {
            place.Problem = "there is no repository there";
            place.DownSince = long.MaxValue;
        }
    }

    void Rests(Place place, StoreException e)
    {
        place.Problem = e.Message;
        place.DownSince = _clock.GetTimestamp();
    }

    bool IsResting(Place place) => place.DownSince is { } since && (since == long.MaxValue || _clock.GetElapsedTime(since) < Rest);

    /// <summary>Those that are worth asking, the one that answered for this object before first; all where none is.</summary>
    IReadOnlyList<Place> ToAsk(ObjectName? name = null)
    {
        var awake = _places.Where(place => !IsResting(place)).ToList();
        if (awake.Count == 0) return [.. _places.Where(place => place.DownSince != long.MaxValue)];
        lock (_healed)
            if (name is { } known && _answered.TryGetValue(known, out var able) && awake.Remove(able)) awake.Insert(0, able);
        return awake;
    }

    /// <inheritdoc/>
    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
        => _use == ReplicaUse.Write ? _places[0].Store.Put(name, content, ct)
            : OnAll(async store => { await store.Put(name, content, ct); return true; });

    /// <inheritdoc/>
    public Task<bool> Delete(ObjectName name, CancellationToken ct)
        => _use == ReplicaUse.Write ? _places[0].Store.Delete(name, ct) : OnAll(store => store.Delete(name, ct));

    /// <summary>Locks of a reader: at every place that answers, at least one.</summary>
    async Task<bool> OnAll(Func<IObjectStore, Task<bool>> act)
    {
        StoreException? first = null;
        var (done, any) = (0, false);
        foreach (var place in ToAsk())
        {
            try
            {
                any |= await act(place.Store);
                done++;
            }
            catch (StoreException e)
            {
                first ??= e;
                if (e.Fault != StoreFault.Exists) Rests(place, e);
            }
        }
        return done > 0 ? any : throw first!;
    }

    /// <inheritdoc/>
    public async Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct)
    {
        StoreException? first = null;
        Place? failed = null;
        foreach (var place in ToAsk(name))
        {
            try
            {
                await place.Store.Read(name, offset, target, ct);
                if (failed is not null) await Answered(name, failed, place, first!, ct);
                return;
            }
            catch (StoreException e)
            {
                if (first is null) (first, failed) = (e, place);
                if (IsOfThePlace(e)) Rests(place, e);
            }
        }
        throw first!;
    }

    static bool IsOfThePlace(StoreException e)
        => e.Fault is StoreFault.Unavailable or StoreFault.Throttled or StoreFault.Denied or StoreFault.Unusable;

    async Task Answered(ObjectName name, Place failed, Place able, StoreException why, CancellationToken ct)
    {
        if (IsOfThePlace(why)) return;   // nothing is known of the object there
        lock (_healed) _answered[name] = able;
        if (why.Fault == StoreFault.Archived) return;   // nothing is wrong with it
        // Of index files and snapshots a place may lack some on purpose, or not have them yet: the mover brings those in their order.
        if (name.Value.StartsWith(ObjectLayout.Data + "/", StringComparison.Ordinal)) await Heal(name, ct);
        else Note(new HealedObject(name, failed.Store.Url, why.Message, able.Store.Url));
    }

    void Note(HealedObject one)
    {
        lock (_healed) _healed.Add(one);
    }

    /// <inheritdoc/>
    public async Task<StoredObject?> Head(ObjectName name, CancellationToken ct)
    {
        StoreException? first = null;
        var isAbsent = false;
        foreach (var place in _use == ReplicaUse.Write ? [_places[0]] : ToAsk(name))
        {
            try
            {
                if (await place.Store.Head(name, ct) is { } found) return found;
                isAbsent = true;
            }
            catch (StoreException e)
            {
                first ??= e;
                Rests(place, e);
            }
        }
        return isAbsent ? null : throw first!;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> List(string folder,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        if (_use == ReplicaUse.Write)
        {
            await foreach (var one in _places[0].Store.List(folder, ct)) yield return one;
            yield break;
        }
        StoreException? first = null;
        var (complete, seen) = (0, new HashSet<ObjectName>());
        foreach (var place in ToAsk())
        {
            await using var listing = place.Store.List(folder, ct).GetAsyncEnumerator(ct);
            while (true)
            {
                try
                {
                    if (!await listing.MoveNextAsync()) { complete++; break; }
                }
                catch (StoreException e)
                {
                    first ??= e;
                    Rests(place, e);
                    break;
                }
                if (seen.Add(listing.Current.Name)) yield return listing.Current;
            }
        }
        if (complete == 0) throw first!;
    }

    /// <summary>Looks at an object at every place that answers, and puts right copies in the place of wrong and missing ones.</summary>
    /// <param name="name">An object whose name is the hash of its bytes.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Whether there is a place now that reads it rightly.</returns>
    public async Task<bool> Heal(ObjectName name, CancellationToken ct)
    {
        if (!BlobId.TryParse(name.LastSegment, out var id)) return false;
        await _healing.WaitAsync(ct);
        try
        {
            var bad = new List<(Place Place, StoredObject? There, string Problem)>();
            (Place Place, byte[] Bytes)? right = null;
            foreach (var place in _places.Where(place => !IsResting(place)))
            {
                var (there, bytes, problem) = await Look(place, name, id, ct);
                if (problem is not null) bad.Add((place, there, problem));
                else if (bytes is not null && right is null) right = (place, bytes);
            }
            if (right is not { } copy) return false;
            foreach (var one in bad) await PutRight(name, one.Place, one.There, one.Problem, copy.Place, copy.Bytes, ct);
            return true;
        }
        finally { _healing.Release(); }
    }

    async Task<(StoredObject? There, byte[]? Bytes, string? Problem)> Look(Place place, ObjectName name, BlobId id, CancellationToken ct)
    {
        try
        {
            if (await place.Store.Head(name, ct) is not { } there) return (null, null, "it was missing");
            var bytes = await PackFile.Read(place.Store, there, ct);
            return PackFile.IsIntact(bytes, id) ? (there, bytes, null) : (there, null, "its bytes did not match its name");
        }
        catch (StoreException e) when (e.Fault is StoreFault.Missing or StoreFault.ShortRead) { return (null, null, e.Message); }
        catch (StoreException e)
        {
            Rests(place, e);
            return (null, null, null);
        }
        catch (RepositoryException e) { return (null, null, e.Message); }   // too large to be one
    }

    async Task PutRight(ObjectName name, Place place, StoredObject? there, string problem, Place from, byte[] bytes, CancellationToken ct)
    {
        try
        {
            if (there is { } old) await Trash.Move(place.Store, _clock, old, ct);
            await place.Store.Put(name, bytes, ct);
            Note(new HealedObject(name, place.Store.Url, $"{problem}; it is right again", from.Store.Url));
            lock (_healed) _answered.Remove(name);
        }
        catch (StoreException e)   // somebody who may only read: the bytes are had all the same, and the note says what to do
        {
            lock (_healed) _answered[name] = from;
            Note(new HealedObject(name, place.Store.Url, $"{problem}; it could not be replaced: {e.Message}", from.Store.Url));
        }
    }

    /// <summary>Closes all places.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var place in _places) await place.Store.DisposeAsync();
        _healing.Dispose();
    }
}
