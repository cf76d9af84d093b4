using System.Security.Cryptography;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Memory;

namespace BackupDr.Engine.Restore;

/// <summary>Compares a file that stands in a target with the blobs that it should consist of, without reading the repository.</summary>
static class FileComparison
{
    /// <summary>For each blob, whether the file holds its bytes at its place.</summary>
    public static bool[] Compare(IExistingFile file, IReadOnlyList<BlobPlace> places, BufferPool buffers, CancellationToken ct)
    {
        var isRight = new bool[places.Count];
        var offset = 0L;
        for (var i = 0; i < places.Count && offset < file.SizeBytes; i++)
        {
            ct.ThrowIfCancellationRequested();
            var length = places[i].Entry.DecodedLength;
            isRight[i] = length <= BlobReader.MaximumDecoded && Holds(file, offset, (int)length, places[i].Entry.Id, buffers);
            offset += length;
        }
        return isRight;
    }

    static bool Holds(IExistingFile file, long offset, int length, BlobId id, BufferPool buffers)
    {
        var bytes = buffers.Rent(length);
        try
        {
            if (file.Read(offset, bytes.AsSpan(0, length)) != length) return false;
            Span<byte> hash = stackalloc byte[BlobId.Size];
            SHA256.HashData(bytes.AsSpan(0, length), hash);
            return new BlobId(hash) == id;
        }
        finally { buffers.Return(bytes); }
    }
}
