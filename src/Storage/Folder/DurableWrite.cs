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
    const int FilePermissions = 0x100;   // 0400: objects never change
    const int FolderPermissions = 0x1C0; // 0700

    /// <summary>Writes a new file. False where there is one of that name; it is left as it is.</summary>
    /// <exception cref="PosixException">Nothing is visible under the name.</exception>
    public static bool TryPutNew(Descriptor folder, ReadOnlySpan<byte> name, ReadOnlySpan<byte> content, CancellationToken ct)
    {
        var temporary = TemporaryName.Make(name);
        using (var file = folder.OpenAt(temporary, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow,
            FilePermissions))
        {
            try
            {
                for (var at = 0; at < content.Length; at += WriteBytes)
                {
                    ct.ThrowIfCancellationRequested();
                    file.WriteAt(at, content.Slice(at, Math.Min(WriteBytes, content.Length - at)));
                }
                file.Sync();
                ct.ThrowIfCancellationRequested();
            }
            catch
            {
                folder.TryRemove(temporary);
                throw;
            }
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
