using System.Collections.Concurrent;
using System.Security.Cryptography;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Indexing;

namespace BackupDr.Engine.Backup;

/// <summary>Turns plain bytes into stored blobs: hash, known?, compress, seal, pack. Safe for concurrent use.</summary>
/// <param name="repository">For its keys and memory.</param>
/// <param name="index">What is stored already.</param>
/// <param name="packs">Where blobs go; null where they are only counted.</param>
/// <param name="counters">What was new.</param>
sealed class BlobStage(Repository repository, BlobIndex index, PackWriter? packs, BackupCounters counters)
{
    // Blobs of this run that are on their way into a pack: the first to claim one stores it.
    readonly ConcurrentDictionary<(BlobType, BlobId), byte> _claimed = new();

    /// <summary>Whether every blob of a list is in the repository already.</summary>
    public bool HasAll(IReadOnlyList<BlobId> content)
    {
        foreach (var id in content)
            if (!index.Contains(BlobType.Data, id)) return false;
        return true;
    }

    /// <summary>Makes sure that the repository holds these bytes; gives their id. They are not used after the task ends.</summary>
    public async ValueTask<BlobId> Store(BlobType type, ReadOnlyMemory<byte> plain, CancellationToken ct)
    {
        var id = Hash(plain.Span);
        if (index.Contains(type, id) || !_claimed.TryAdd((type, id), 0)) return id;
        Interlocked.Add(ref counters.BytesNew, plain.Length);
        Interlocked.Increment(ref type == BlobType.Tree ? ref counters.TreeBlobs : ref counters.DataBlobs);
        if (packs is null) { CountSealed(type, plain.Span); return id; }
        await packs.AwaitRoom(ct);
        var bench = repository.RentBench();
        ValueTask added;
        try
        {
            var box = bench.Seal(type, plain.Span, out var plainLength);
            if (type == BlobType.Data && box.Length >= plain.Length) Interlocked.Add(ref counters.BytesIncompressible, plain.Length);
            added = packs.Add(type, id, box, plainLength, ct);
        }
        finally { repository.ReturnBench(bench); }
        await added;
        return id;
    }

    void CountSealed(BlobType type, ReadOnlySpan<byte> plain)
    {
        var bench = repository.RentBench();
        try { Interlocked.Add(ref counters.SealedBytes, bench.Seal(type, plain, out _).Length); }
        finally { repository.ReturnBench(bench); }
    }

    static BlobId Hash(ReadOnlySpan<byte> plain)
    {
        Span<byte> hash = stackalloc byte[BlobId.Size];
        SHA256.HashData(plain, hash);
        return new BlobId(hash);
    }
}
