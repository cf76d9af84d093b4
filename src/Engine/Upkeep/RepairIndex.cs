using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.Upkeep;

/// <summary>What a repair of the index did.</summary>
/// <param name="AddedPacks">Packs that are in the index now and were not, or were listed wrongly.</param>
/// <param name="DroppedPacks">Packs that the index named and that are gone.</param>
/// <param name="ReplacedFiles">Index files that went into the trash.</param>
/// <param name="Unreadable">Packs whose header cannot be read, with the reason.</param>
public sealed record IndexRepair(int AddedPacks, int DroppedPacks, int ReplacedFiles, IReadOnlyList<string> Unreadable);

/// <summary>Makes the index name exactly the packs that are there, from their own headers where needed.</summary>
/// <remarks>New index files are written before old ones go into the trash. Nobody else may work meanwhile.</remarks>
public static class RepairIndex
{
    /// <summary>Repairs.</summary>
    /// <exception cref="RepositoryException">Locked, or LockLost.</exception>
    public static async Task<IndexRepair> Execute(Repository repository, CancellationToken ct)
    {
        await using var held = await RepositoryLock.Take(repository, LockKind.Exclusive, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, held.Lost);
        return await Rebuild(repository, new HashSet<BlobId>(), stop.Token);
    }

    /// <summary>The same under a lock that is held already, leaving out some packs.</summary>
    internal static async Task<IndexRepair> Rebuild(Repository repository, IReadOnlySet<BlobId> without, CancellationToken ct)
    {
        var packs = new Dictionary<BlobId, StoredObject>();
        await foreach (var listed in repository.Store.List(ObjectLayout.Data, ct))
            if (ObjectLayout.TryId(listed, out var id) && !without.Contains(id)) packs[id] = listed;
        var good = new HashSet<BlobId>();
        var (replaced, kept, dropped) = (new List<StoredObject>(), new List<IndexedPack>(), new HashSet<BlobId>());
        var files = new List<StoredObject>();
        await foreach (var listed in repository.Store.List(ObjectLayout.Index, ct)) files.Add(listed);
        foreach (var file in files)
        {
            if (!ObjectLayout.TryId(file, out var id)) continue;
            if (await TryRead(repository, id, ct) is not { } content) { replaced.Add(file); continue; }
            var right = content.Where(pack => packs.TryGetValue(pack.Id, out var there) && Fits(pack, there.SizeBytes)).ToList();
            if (right.Count == content.Count) { good.UnionWith(right.Select(pack => pack.Id)); continue; }
            replaced.Add(file);
            kept.AddRange(right);
            dropped.UnionWith(content.Where(pack => !packs.ContainsKey(pack.Id)).Select(pack => pack.Id));
        }
        var writer = new IndexWriter(repository, new BlobIndex());
        foreach (var pack in kept)
            if (good.Add(pack.Id)) await writer.Add(pack, ct);
        var unreadable = new List<string>();
        var added = 0;
        await ParallelWork.Run(packs.Where(pack => !good.Contains(pack.Key)), repository.Options.Workers, async (pack, token) =>
        {
            try { await writer.Add(await PackFile.Header(repository, pack.Value, pack.Key, token), token); }
            catch (RepositoryException e)
            {
                lock (unreadable) unreadable.Add(e.Message);
                return;
            }
            Interlocked.Increment(ref added);
        }, ct);
        await writer.Flush(ct);
        foreach (var file in replaced) await Trash.Move(repository, file, ct);
        return new IndexRepair(added, dropped.Count, replaced.Count, unreadable);
    }

    static async Task<List<IndexedPack>?> TryRead(Repository repository, BlobId id, CancellationToken ct)
    {
        try { return IndexFile.Read((await repository.ReadUnpacked(ObjectLayout.Index, id, ct)).Span, $"index {id}"); }
        catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged) { return null; }
    }

    static bool Fits(IndexedPack pack, long size)
    {
        long end = 0;
        foreach (var entry in pack.Blobs.OrderBy(entry => entry.Offset))
        {
            if (entry.Offset != end) return false;
            end += entry.Length;
        }
        return size == PackHeader.PackLength(end, pack.Blobs.Sum(entry => PackHeader.EntryLength(entry.PlainLength != 0)));
    }
}
