using System.Security.Cryptography;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;

namespace BackupDr.Engine.Blobs;

/// <summary>Collects sealed blobs into packs, verifies the bytes of each finished pack, stores it and hands it to the index. Safe for
/// concurrent use.</summary>
/// <remarks>
/// Source: docs/format/restic-v2.md, F-5.7 and F-8.1. Data blobs are spread at random over two open packs, so that the order of a pack does
/// not tell the chunk lengths of a file. Whoever fills a pack finishes it; the others go on with a fresh one.
/// </remarks>
/// <param name="repository">Where they are stored.</param>
/// <param name="index">Told of each stored pack.</param>
/// <param name="opensBlobs">
/// Whether the blobs were sealed elsewhere, so that each is to be decoded and compared with its id; of those that were compared when they
/// were sealed here, the tag tells whether they are still as they were.
/// </param>
sealed class PackWriter(Repository repository, IndexWriter index, bool opensBlobs) : IDisposable
{
    const int LargestSealedBlob = (8 << 20) + SealedBox.Overhead;
    const int LargestTail = 4 << 20;
    const int FinishingAtOnce = 2;   // full packs that are verified and stored; each holds a pack of memory

    sealed class OpenPack
    {
        public readonly Lock Gate = new();
        public byte[]? Buffer;
        public int Length;
        public List<PackEntry> Entries = [];
    }

    sealed record FullPack(byte[] Buffer, int Length, List<PackEntry> Entries);

    readonly OpenPack[] _data = [new(), new()];
    readonly OpenPack _trees = new();
    readonly SemaphoreSlim _finishing = new(FinishingAtOnce);
    long _storedBytes;

    /// <summary>Bytes of all packs stored so far.</summary>
    public long StoredBytes => Interlocked.Read(ref _storedBytes);

    /// <summary>
    /// Adds a sealed blob. The bytes are copied before this returns; a pack that became full is stored before the task ends.
    /// </summary>
    public ValueTask Add(BlobType type, BlobId id, ReadOnlySpan<byte> sealedBytes, uint plainLength, CancellationToken ct)
    {
        var pack = type == BlobType.Tree ? _trees : _data[id.GetHashCode() >> 7 & 1];
        // a huge folder's tree
        if (sealedBytes.Length > LargestSealedBlob) return new ValueTask(Finish(Alone(type, id, sealedBytes, plainLength), ct));
        FullPack? full = null;
        lock (pack.Gate)
        {
            pack.Buffer ??= repository.Buffers.Rent(repository.Options.PackSizeBytes + LargestSealedBlob + LargestTail);
            sealedBytes.CopyTo(pack.Buffer.AsSpan(pack.Length));
            pack.Entries.Add(new PackEntry(type, id, (uint)pack.Length, (uint)sealedBytes.Length, plainLength));
            pack.Length += sealedBytes.Length;
            if (pack.Length >= repository.Options.PackSizeBytes || pack.Entries.Count >= LargestTail / 64) full = Take(pack);
        }
        return full is null ? ValueTask.CompletedTask : new ValueTask(Finish(full, ct));
    }

    FullPack Alone(BlobType type, BlobId id, ReadOnlySpan<byte> sealedBytes, uint plainLength)
    {
        var buffer = repository.Buffers.Rent(sealedBytes.Length + 4096);
        sealedBytes.CopyTo(buffer);
        return new FullPack(buffer, sealedBytes.Length, [new PackEntry(type, id, 0, (uint)sealedBytes.Length, plainLength)]);
    }

    /// <summary>Frees the gate. What is still open is dropped.</summary>
    public void Dispose() => _finishing.Dispose();

    static FullPack Take(OpenPack pack)
    {
        var full = new FullPack(pack.Buffer!, pack.Length, pack.Entries);
        (pack.Buffer, pack.Length, pack.Entries) = (null, 0, []);
        return full;
    }

    /// <summary>Stores what is still open. Nothing may be added at the same time.</summary>
    public async Task Flush(CancellationToken ct)
    {
        foreach (var pack in (OpenPack[])[.. _data, _trees])
            if (pack.Entries.Count > 0) await Finish(Take(pack), ct);
    }

    /// <summary>Waits while as many packs are being stored as memory is meant for. Ask before making a further blob.</summary>
    public async ValueTask AwaitRoom(CancellationToken ct)
    {
        await _finishing.WaitAsync(ct);
        _finishing.Release();
    }

    async Task Finish(FullPack pack, CancellationToken ct)
    {
        try
        {
            await _finishing.WaitAsync(ct);
            try { await StoreVerified(pack, ct); }
            finally { _finishing.Release(); }
        }
        finally { repository.Buffers.Return(pack.Buffer); }
    }

    async Task StoreVerified(FullPack pack, CancellationToken ct)
    {
        var bench = repository.RentBench();
        int length;
        BlobId id;
        try
        {
            length = Close(pack, bench);
            Verify(pack, length, bench);
            id = new BlobId(SHA256.HashData(pack.Buffer.AsSpan(0, length)));
        }
        finally { repository.ReturnBench(bench); }
        await repository.Store.Put(ObjectLayout.Of(ObjectLayout.Data, id), pack.Buffer.AsMemory(0, length), ct);
        Interlocked.Add(ref _storedBytes, length);
        await index.Add(new IndexedPack(id, pack.Entries), ct);
    }

    /// <summary>Appends the sealed header and its length; gives the pack's length.</summary>
    static int Close(FullPack pack, BlobWorkbench bench)
    {
        var header = PackHeader.Write(pack.Entries);
        var box = pack.Buffer.AsSpan(pack.Length, header.Length + SealedBox.Overhead);
        header.CopyTo(box[SealedBox.IvSize..]);
        bench.Box.Seal(box);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(pack.Buffer.AsSpan(pack.Length + box.Length), box.Length);
        return pack.Length + box.Length + 4;
    }

    /// <summary>Opens the header and looks at every blob again, in the bytes that are going to be stored.</summary>
    void Verify(FullPack pack, int length, BlobWorkbench bench)
    {
        var header = pack.Buffer.AsSpan(pack.Length, length - pack.Length - 4).ToArray();
        if (!bench.Box.TryOpen(header, out var opened) || !PackHeader.Read(opened, "new pack").SequenceEqual(pack.Entries))
            throw new InvalidOperationException("A new pack's header does not read back as written. " + BlobWorkbench.BadMemory);
        if (opensBlobs) OpenAll(pack, bench);
        else
        {
            foreach (var entry in pack.Entries)
                if (!bench.Box.IsAuthentic(pack.Buffer.AsSpan((int)entry.Offset, (int)entry.Length)))
                    throw new InvalidOperationException($"A new blob {entry.Id} is not as it was sealed. {BlobWorkbench.BadMemory}");
        }
    }

    void OpenAll(FullPack pack, BlobWorkbench bench)
    {
        uint largest = 0, longest = 0;
        foreach (var entry in pack.Entries) (largest, longest) = (Math.Max(largest, entry.DecodedLength), Math.Max(longest, entry.Length));
        var (plain, copy) = (repository.Buffers.Rent((int)largest), repository.Buffers.Rent((int)longest));
        try
        {
            foreach (var entry in pack.Entries)
            {
                var box = copy.AsSpan(0, (int)entry.Length);
                pack.Buffer.AsSpan((int)entry.Offset, (int)entry.Length).CopyTo(box);
                if (!bench.TryOpen(box, entry, plain, out var wrong))
                    throw new InvalidOperationException($"A new blob {entry.Id} does not read back ({wrong}). {BlobWorkbench.BadMemory}");
            }
        }
        finally
        {
            repository.Buffers.Return(plain);
            repository.Buffers.Return(copy);
        }
    }
}
