using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>A file being restored, under a temporary name until it is whole.</summary>
/// <remarks>Where holes are wanted, long runs of zeros are not written: a new file reads as zeros there.</remarks>
sealed class RestoredFile(FileTarget target, Descriptor parent, Descriptor file, byte[] temporary, IReadOnlyList<FilePath> path,
    long sizeBytes, bool makesHoles) : IRestoreFile
{
    const int BlockBytes = 4096;
    /// <summary>Shorter runs of zeros amid other bytes are written: a database file in fragments of one page serves nobody.</summary>
    const int SmallestHole = 64 << 10;
    /// <summary>Writes from this size on go past the page cache.</summary>
    const int DirectBytes = 128 << 10;

    readonly Lock _gate = new();
    Descriptor? _direct;
    bool _hasNoDirect, _done;

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (!makesHoles) { Put(offset, data); return; }
        var from = 0;   // what was not written yet
        for (var at = 0; at < data.Length;)
        {
            // Pieces end at block borders of the file: only a whole block can be a hole.
            var zeros = ZeroBytes(offset + at, data[at..]);
            var end = at + zeros;
            if (zeros >= SmallestHole || (zeros > 0 && (at == 0 || end == data.Length)))
            {
                Put(offset + from, data[from..at]);
                from = end;
            }
            at = zeros > 0 ? end : at + FirstPiece(offset + at, data.Length - at);
        }
        Put(offset + from, data[from..]);
    }

    // A fresh page of the cache costs more processor time than the device takes (docs/benchmarks.md): only the blocks that this write
    // shares with its neighbours go that way.
    void Put(long offset, ReadOnlySpan<byte> data)
    {
        var head = (int)(-offset & (AlignedPiece.Alignment - 1));
        if (data.Length < DirectBytes || Direct() is not { } direct) { file.WriteAt(offset, data); return; }
        var body = AlignedPiece.RoundDown(data.Length - head);
        if (head > 0) file.WriteAt(offset, data[..head]);
        PutAligned(direct, offset + head, data.Slice(head, body));
        if (head + body < data.Length) file.WriteAt(offset + head + body, data[(head + body)..]);
    }

    void PutAligned(Descriptor direct, long offset, ReadOnlySpan<byte> data)
    {
        using var piece = AlignedPiece.Rent();
        for (var at = 0; at < data.Length; at += AlignedPiece.Size)
        {
            var part = data.Slice(at, Math.Min(AlignedPiece.Size, data.Length - at));
            part.CopyTo(piece.Span);
            try { direct.WriteAt(offset + at, piece.Span[..part.Length]); }
            catch (PosixException e) when (e.Errno == Errno.EINVAL)   // another alignment is wanted, or the rest of a part that did not fit
            {
                lock (_gate) _hasNoDirect = true;
                file.WriteAt(offset + at, data[at..]);
                return;
            }
        }
    }

    /// <summary>The same file opened for direct writes; null where its file system has none.</summary>
    Descriptor? Direct()
    {
        lock (_gate)
        {
            if (_direct is not null || _hasNoDirect) return _hasNoDirect ? null : _direct;
            var errno = parent.TryOpenAt(temporary, OpenFlags.WriteOnly | OpenFlags.NoFollow | OpenFlags.Direct, 0, out _direct);
            _hasNoDirect = errno != Errno.None || !_direct!.Stat().IsSameFile(file.Stat());
            if (!_hasNoDirect) file.SetLength(sizeBytes);   // so that none of the writes has to move the end
            return _hasNoDirect ? null : _direct;
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
        _direct?.Dispose();
        file.Dispose();
        parent.Dispose();
    }
}
