using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.Upkeep;

/// <summary>What a repair of packs did.</summary>
/// <param name="Healed">Packs that came back whole from the replica.</param>
/// <param name="Salvaged">Packs whose readable blobs were copied into new ones.</param>
/// <param name="LostBlobs">Blobs that could not be read, each with its pack and offset.</param>
/// <param name="Index">What was done to the index afterwards.</param>
public sealed record PackRepair(IReadOnlyList<BlobId> Healed, IReadOnlyList<BlobId> Salvaged, IReadOnlyList<string> LostBlobs,
    IndexRepair Index);

/// <summary>
/// Heals packs that are damaged or gone: from a replica by their names, which are the hashes of their bytes, or else by saving every blob
/// that still reads. What is replaced goes into the trash.
/// </summary>
public sealed class RepairPacks
{
    readonly Repository _repository;
    readonly IObjectStore? _replica;
    readonly List<BlobId> _healed = [], _salvaged = [];
    readonly List<string> _lost = [];
    readonly HashSet<BlobId> _gone = [];

    RepairPacks(Repository repository, IObjectStore? replica) => (_repository, _replica) = (repository, replica);

    /// <summary>Reads every pack, and repairs what is not as its name says.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="replica">Another place with the same packs; no key is needed for it. Null salvages.</param>
    /// <param name="progress">Told of each pack.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="RepositoryException">Locked, or LockLost.</exception>
    public static async Task<PackRepair> Execute(Repository repository, IObjectStore? replica, IProgress<CheckProgress>? progress,
        CancellationToken ct)
    {
        await using var held = await RepositoryLock.Take(repository, LockKind.Exclusive, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, held.Lost);
        var repair = new RepairPacks(repository, replica);
        // Known from the index, where it can be read: a pack whose header is damaged is salvaged by it.
        var known = await repair.Known(stop.Token);
        var damaged = await repair.FindDamaged(known, progress, stop.Token);
        if (replica is not null)
            foreach (var id in damaged.ToList())
                if (await repair.Heal(id, stop.Token)) damaged.Remove(id);
        await repair.Salvage(damaged, known, stop.Token);
        var index = await RepairIndex.Rebuild(repository, repair._gone, stop.Token);
        foreach (var id in repair._gone)
            if (await repository.Store.Head(ObjectLayout.Of(ObjectLayout.Data, id), stop.Token) is { } old)
                await Trash.Move(repository, old, stop.Token);
        return new PackRepair(repair._healed, repair._salvaged, repair._lost, index);
    }

    async Task<Dictionary<BlobId, IndexedPack>> Known(CancellationToken ct)
    {
        var known = new Dictionary<BlobId, IndexedPack>();
        await foreach (var id in _repository.IndexIds(ct))
        {
            try
            {
                foreach (var pack in IndexFile.Read((await _repository.ReadUnpacked(ObjectLayout.Index, id, ct)).Span, $"index {id}"))
                    known[pack.Id] = pack;
            }
            catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged) { continue; }   // the index is rebuilt afterwards
        }
        return known;
    }

    async Task<List<BlobId>> FindDamaged(Dictionary<BlobId, IndexedPack> known, IProgress<CheckProgress>? progress, CancellationToken ct)
    {
        var packs = new Dictionary<BlobId, StoredObject>();
        await foreach (var listed in _repository.Store.List(ObjectLayout.Data, ct))
            if (ObjectLayout.TryId(listed, out var id)) packs[id] = listed;
        var damaged = known.Keys.Where(id => !packs.ContainsKey(id)).ToList();
        var done = 0;
        await ParallelWork.Run(packs, _repository.Options.Workers, async (pack, token) =>
        {
            if (!PackFile.IsIntact(await PackFile.Read(_repository.Store, pack.Value, token), pack.Key))
                lock (damaged) damaged.Add(pack.Key);
            progress?.Report(new CheckProgress(Interlocked.Increment(ref done), packs.Count));
        }, ct);
        return damaged;
    }

    async Task<bool> Heal(BlobId id, CancellationToken ct)
    {
        var isHealed = await Heal(_repository.Store, _replica!, _repository.Options.Clock, ObjectLayout.Data, id, ct);
        if (isHealed) _healed.Add(id);
        return isHealed;
    }

    /// <summary>Puts a replica's copy of an object that is named by its hash in the place of a damaged or missing one; false where the
    /// replica has none that is right.</summary>
    internal static async Task<bool> Heal(IObjectStore store, IObjectStore replica, TimeProvider clock, string folder, BlobId id,
        CancellationToken ct)
    {
        var name = ObjectLayout.Of(folder, id);
        if (await replica.Head(name, ct) is not { } there) return false;
        var bytes = await PackFile.Read(replica, there, ct);
        if (!PackFile.IsIntact(bytes, id)) return false;
        // One name cannot hold two objects: the damaged one is in the trash before it is deleted, and what is put was verified above.
        if (await store.Head(name, ct) is { } old) await Trash.Move(store, clock, old, ct);
        await store.Put(name, bytes, ct);
        return true;
    }

    async Task Salvage(List<BlobId> damaged, Dictionary<BlobId, IndexedPack> known, CancellationToken ct)
    {
        var index = new IndexWriter(_repository, new BlobIndex());
        await using var packs = new PackWriter(_repository, index, opensBlobs: true);
        foreach (var id in damaged)
        {
            _gone.Add(id);
            var name = ObjectLayout.Of(ObjectLayout.Data, id);
            if (await _repository.Store.Head(name, ct) is not { } there)
            {
                Lose(id, known.GetValueOrDefault(id), "the pack is gone");
                continue;
            }
            var bytes = await PackFile.Read(_repository.Store, there, ct);
            if (!known.TryGetValue(id, out var listed) && !TryHeader(await Headed(there, id, ct), out listed))
            {
                _lost.Add($"pack {id}: neither its header nor an index tells what is in it.");
                continue;
            }
            foreach (var entry in listed!.Blobs) await Save(id, entry, bytes, packs, ct);
            _salvaged.Add(id);
        }
        await packs.Flush(ct);
        await index.Flush(ct);
    }

    static bool TryHeader(IndexedPack? found, out IndexedPack? listed) => (listed = found) is not null;

    async Task<IndexedPack?> Headed(StoredObject pack, BlobId id, CancellationToken ct)
    {
        try { return await PackFile.Header(_repository, pack, id, ct); }
        catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged) { return null; }
    }

    void Lose(BlobId pack, IndexedPack? listed, string why)
    {
        foreach (var entry in listed?.Blobs ?? []) _lost.Add($"pack {pack}, offset {entry.Offset}: {entry.Type} blob {entry.Id}: {why}.");
    }

    async Task Save(BlobId pack, PackEntry entry, byte[] bytes, PackWriter packs, CancellationToken ct)
    {
        if (!IsReadable(entry, bytes, out var wrong))
        {
            _lost.Add($"pack {pack}, offset {entry.Offset}: {entry.Type} blob {entry.Id}: {wrong}.");
            return;
        }
        await packs.Add(entry.Type, entry.Id, bytes.AsSpan((int)entry.Offset, (int)entry.Length), entry.PlainLength, ct);
    }

    bool IsReadable(PackEntry entry, byte[] bytes, out string? wrong)
    {
        wrong = "it lies outside of the file";
        if (entry.Offset + (long)entry.Length > bytes.Length || entry.DecodedLength > BlobReader.MaximumDecoded) return false;
        var bench = _repository.RentBench();
        try
        {
            var copy = bytes.AsSpan((int)entry.Offset, (int)entry.Length).ToArray();
            return bench.TryOpen(copy, entry, new byte[entry.DecodedLength], out wrong);
        }
        finally { _repository.ReturnBench(bench); }
    }
}
