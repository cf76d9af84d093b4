using System.Buffers.Binary;
using System.Security.Cryptography;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine.Upkeep;

/// <summary>Reads whole packs and their headers without trusting the index.</summary>
static class PackFile
{
    const long Largest = 1L << 30;

    /// <summary>The stored bytes.</summary>
    /// <exception cref="RepositoryException">Damaged: too large to be a pack.</exception>
    public static async Task<byte[]> Read(IObjectStore store, StoredObject pack, CancellationToken ct)
    {
        if (pack.SizeBytes > Largest) throw RepositoryException.Damaged(pack.Name.Value, $"{pack.SizeBytes} bytes are too many.");
        var bytes = new byte[pack.SizeBytes];
        await store.Read(pack.Name, 0, bytes, ct);
        return bytes;
    }

    /// <summary>Whether bytes are the pack of that name. Needs no key.</summary>
    public static bool IsIntact(ReadOnlySpan<byte> bytes, BlobId id) => new BlobId(SHA256.HashData(bytes)) == id;

    /// <summary>The blobs that a pack's own header lists.</summary>
    /// <exception cref="RepositoryException">Damaged: what is wrong and where.</exception>
    public static async Task<IndexedPack> Header(Repository repository, StoredObject pack, BlobId id, CancellationToken ct)
    {
        if (pack.SizeBytes < 4 + SealedBox.Overhead)
            throw RepositoryException.Damaged($"pack {id}", $"{pack.SizeBytes} bytes are too few.");
        var field = new byte[4];
        await repository.Store.Read(pack.Name, pack.SizeBytes - 4, field, ct);
        var length = BinaryPrimitives.ReadUInt32LittleEndian(field);
        if (length is < SealedBox.Overhead or > PackHeader.MaximumLength || length > pack.SizeBytes - 4)
            throw RepositoryException.Damaged($"pack {id}, offset {pack.SizeBytes - 4}", $"a header of {length} bytes does not fit.");
        var box = new byte[length];
        await repository.Store.Read(pack.Name, pack.SizeBytes - 4 - length, box, ct);
        return Open(repository, box, id, pack.SizeBytes);
    }

    static IndexedPack Open(Repository repository, byte[] box, BlobId id, long size)
    {
        var bench = repository.RentBench();
        try
        {
            if (!bench.Box.TryOpen(box, out var header))
                throw RepositoryException.Damaged($"pack {id}, offset {size - 4 - box.Length}", "its header does not open.");
            var entries = PackHeader.Read(header, $"pack {id}");
            if (entries.Sum(entry => (long)entry.Length) + box.Length + 4 != size)
                throw RepositoryException.Damaged($"pack {id}", $"{size} bytes; its header tells of others.");
            return new IndexedPack(id, entries);
        }
        finally { repository.ReturnBench(bench); }
    }
}
