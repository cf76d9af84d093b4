using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Memory;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;

namespace BackupDr.Engine.Replicas;

/// <summary>Copies, rescues what a removal elsewhere would take from a snapshot, and removes what departed.</summary>
public sealed partial class Replication
{
    async Task CopyFolder(string folder, CancellationToken ct)
    {
        var work = Work(folder).ToList();
        await ParallelWork.Run(work, _options.Workers, async (one, token) =>
        {
            if (_request.IsPreview)
                foreach (var place in one.Places.Where(place => !place.Objects[folder].ContainsKey(one.Id))) Count(place, one.Size);
            else await CopyObject(folder, one.Id, one.Places, token);
            Told(one.Places.Count, one.Size * one.Places.Count);
        }, ct);
    }

    static void Count(Place place, long bytes)
    {
        Interlocked.Increment(ref place.Copied);
        Interlocked.Add(ref place.CopiedBytes, bytes);
    }

    void Told(int objects, long bytes)
    {
        Interlocked.Add(ref _objects, objects);
        Interlocked.Add(ref _bytes, bytes);
        _request.Progress?.Report(new ReplicationProgress(Interlocked.Read(ref _objects), _objectsTotal,
            Interlocked.Read(ref _bytes), _bytesTotal));
    }

    /// <summary>Finds a copy that is right and puts it where there is none, or one that is wrong.</summary>
    async Task CopyObject(string folder, BlobId id, IReadOnlyList<Place> targets, CancellationToken ct)
    {
        var name = ObjectLayout.Of(folder, id);
        var (wrong, problems) = (new HashSet<Place>(), new List<string>());
        byte[]? right = null;
        // All targets that have one are looked at; of the others only until one is right.
        foreach (var place in _places.Where(place => place.Objects.TryGetValue(folder, out var has) && has.ContainsKey(id)))
        {
            if (right is not null && !targets.Contains(place)) continue;
            var (bytes, problem) = await TryRead(place, name, place.Objects[folder][id], id, ct);
            if (problem is not null)
            {
                problems.Add($"{place.Store.Url}: {problem}");
                if (targets.Contains(place) && place.IsUsable) wrong.Add(place);
            }
            right ??= bytes;
        }
        if (right is null)
        {
            var isRemoved = await IsRemovedMeanwhile(folder, id, ct);
            if (isRemoved is true) _isIndexGone |= folder == ObjectLayout.Index;
            else if (isRemoved is false) Damaged(name, $"no place has a copy that is right: {string.Join("; ", problems)}");
            return;
        }
        foreach (var place in targets.Where(place => place.IsUsable && (wrong.Contains(place) || !place.Objects[folder].ContainsKey(id))))
            await Put(place, folder, id, right, wrong.Contains(place), ct);
    }

    void Damaged(ObjectName name, string problem)
    {
        lock (_damaged) _damaged.Add(new Problem(FilePath.FromText($"/{name}"), problem));
    }

    static async Task<(byte[]? Bytes, string? Problem)> TryRead(Place place, ObjectName name, long size, BlobId id, CancellationToken ct)
    {
        try
        {
            var bytes = await PackFile.Read(place.Store, new StoredObject(name, size), ct);
            return PackFile.IsIntact(bytes, id) ? (bytes, null) : (null, "its bytes do not match its name");
        }
        catch (BackupDrException e) when (e is RepositoryException or StoreException { Fault: StoreFault.Missing or StoreFault.ShortRead })
        {
            return (null, e.Message);
        }
        catch (StoreException e)   // the place, not the object
        {
            place.Problem ??= e.Message;
            return (null, e.Message);
        }
    }

    /// <summary>Whether a prune that runs beside us at one place removed what we were about to copy. Null where a place does not answer:
    /// then that is what is told, and nobody is alarmed about damage that may be none.</summary>
    async Task<bool?> IsRemovedMeanwhile(string folder, BlobId id, CancellationToken ct)
    {
        // Of the places that showed it; elsewhere it may have come meanwhile with another replication.
        foreach (var place in Usable.Where(place => place.Objects[folder].ContainsKey(id)))
        {
            try
            {
                if (await place.Store.Head(ObjectLayout.Of(folder, id), ct) is not null) return false;
            }
            catch (StoreException e)
            {
                place.Problem ??= e.Message;
                return null;
            }
        }
        return true;
    }

    async Task Put(Place place, string folder, BlobId id, byte[] bytes, bool isWrong, CancellationToken ct)
    {
        var name = ObjectLayout.Of(folder, id);
        try
        {
            if (isWrong && await place.Store.Head(name, ct) is { } old) await Trash.Move(place.Store, _options.Clock, old, ct);
            await place.Store.Put(name, bytes, ct);
            if (isWrong) Interlocked.Increment(ref place.Healed);
            else Count(place, bytes.Length);
            lock (place.Objects) place.Objects[folder][id] = bytes.Length;
        }
        catch (StoreException e) when (e.Fault == StoreFault.Exists) { await Meet(place, folder, id, bytes.Length, ct); }
        catch (StoreException e) { place.Problem ??= e.Message; }
    }

    /// <summary>Another replication beside us was faster, or a try of ours arrived after all: it put the same bytes, or else they are
    /// wrong.</summary>
    async Task Meet(Place place, string folder, BlobId id, int size, CancellationToken ct)
    {
        var name = ObjectLayout.Of(folder, id);
        try
        {
            if (await place.Store.Head(name, ct) is not { } there)
            {
                place.Problem ??= $"{name} was put and removed by somebody else while it was copied.";
                return;
            }
            var isRight = there.SizeBytes == size && PackFile.IsIntact(await PackFile.Read(place.Store, there, ct), id);
            if (!isRight) Damaged(name, $"{place.Store.Url} has another object of this name.");
            else lock (place.Objects) place.Objects[folder][id] = size;
        }
        catch (StoreException e) { place.Problem ??= e.Message; }
    }

    /// <summary>
    /// A snapshot that was written at one place while another one was pruned, or is being pruned, may need a blob that departs. Such blobs
    /// are copied into new packs before anything goes, and before the snapshot comes to the place that counts on it.
    /// </summary>
    async Task Rescue(CancellationToken ct)
    {
        foreach (var place in Usable.ToList())
        {
            var departing = Departing(place).ToHashSet();
            if (departing.Count == 0) continue;
            try { await Rescue(place, departing, ct); }
            catch (BackupDrException e) when (e is RepositoryException or StoreException)
            {
                place.NotRemoved = $"{departing.Count} packs that were pruned elsewhere stay, because it cannot be seen whether a "
                    + $"snapshot needs them: {e.Message}";
                _heldBack.UnionWith(place.Objects[ObjectLayout.Snapshots].Keys);   // they may need what is not elsewhere
            }
        }
    }

    /// <summary>Packs of a place that were pruned elsewhere, or are about to be, or that no index file elsewhere will name.</summary>
    IEnumerable<BlobId> Departing(Place place) => place.Objects[ObjectLayout.Data].Keys
        .Where(id => IsGone(id) || _unnamed.Contains(id) || Usable.Any(other => other != place && other.Marked.Contains(id)));

    async Task Rescue(Place place, HashSet<BlobId> departing, CancellationToken ct)
    {
        var repository = place.Repository!;
        // What the prune that removes these packs knows of, where there is a place at which it is carried out, needs no second look;
        // unless that place is itself to lose packs: of two copies of a blob each prune may have left the one that the other removed.
        var pruned = Usable.Where(other => other != place && !Departing(other).Any()
            && !departing.Any(id => other.Objects[ObjectLayout.Data].ContainsKey(id) && !other.Marked.Contains(id))).ToList();
        var own = place.Objects[ObjectLayout.Snapshots].Keys.Where(id => !_gone.Contains(ObjectLayout.Of(ObjectLayout.Snapshots, id)))
            .Where(id => !pruned.Exists(other => other.Objects[ObjectLayout.Snapshots].ContainsKey(id))).ToHashSet();
        if (own.Count == 0) return;
        var snapshots = (await repository.Snapshots(SnapshotFilter.All, ct)).Where(snapshot => own.Contains(snapshot.Id));
        var used = new UsedBlobs(repository, await repository.LoadIndex(departing, withMarked: true, ct));
        await used.Walk(snapshots.Select(snapshot => snapshot.Tree), ct);
        var needed = used.Packs();
        needed.IntersectWith(departing);
        if (!await Repack(repository, used, needed, ct))
        {
            _isIndexGone = true;   // a sweep beside us takes what the index named that we walked with: the next look finds another copy
            return;
        }
        // The new packs and their index go to the others like all else; and so does what a prune or a writer beside us has added since we
        // listed, for the walk may have found there what a snapshot needs.
        if (!await Meanwhile(place, ct)) return;
        await FindNamed(ct);
        await CopyFolder(ObjectLayout.Data, ct);
        await ReplaceStale(ct);
        await CopyFolder(ObjectLayout.Index, ct);
    }

    /// <summary>Copies what is needed of these packs into new ones; whether an index file still named each of them.</summary>
    static async Task<bool> Repack(Repository repository, UsedBlobs used, HashSet<BlobId> needed, CancellationToken ct)
    {
        if (needed.Count == 0) return true;
        var copied = 0;
        await new Repacking(repository, used).Run(needed, _ => Interlocked.Increment(ref copied), () => false, ct);
        return copied == needed.Count;
    }

    /// <summary>Adds to our lists what came to a place since we listed it; whether an index file did. What went stays in the lists, because
    /// we may have counted on it. Index files are listed first and neither list is taken over without the other: an index file must not
    /// travel where the packs that it names are not known.</summary>
    async Task<bool> Meanwhile(Place place, CancellationToken ct)
    {
        var index = await ListFolder(place, ObjectLayout.Index, ct);
        if (index.Keys.All(place.Objects[ObjectLayout.Index].ContainsKey)) return false;
        var data = await ListFolder(place, ObjectLayout.Data, ct);
        foreach (var (id, size) in data) place.Objects[ObjectLayout.Data].TryAdd(id, size);
        foreach (var (id, size) in index) place.Objects[ObjectLayout.Index].TryAdd(id, size);
        return true;
    }

    /// <summary>
    /// Whether a place is not any more what we looked at. Who wrote here meanwhile may count on what departs, or name it. And a prune or
    /// another replication may have removed the copy of a blob that we counted on, because it counted on the one that departs: of that
    /// nothing new tells, only an index file that is not there any more.
    /// </summary>
    async Task<bool> HasChanged(Place place, CancellationToken ct)
    {
        var (snapshots, index) = (place.Objects[ObjectLayout.Snapshots], place.Objects[ObjectLayout.Index]);
        if ((await ListFolder(place, ObjectLayout.Snapshots, ct)).Keys.Any(id => !snapshots.ContainsKey(id))) return true;
        var now = await ListFolder(place, ObjectLayout.Index, ct);
        return now.Count != index.Count || now.Keys.Any(id => !index.ContainsKey(id));
    }

    /// <summary>Removes what departed, with nobody else at work at the place, and what dead writers left there.</summary>
    async Task RemoveDeparted(Place place, CancellationToken ct)
    {
        var names = ((string[])[ObjectLayout.Snapshots, ObjectLayout.Index, ObjectLayout.Data, ObjectLayout.Keys])
            .SelectMany(folder => place.Objects[folder].Keys.Where(id => _gone.Contains(ObjectLayout.Of(folder, id))
                || (folder == ObjectLayout.Index && _replaced.Contains(id))).Select(id => ObjectLayout.Of(folder, id))).ToList();
        if (names.Count + place.Orphans.Count == 0 || place.NotRemoved is not null) return;
        if (_request.AddsOnly)
        {
            if (names.Count > 0) place.NotRemoved = $"{names.Count} objects that were removed elsewhere stay: this time it only added.";
            return;
        }
        if (_replaced.Count > 0 && _damaged.Count > 0)   // what replaces an index file may not have come here
        {
            place.NotRemoved = $"{names.Count} objects that were removed elsewhere stay, because something is damaged.";
            return;
        }
        try
        {
            await using var alone = await RepositoryLock.Take(place.Repository!, LockKind.Exclusive, ct);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, alone.Lost);
            if (await HasChanged(place, stop.Token))
            {
                place.NotRemoved = $"{names.Count} objects that were removed elsewhere stay until the next replication: a snapshot or an "
                    + "index file came or went here meanwhile.";
                return;
            }
            await Departures.Note(place.Repository!, [.. _replaced.Where(place.Objects[ObjectLayout.Index].ContainsKey)
                .Select(id => ObjectLayout.Of(ObjectLayout.Index, id))], stop.Token);
            // Nobody is at work here, so whoever wrote packs without an index is dead.
            if (_unread.Count == 0) names.AddRange(place.Orphans.Select(id => ObjectLayout.Of(ObjectLayout.Data, id)));
            foreach (var kind in names.GroupBy(name => name.Value[..name.Value.IndexOf('/', StringComparison.Ordinal)]))
                await ParallelWork.Run(kind, _options.Workers, async (name, token) =>
                {
                    if (await place.Store.Delete(name, token)) Interlocked.Increment(ref place.Removed);
                }, stop.Token);
        }
        catch (Exception e) when (e is RepositoryException or StoreException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            var left = Math.Max(0, names.Count - place.Removed);
            place.NotRemoved = $"{left} objects that were removed elsewhere are still there: {e.Message}";
        }
    }
}
