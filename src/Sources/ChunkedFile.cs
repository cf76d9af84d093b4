using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;

namespace BackupDr.Sources;

/// <summary>A file of the disk cut into chunks of one size, because its pages are changed in place.</summary>
/// <param name="file">Owned.</param>
/// <param name="chunkBytes">Bytes of a chunk.</param>
/// <param name="shownAs">Metadata of another one that it is a copy of; null for its own.</param>
sealed class ChunkedFile(ISourceFile file, int chunkBytes, Node? shownAs = null) : ISourceFile
{
    public long SizeBytes => file.SizeBytes;
    public int? ChunkBytes => chunkBytes;
    public int Read(long offset, Span<byte> target) => file.Read(offset, target);
    public long ZerosAt(long offset) => file.ZerosAt(offset);
    public Node Stat() => shownAs ?? file.Stat();
    public void Dispose() => file.Dispose();
}
