using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Memory;
using BackupDr.Storage;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Posix;

namespace BackupDr.Engine.Indexing;

/// <summary>Loads a repository's index: from the cache of this machine what is there, from the store only what is new.</summary>
/// <remarks>
/// The cache is a copy that may be lost at any time: whatever keeps it from being used or written leads to loading without it. It is
/// built anew where index files vanished (a prune rewrote them), and grows where the new ones have become many.
/// </remarks>
/// <param name="repository">Whose index.</param>
/// <param name="marked">Packs that do not count.</param>
/// <param name="withMarked">They count where no other pack has a blob.</param>
sealed class IndexLoad(Repository repository, IReadOnlySet<BlobId> marked, bool withMarked)
{
    // A prune that runs again and again on a busy machine takes files away between our listing and our reading many times in a row.
    const int Attempts = 50, MostFilesBeside = 16;
    const int ReadsAtOnce = 4;   // of some MiB each when unpacked
    const long MostBytesBeside = 2 << 20;
    const string FileName = "index";

    /// <exception cref="RepositoryException">An index file is damaged.</exception>
    /// <exception cref="StoreException">The store failed.</exception>
    public async Task<BlobIndex> Run(CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            try { return await Load(ct); }
            // An index file that vanished was replaced by another one meanwhile: list again.
            catch (StoreException e) when (e.Fault == StoreFault.Missing && attempt < Attempts) { continue; }
        }
    }

    async Task<BlobIndex> Load(CancellationToken ct)
    {
        var listed = new Dictionary<BlobId, long>();
        await foreach (var found in repository.Store.List(ObjectLayout.Index, ct))
            if (ObjectLayout.TryId(found, out var id)) listed[id] = found.SizeBytes;
        var cached = await OpenCache(listed, ct);
        var index = cached is null ? new BlobIndex() : new BlobIndex(cached, marked, withMarked);
        var behind = new List<IndexedPack>();
        await Read(listed.Where(one => cached?.Files.Contains(one.Key) != true), pack =>
        {
            if (!marked.Contains(pack.Id)) index.Load(pack);
            else if (withMarked) behind.Add(pack);
        }, ct);
        foreach (var pack in behind) index.Load(pack);
        return index;
    }

    /// <summary>Reads index files, several at once, and hands on their packs one after the other.</summary>
    async Task Read(IEnumerable<KeyValuePair<BlobId, long>> files, Action<IndexedPack> use, CancellationToken ct)
    {
        var gate = new Lock();
        await ParallelWork.Run(files, Math.Min(ReadsAtOnce, repository.RequestsAtOnce), async (file, token) =>
        {
            var json = await repository.ReadUnpacked(ObjectLayout.Index, file.Key, token, file.Value);
            lock (gate)
            {
                foreach (var pack in IndexFile.Read(json.Span, $"index {file.Key}")) use(pack);
            }
        }, ct);
    }

    /// <summary>The cache with nearly all of these index files and no other; null where none can be had.</summary>
    async Task<SortedIndex?> OpenCache(Dictionary<BlobId, long> listed, CancellationToken ct)
    {
        if (repository.Options.CacheFolder is not { } cache) return null;
        var path = cache.Join(System.Text.Encoding.ASCII.GetBytes(repository.Id));
        var file = path.Join(System.Text.Encoding.ASCII.GetBytes(FileName));
        SortedIndex? found = null;
        try
        {
            found = SortedIndex.TryOpen(file, repository.Id);
            if (found is not null && !found.Files.All(listed.ContainsKey))
            {
                found.Close();
                found = null;
            }
            var beside = listed.Where(index => found?.Files.Contains(index.Key) != true).ToList();
            if (found is not null && beside.Count <= MostFilesBeside && beside.Sum(index => index.Value) <= MostBytesBeside)
            {
                Touch(path);
                return found;
            }
            using var folder = PrivateFolder.Open(path);
            await Build(folder, found, beside, listed.Keys, ct);
            found?.Close();
            return SortedIndex.TryOpen(file, repository.Id);
        }
        catch (PosixException)   // no room, no right, a disk that fails: this run goes without
        {
            return null;
        }
    }

    /// <summary>The folder's time tells when it was last of use; what is not used for long may be cleaned up.</summary>
    void Touch(FilePath path)
    {
        var now = UnixTime.From(repository.Options.Clock.GetUtcNow());
        using var folder = Descriptor.OpenFolder(path);
        // On a disk that cannot be written the cache is of use all the same.
        _ = folder.TrySetTimes(new PosixTime(now.Seconds, now.Nanoseconds), new PosixTime(now.Seconds, now.Nanoseconds));
    }

    async Task Build(Descriptor folder, SortedIndex? before, List<KeyValuePair<BlobId, long>> fresh, IReadOnlyCollection<BlobId> all,
        CancellationToken ct)
    {
        using var builder = new SortedIndexBuilder(folder, FileName);
        if (before is not null) builder.AddBase(before);
        await Read(fresh, builder.Add, ct);
        builder.Finish(repository.Id, all);
    }
}
