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

    /// <summary>The plain bytes of a blob.</summary>
    /// <exception cref="RepositoryException">Damaged: it is in no index, or its bytes are not what they should be.</exception>
    public async Task<byte[]> Read(BlobType type, BlobId id, CancellationToken ct)
    {
        if (!index.TryFind(type, id, out var place)) throw RepositoryException.Damaged($"{type} blob {id}", "it is in no index.");
        if (place.Entry.DecodedLength > MaximumDecoded)
            throw RepositoryException.Damaged($"{type} blob {id}", $"{place.Entry.DecodedLength} bytes are too many.");
        var box = new byte[place.Entry.Length];
        await repository.Store.Read(ObjectLayout.Of(ObjectLayout.Data, place.Pack), place.Entry.Offset, box, ct);
        return Open(box, place);
    }

    byte[] Open(byte[] box, BlobPlace place)
    {
        var plain = new byte[place.Entry.DecodedLength];
        var bench = repository.RentBench();
        try
        {
            return bench.TryOpen(box, place.Entry, plain, out var wrong) ? plain
                : throw RepositoryException.Damaged($"pack {place.Pack}", $"{place.Entry.Type} blob {place.Entry.Id}: {wrong}.");
        }
        finally { repository.ReturnBench(bench); }
    }

    /// <summary>A folder's nodes.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public async Task<IReadOnlyList<Node>> ReadTree(BlobId id, CancellationToken ct)
        => TreeBlob.Read(await Read(BlobType.Tree, id, ct), $"tree {id}");
}
