using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;

namespace BackupDr.Engine.Blobs;

/// <summary>Reads single blobs, always authenticated and hashed. Safe for concurrent use.</summary>
public sealed class BlobReader(Repository repository, BlobIndex index)
{
    /// <summary>Most bytes that a blob may decode to.</summary>
    public const int MaximumDecoded = 1 << 30;

    /// <summary>Where blobs are.</summary>
    public BlobIndex Index => index;

    /// <summary>Hands the JSON of many trees to <paramref name="use"/>, read with few requests; as <see cref="TreeRuns.Read"/>.</summary>
    internal Task ReadTrees(IEnumerable<BlobId> trees, Action<BlobId, ReadOnlyMemory<byte>> use, CancellationToken ct)
        => TreeRuns.Read(repository, index, trees, use, ct);

    /// <summary>The plain bytes of a blob.</summary>
    /// <exception cref="RepositoryException">Damaged: it is in no index, or its bytes are not what they should be.</exception>
    public async Task<byte[]> Read(BlobType type, BlobId id, CancellationToken ct)
    {
        var place = Find(index, type, id);
        var plain = new byte[place.Entry.DecodedLength];
        await PackRuns.Read(repository, place.Pack, [place.Entry], (entry, box) =>
        {
            Open(repository, place.Pack, entry, box.Span, plain);
            return Task.CompletedTask;
        }, ct);
        return plain;
    }

    /// <exception cref="RepositoryException">Damaged: it is in no index, or too large to be one.</exception>
    internal static BlobPlace Find(BlobIndex index, BlobType type, BlobId id)
    {
        if (!index.TryFind(type, id, out var place)) throw RepositoryException.Damaged($"{type} blob {id}", "it is in no index.");
        if (place.Entry.DecodedLength > MaximumDecoded)
            throw RepositoryException.Damaged($"{type} blob {id}", $"{place.Entry.DecodedLength} bytes are too many.");
        return place;
    }

    /// <summary>Opens a sealed blob of a pack, in place, into at least as many bytes as it decodes to.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    internal static void Open(Repository repository, BlobId pack, PackEntry entry, Span<byte> box, Span<byte> plain)
    {
        var bench = repository.RentBench();
        try
        {
            if (!bench.TryOpen(box, entry, plain, out var wrong))
                throw RepositoryException.Damaged($"pack {pack}, offset {entry.Offset}", $"{entry.Type} blob {entry.Id}: {wrong}.");
        }
        finally { repository.ReturnBench(bench); }
    }

    /// <summary>A folder's nodes.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public async Task<IReadOnlyList<Node>> ReadTree(BlobId id, CancellationToken ct)
        => TreeBlob.Read(await Read(BlobType.Tree, id, ct), $"tree {id}");
}
