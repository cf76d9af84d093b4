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
/// A place that does not answer is left alone while others do, and looked after beside the work, so that a dead region costs its time-out
/// once and not for each object (ReplicatedStore.Standing.cs). Each place has its own retries underneath; give all but the last short ones.
/// Source: docs/format/restic-v2.md, F-13.
/// </remarks>
public sealed partial class ReplicatedStore : IObjectStore
{
    readonly Place[] _places;
    readonly ReplicaUse _use;
    readonly TimeProvider _clock;
    readonly SemaphoreSlim _healing = new(1);
    readonly Dictionary<ObjectName, Place> _answered = [];   // by whom, where the first place is known not to be able to
    readonly List<HealedObject> _healed = [];

    ReplicatedStore(Place[] places, ReplicaUse use, TimeProvider clock, Action<PlaceNews>? tell)
        => (_places, _use, _clock, _tell) = (places, use, clock, tell);

    /// <summary>Looks at all places at once which of them hold the repository. One that is silent for <see cref="Patience"/> after
    /// another one answered is passed over, and comes in when it answers after all.</summary>
    /// <param name="places">The first is the primary; at least one. Owned by the store that is made, and by the caller where none
    /// is.</param>
    /// <param name="use">What for.</param>
    /// <param name="clock">For the patience with places, and the rest of those that failed.</param>
    /// <param name="ct">Cancels.</param>
    /// <param name="tell">Told which place is passed over and why, and which one is back; from any thread.</param>
    /// <exception cref="StoreException">No place that answers has it and others do not answer: each is named with its reason. Or the first
    /// does not answer and is to be written.</exception>
    public static async Task<ReplicatedStore> Open(IReadOnlyList<IObjectStore> places, ReplicaUse use, TimeProvider clock,
        CancellationToken ct, Action<PlaceNews>? tell = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(places.Count);
        var made = new ReplicatedStore([.. places.Select(store => new Place(store))], use, clock, tell);
        await made.LookAtAll(ct);
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
        var places = ToAsk(name);
        for (var at = 0; at < places.Count || await HearTheRest(places, ct); at++)
        {
            var (place, wasAway) = (places[at], places[at].Standing == Standing.Away);
            try
            {
                await place.Store.Read(name, offset, target, ct);
                if (wasAway) Stands(place, Standing.Here, null);
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
        var places = _use == ReplicaUse.Write ? [_places[0]] : ToAsk(name);
        for (var at = 0; at < places.Count || (_use == ReplicaUse.Read && await HearTheRest(places, ct)); at++)
        {
            var place = places[at];
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
            foreach (var place in _places.Where(place => place.Standing == Standing.Here))
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
        await StopLooking();
        foreach (var place in _places) await place.Store.DisposeAsync();
        _healing.Dispose();
    }
}
