using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Storage.Folder;

/// <summary>The only way in which a store's file comes to be: temporary name, write, fsync, rename unless it exists, fsync of the
/// folder.</summary>
/// <remarks>
/// Leave one step out and a power cut shows it: without the first fsync a file comes back under its final name with no bytes in it,
/// without the second under its temporary name. After a failed fsync the descriptor is given up and the file removed.
/// </remarks>
static class DurableWrite
{
    const int WriteBytes = 4 << 20;      // so that a cancelled put of a large object stops soon
    const OpenFlags NewFile = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;
    const int FilePermissions = 0x100;   // 0400: objects never change
    const int FolderPermissions = 0x1C0; // 0700

    const int DirectBytes = AlignedPiece.Size;   // from this size on a file is written past the page cache, in pieces of this size

    /// <summary>Writes a new file. False where there is one of that name; it is left as it is.</summary>
    /// <exception cref="PosixException">Nothing is visible under the name.</exception>
    public static bool TryPutNew(Descriptor folder, ReadOnlySpan<byte> name, ReadOnlySpan<byte> content, CancellationToken ct)
    {
        var temporary = TemporaryName.Make(name);
        try
        {
            if (content.Length < DirectBytes || !TryWriteDirect(folder, temporary, content, ct))
                WriteThroughCache(folder, temporary, content, ct);
            ct.ThrowIfCancellationRequested();
        }
        catch
        {
            folder.TryRemove(temporary);
            throw;
        }
        var errno = folder.TryRenameNew(temporary, name);
        if (errno != Errno.None)
        {
            folder.TryRemove(temporary);
            return errno == Errno.EEXIST ? false : throw new PosixException("rename", new FilePath(name.ToArray()), errno);
        }
        SyncEntries(folder);
        return true;
    }

    static void WriteThroughCache(Descriptor folder, byte[] temporary, ReadOnlySpan<byte> content, CancellationToken ct)
    {
        using var file = folder.OpenAt(temporary, NewFile, FilePermissions);
        for (var at = 0; at < content.Length; at += WriteBytes)
        {
            ct.ThrowIfCancellationRequested();
            file.WriteAt(at, content.Slice(at, Math.Min(WriteBytes, content.Length - at)));
        }
        file.Sync();
    }

    /// <summary>
    /// Writes a large file past the page cache: what we store is not read again soon, and a fresh page costs more processor time than the
    /// device takes (docs/benchmarks.md). False, with nothing left behind, where the file system has no direct writes.
    /// </summary>
    static bool TryWriteDirect(Descriptor folder, byte[] temporary, ReadOnlySpan<byte> content, CancellationToken ct)
    {
        var errno = folder.TryOpenAt(temporary, NewFile | OpenFlags.Direct, FilePermissions, out var opened);
        if (errno == Errno.EINVAL)
        {
            folder.TryRemove(temporary);   // some make the file before they say that they have no direct writes
            return false;
        }
        if (errno != Errno.None) throw new PosixException("open", new FilePath(temporary), errno);
        using var file = opened!;
        using var piece = AlignedPiece.Rent();
        for (var at = 0; at < content.Length; at += DirectBytes)
        {
            ct.ThrowIfCancellationRequested();
            var length = Math.Min(DirectBytes, content.Length - at);
            var padded = AlignedPiece.RoundUp(length);   // the padding is cut off below
            content.Slice(at, length).CopyTo(piece.Span);
            piece.Span[length..padded].Clear();
            try { file.WriteAt(at, piece.Span[..padded]); }
            catch (PosixException e) when (e.Errno == Errno.EINVAL)   // another alignment is wanted, or this is what did not fit
            {
                folder.TryRemove(temporary);
                return false;
            }
        }
        file.SetLength(content.Length);
        file.Sync();
        return true;
    }

    /// <summary>Opens a folder by path, making what is missing of it; each new one is made durable in its parent before it is
    /// used.</summary>
    /// <param name="root">Where a relative path starts; null for the root and the working folder.</param>
    /// <param name="path">One or more parts.</param>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public static Descriptor OpenOrMakeFolder(Descriptor? root, byte[] path)
    {
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Folder;
        if (root is not null && root.TryOpenAt(path, flags, 0, out var whole) == Errno.None) return whole!;
        var start = path is [(byte)'/', ..] ? "/"u8 : "."u8;
        var folder = root is null
            ? Descriptor.Open(new FilePath(start.ToArray()), flags | OpenFlags.PathOnly)
            : root.OpenAt("."u8, flags | OpenFlags.PathOnly);
        foreach (var range in path.AsSpan().Split((byte)'/'))
        {
            var part = path.AsSpan(range);
            if (part.IsEmpty) continue;
            var parent = folder;
            using (parent) folder = OpenOrMakePart(parent, part);
        }
        using (folder) return folder.OpenAt("."u8, flags);   // the way down needs no read right, the end does
    }

    static Descriptor OpenOrMakePart(Descriptor parent, ReadOnlySpan<byte> part)
    {
        if (parent.TryOpenAt(part, OpenFlags.PathOnly | OpenFlags.Folder, 0, out var there) == Errno.None) return there!;
        var errno = parent.TryMakeFolder(part, FolderPermissions);
        if (errno is not (Errno.None or Errno.EEXIST)) throw new PosixException("mkdir", new FilePath(part.ToArray()), errno);
        if (errno == Errno.None)
            using (var readable = parent.OpenAt("."u8, OpenFlags.ReadOnly | OpenFlags.Folder)) SyncEntries(readable);
        return parent.OpenAt(part, OpenFlags.PathOnly | OpenFlags.Folder);
    }

    /// <summary>Makes the names in a folder durable.</summary>
    /// <remarks>
    /// Some network file systems have no fsync for folders and say EINVAL: their rename is as durable as the server makes it.
    /// </remarks>
    public static void SyncEntries(Descriptor folder)
    {
        try { folder.Sync(); }
        catch (PosixException e) when (e.Errno is Errno.EINVAL or Errno.ENOTSUP) { return; }
    }
}
