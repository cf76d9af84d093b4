using System.Buffers.Binary;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.Cache;

/// <summary>Loads all snapshots: from this machine's cache what is there, from the store only what is new, several at once.</summary>
/// <remarks>
/// A repository of a year has hundreds of snapshots, and every backup looks at all of them; a store that answers after 200 ms would be
/// waited for a minute. The cache holds ids, lengths and JSON texts, sealed with the repository's key because they name paths.
/// </remarks>
sealed class SnapshotLoad(Repository repository)
{
    /// <summary>Some hundred thousand snapshots; where there are more, the store is read.</summary>
    const int MaximumBytes = 64 << 20;
    const int HeadBytes = BlobId.Size + sizeof(int);

    readonly CacheFile _cache = new(repository, "snapshots", MaximumBytes);

    /// <exception cref="RepositoryException">One is damaged.</exception>
    /// <exception cref="StoreException">The store failed.</exception>
    public async Task<List<Snapshot>> Run(CancellationToken ct)
    {
        var listed = new Dictionary<BlobId, long>();
        await foreach (var found in repository.Store.List(ObjectLayout.Snapshots, ct))
            if (ObjectLayout.TryId(found, out var id)) listed[id] = found.SizeBytes;
        var known = ReadCache();
        var isSame = known.Count == listed.Count;
        foreach (var gone in known.Keys.Where(id => !listed.ContainsKey(id)).ToList()) known.Remove(gone);
        var fresh = listed.Where(one => !known.ContainsKey(one.Key)).ToList();
        await ParallelWork.Run(fresh, repository.RequestsAtOnce, async (one, token) =>
        {
            ReadOnlyMemory<byte> json;
            try { json = await repository.ReadUnpacked(ObjectLayout.Snapshots, one.Key, token, one.Value); }
            catch (StoreException e) when (e.Fault == StoreFault.Missing) { return; }   // forgotten meanwhile
            lock (known) known[one.Key] = json;
        }, ct);
        var loaded = known.Select(one => SnapshotFile.Read(one.Value.Span, one.Key)).ToList();
        if (fresh.Count > 0 || !isSame) WriteCache(known);
        return loaded;
    }

    Dictionary<BlobId, ReadOnlyMemory<byte>> ReadCache()
    {
        var known = new Dictionary<BlobId, ReadOnlyMemory<byte>>();
        var box = _cache.Read();
        if (box.Length < SealedBox.Overhead) return known;
        var bench = repository.RentBench();
        byte[] plain;
        try
        {
            if (!bench.Box.TryOpen(box.Span, out var opened)) return known;
            plain = opened.ToArray();
        }
        finally { repository.ReturnBench(bench); }
        for (var rest = plain.AsMemory(); rest.Length >= HeadBytes;)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(rest.Span[BlobId.Size..]);
            if (length < 0 || length > rest.Length - HeadBytes) return [];
            known[new BlobId(rest.Span[..BlobId.Size])] = rest.Slice(HeadBytes, length);
            rest = rest[(HeadBytes + length)..];
        }
        return known;
    }

    void WriteCache(Dictionary<BlobId, ReadOnlyMemory<byte>> known)
    {
        if (repository.Options.CacheFolder is null) return;
        var bytes = known.Sum(one => HeadBytes + (long)one.Value.Length) + SealedBox.Overhead;
        if (bytes > MaximumBytes) return;
        var box = new byte[bytes];
        var at = SealedBox.IvSize;
        foreach (var (id, json) in known)
        {
            id.CopyTo(box.AsSpan(at));
            BinaryPrimitives.WriteInt32LittleEndian(box.AsSpan(at + BlobId.Size), json.Length);
            json.Span.CopyTo(box.AsSpan(at + HeadBytes));
            at += HeadBytes + json.Length;
        }
        var bench = repository.RentBench();
        try { bench.Box.Seal(box); }
        finally { repository.ReturnBench(bench); }
        _cache.Write(box);
    }
}
