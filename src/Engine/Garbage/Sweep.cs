using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Memory;
using BackupDr.Engine.ObjectLocks;
using BackupDr.Engine.Replicas;

namespace BackupDr.Engine.Garbage;

/// <summary>Removes marked packs, under a lock that keeps stock restic out and lets our own writers go on.</summary>
/// <remarks>
/// Source: docs/format/restic-v2.md, F-12.4 to F-12.6. The order is what a crash relies on: new index files, departures, old index files,
/// packs, mark.
/// </remarks>
sealed class Sweep(Repository repository, RepositoryLock held, RetentionBook? retentions)
{
    const int BlobsInIndex = 50_000;

    HashSet<BlobId> _kill = [], _locked = [], _orphans = [];
    int _rescued;

    /// <summary>The packs that are gone.</summary>
    public IReadOnlySet<BlobId> Removed => _kill;
    /// <summary>How many of them this removed.</summary>
    public int RemovedPacks { get; private set; }
    /// <summary>Their bytes.</summary>
    public long RemovedBytes { get; private set; }
    /// <summary>Marked packs that are needed again.</summary>
    public int RescuedPacks => _rescued;

    /// <summary>Removes the packs of these marks that nothing needs.</summary>
    /// <param name="due">Marks whose witnesses are all gone.</param>
    /// <param name="known">What an earlier walk found, or null.</param>
    /// <param name="ct">Cancels between two steps.</param>
    /// <exception cref="RepositoryException">Locked by somebody who is not one of ours; LockLost; Damaged. What is not removed yet stays
    /// marked.</exception>
    public async Task Run(IReadOnlyList<Mark> due, UsedBlobs? known, CancellationToken ct)
    {
        await using var alone = await RepositoryLock.Take(repository, LockKind.Sweep, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, alone.Lost, held.Lost);
        var marks = await MarkSet.LoadWithWitnesses(repository, stop.Token);
        var used = await ReadAgain(marks, known, stop.Token);
        var sizes = new Dictionary<BlobId, long>();
        await foreach (var listed in repository.Store.List(ObjectLayout.Data, stop.Token))
            if (ObjectLayout.TryId(listed, out var id)) sizes[id] = listed.SizeBytes;
        _kill = due.SelectMany(mark => mark.Packs).Select(pack => pack.Id).ToHashSet();
        await Spare(due, used, sizes, stop.Token);
        await SpareLocked(sizes, stop.Token);
        await Confirm(alone, stop.Token);
        await RewriteIndex(stop.Token);
        await Confirm(alone, stop.Token);
        await ParallelWork.Run(_kill.Where(sizes.ContainsKey), repository.RequestsAtOnce, async (id, token) =>
        {
            if (!await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Data, id), token)) return;
            lock (sizes) { RemovedPacks++; RemovedBytes += sizes[id]; }
        }, stop.Token);
        foreach (var mark in due.Where(mark => !mark.Packs.Any(pack => _locked.Contains(pack.Id))))
            await marks.Remove(repository, mark, stop.Token);
        await marks.RemoveLeftovers(repository, stop.Token);
    }

    /// <summary>Snapshots first, then the index; trees that were walked before are not walked again.</summary>
    async Task<UsedBlobs> ReadAgain(MarkSet marks, UsedBlobs? known, CancellationToken ct)
    {
        var again = repository.Options.GarbageRules.SweepReadsSnapshotsAgain || known is null;
        var snapshots = again ? await repository.Snapshots(SnapshotFilter.All, ct) : [];
        var used = new UsedBlobs(repository, await repository.LoadIndex(marks.Packs, withMarked: true, ct));
        if (known is not null) used.TakeOver(known);
        await used.Walk(snapshots.Select(snapshot => snapshot.Tree), ct);
        return used;
    }

    /// <summary>
    /// Takes out what must stay: a pack with the only copy of a needed blob, and an orphan that an index names by now. A blob's place is a
    /// marked pack only where no other has it, and it is one pack, so two marked copies cannot excuse each other.
    /// </summary>
    async Task Spare(IReadOnlyList<Mark> due, UsedBlobs used, Dictionary<BlobId, long> sizes, CancellationToken ct)
    {
        _orphans = due.SelectMany(mark => mark.Packs).Where(pack => pack.Reason == MarkReason.Orphan)
            .Select(pack => pack.Id).ToHashSet();
        await foreach (var file in IndexScan.Files(repository, ct))
        {
            _kill.ExceptWith(file.Content.OnHold);
            foreach (var pack in file.Content.Packs)
            {
                if (!_kill.Contains(pack.Id)) continue;
                if (!_orphans.Contains(pack.Id) && !pack.Blobs.Any(entry => OnlyHere(used, pack.Id, entry, sizes))) continue;
                _kill.Remove(pack.Id);
                _rescued++;
            }
        }
    }

    /// <summary>Takes out what the store would not give back yet. It stays marked, so that no writer counts on it.</summary>
    async Task SpareLocked(Dictionary<BlobId, long> sizes, CancellationToken ct)
    {
        if (retentions is null) return;
        var until = await retentions.Until(_kill.Where(sizes.ContainsKey).Select(id => ObjectLayout.Of(ObjectLayout.Data, id)), ct);
        _locked = _kill.Where(id => until.ContainsKey(ObjectLayout.Of(ObjectLayout.Data, id))).ToHashSet();
        _kill.ExceptWith(_locked);
    }

    static bool OnlyHere(UsedBlobs used, BlobId pack, PackEntry entry, Dictionary<BlobId, long> sizes)
        => used.Contains(entry.Type, entry.Id) && used.Index.TryFind(entry.Type, entry.Id, out var place)
        && (place.Pack == pack || !sizes.ContainsKey(place.Pack));

    async Task RewriteIndex(CancellationToken ct)
    {
        var (old, rest, seen) = (new List<BlobId>(), new List<IndexedPack>(), new HashSet<BlobId>());
        var blobs = 0;
        await foreach (var file in IndexScan.Files(repository, ct))
        {
            if (!file.Content.Packs.Exists(pack => _kill.Contains(pack.Id))) continue;
            old.Add(file.Id);
            var stay = file.Content.Packs.Where(pack => !_kill.Contains(pack.Id) && seen.Add(pack.Id)).ToList();
            if (file.Content.HoldJson is { } hold)   // another program's list stays with the packs that it stood beside
                await repository.WriteUnpacked(ObjectLayout.Index, IndexFile.Write(stay, hold), ct);
            else
            {
                rest.AddRange(stay);
                blobs += stay.Sum(pack => pack.Blobs.Count);
            }
            if (blobs >= BlobsInIndex) await Write();
        }
        if (rest.Count > 0) await Write();
        // Noted only now that the new index is stored: whoever carries the removal out elsewhere finds the index that replaces the old one.
        // Not the orphans: that no index here names a pack says nothing of a place that wrote it, and whose index has not come yet.
        await Departures.Note(repository, [.. old.Select(id => ObjectLayout.Of(ObjectLayout.Index, id)),
            .. _kill.Except(_orphans).Select(id => ObjectLayout.Of(ObjectLayout.Data, id))], ct);
        foreach (var id in old) await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Index, id), ct);

        async Task Write()
        {
            await repository.WriteUnpacked(ObjectLayout.Index, IndexFile.Write(rest), ct);
            (rest, blobs) = ([], 0);
        }
    }

    async Task Confirm(RepositoryLock alone, CancellationToken ct)
    {
        if (await alone.IsHeld(ct) && await held.IsHeld(ct)) return;
        throw new RepositoryException(RepositoryFault.LockLost, "The lock of the prune was lost, so it removed nothing further.",
            "Somebody removed the lock, or this machine slept. Run the prune again; what is marked stays marked.");
    }
}
