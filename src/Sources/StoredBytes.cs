using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Sources;

/// <summary>Small files of a snapshot, read whole.</summary>
static class StoredBytes
{
    /// <summary>All bytes of a file.</summary>
    /// <exception cref="Engine.RepositoryException">Damaged.</exception>
    public static async Task<byte[]> Of(BlobReader reader, Node file, CancellationToken ct)
    {
        using var bytes = new MemoryStream((int)file.SizeBytes);
        foreach (var id in file.Content) bytes.Write(await reader.Read(BlobType.Data, id, ct));
        return bytes.ToArray();
    }
}
