using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>A file being restored, under a temporary name until it is whole.</summary>
/// <remarks>Where holes are wanted, blocks of zeros are not written: the file is new, so they read as zeros and occupy nothing.</remarks>
sealed class RestoredFile(FileTarget target, Descriptor parent, Descriptor file, byte[] temporary, IReadOnlyList<FilePath> path,
    bool makesHoles) : IRestoreFile
{
    const int BlockBytes = 4096;
    bool _done;

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (!makesHoles) { file.WriteAt(offset, data); return; }
        while (!data.IsEmpty)
        {
            // Pieces end at block borders of the file: only a whole block can be a hole.
            var zeros = ZeroBytes(offset, data);
            if (zeros > 0)
            {
                offset += zeros;
                data = data[zeros..];
                continue;
            }
            var length = FirstPiece(offset, data.Length);
            while (length < data.Length && ZeroBytes(offset + length, data[length..]) == 0)
                length += FirstPiece(offset + length, data.Length - length);
            file.WriteAt(offset, data[..length]);
            offset += length;
            data = data[length..];
        }
    }

    static int FirstPiece(long offset, int length) => (int)Math.Min(length, BlockBytes - offset % BlockBytes);

    // Whole blocks of zeros, or the piece of a block, at the start of data; 0 where the first piece holds anything else.
    static int ZeroBytes(long offset, ReadOnlySpan<byte> data)
    {
        var piece = FirstPiece(offset, data.Length);
        if (data[..piece].ContainsAnyExcept((byte)0)) return 0;
        var first = data[piece..].IndexOfAnyExcept((byte)0);
        if (first < 0) return data.Length;
        return piece + (first - first % BlockBytes);
    }

    public void Finish(Node node)
    {
        file.SetLength((long)node.SizeBytes);
        try { Metadata.Apply(target, path, file, node); }
        finally
        {
            // Content comes first: a file whose attributes cannot be set is still put in its place, and the failure is told.
            _done = true;
            target.PutInPlace(parent, temporary, path);
        }
    }

    public void Dispose()
    {
        if (!_done) parent.TryRemove(temporary);
        file.Dispose();
        parent.Dispose();
    }
}
