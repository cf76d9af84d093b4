using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.Blobs;

/// <summary>Collects sealed blobs into packs, verifies the bytes of each finished pack, stores it and hands it to the index. Safe for
/// concurrent use.</summary>
/// <remarks>
/// Source: docs/format/restic-v2.md, F-5.7 and F-8.1. Data blobs are spread at random over two open packs, so that the order of a pack does
/// not tell the chunk lengths of a file. Whoever fills a pack closes and verifies it; the others go on with a fresh one. From then on it is
/// on its way: as many at once as the store is worth, and nobody waits for one but for room. What fails on the way is thrown to whoever
/// comes next, at the latest by <see cref="Flush"/>.
/// </remarks>
/// <param name="repository">Where they are stored.</param>
/// <param name="index">Told of each stored pack.</param>
/// <param name="opensBlobs">
/// Whether the blobs were sealed elsewhere, so that each is to be decoded and compared with its id; of those that were compared when they
/// were sealed here, the tag tells whether they are still as they were.
/// </param>
sealed class PackWriter(Repository repository, IndexWriter index, bool opensBlobs) : IAsyncDisposable
{
    const int LargestSealedBlob = (8 << 20) + SealedBox.Overhead;
    const int LargestTail = 4 << 20;
    const int LeastAtOnce = 2;   // full packs that are verified and stored; each holds a pack of memory

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
    readonly Slots _room = new(Math.Max(LeastAtOnce, repository.Store.RequestsAtOnce));
    readonly CancellationTokenSource _stop = new();
    ExceptionDispatchInfo? _failure;
    long _storedBytes;

    /// <summary>Bytes of all packs stored so far.</summary>
    public long StoredBytes => Interlocked.Read(ref _storedBytes);

    /// <summary>Adds a sealed blob. The bytes are copied before this returns; a pack that became full is on its way when the task
    /// ends.</summary>
    /// <exception cref="StoreException">An earlier pack could not be stored.</exception>
    /// <exception cref="InvalidOperationException">A full pack does not read back as it was written: memory is at fault.</exception>
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

    /// <summary>Breaks off what is on its way, and waits until nothing is. What is still open is dropped.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_room.AreAllFree)
        {
            await _stop.CancelAsync();
            await _room.AwaitAll(CancellationToken.None);
        }
        _stop.Dispose();
    }

    static FullPack Take(OpenPack pack)
    {
        var full = new FullPack(pack.Buffer!, pack.Length, pack.Entries);
        (pack.Buffer, pack.Length, pack.Entries) = (null, 0, []);
        return full;
    }

    /// <summary>Stores what is still open, and waits for all that is on its way: afterwards every blob that was added is durable. Nothing
    /// may be added at the same time.</summary>
    /// <exception cref="StoreException">A pack could not be stored.</exception>
    public async Task Flush(CancellationToken ct)
    {
        foreach (var pack in (OpenPack[])[.. _data, _trees])
            if (pack.Entries.Count > 0) await Finish(Take(pack), ct);
        await _room.AwaitAll(ct);
        _failure?.Throw();
    }

    /// <summary>Waits while as many packs are being stored as memory is meant for. Ask before making a further blob.</summary>
    /// <exception cref="StoreException">An earlier pack could not be stored.</exception>
    public async ValueTask AwaitRoom(CancellationToken ct)
    {
        await _room.Take(ct);
        _room.Give();
        _failure?.Throw();
    }

    async Task Finish(FullPack pack, CancellationToken ct)
    {
        var isOnItsWay = false;
        try
        {
            await _room.Take(ct);
            try
            {
                _failure?.Throw();
                var (id, length) = CloseVerified(pack);
                _ = Send(pack, id, length, ct);
                isOnItsWay = true;
            }
            finally
            {
                if (!isOnItsWay) _room.Give();
            }
        }
        finally
        {
            if (!isOnItsWay) repository.Buffers.Return(pack.Buffer);
        }
    }

    (BlobId Id, int Length) CloseVerified(FullPack pack)
    {
        var bench = repository.RentBench();
        try
        {
            var length = Close(pack, bench);
            Verify(pack, length, bench);
            return (new BlobId(SHA256.HashData(pack.Buffer.AsSpan(0, length))), length);
        }
        finally { repository.ReturnBench(bench); }
    }

    /// <summary>Stores a pack; never throws. Takes over its memory and its place in the room.</summary>
    async Task Send(FullPack pack, BlobId id, int length, CancellationToken ct)
    {
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, _stop.Token);
            await repository.Store.Put(ObjectLayout.Of(ObjectLayout.Data, id), pack.Buffer.AsMemory(0, length), either.Token);
            Interlocked.Add(ref _storedBytes, length);
            await index.Add(new IndexedPack(id, pack.Entries), either.Token);
        }
        catch (Exception e)   // kept for whoever comes next; what fails after it is not the cause
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
        }
        finally
        {
            repository.Buffers.Return(pack.Buffer);
            _room.Give();
        }
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
