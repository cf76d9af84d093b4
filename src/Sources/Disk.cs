using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources;

/// <summary>Small files and folders beside the data: settings, signals, journals, scratch folders.</summary>
static class Disk
{
    public const int FolderPermissions = 0x1C0, FilePermissions = 0x180;   // 0700 and 0600

    /// <summary>All of a file; null where there is none.</summary>
    /// <exception cref="PosixException">It cannot be read.</exception>
    public static byte[]? TryRead(string path, int largestBytes = 16 << 20)
    {
        try
        {
            using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly | OpenFlags.NonBlocking);
            // Files of /proc tell no sizes.
            var bytes = new byte[(int)Math.Min(file.Stat().SizeBytes is > 0 and var size ? size + 1 : 65_536, largestBytes)];
            return bytes[..file.FillAt(0, bytes)];
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ESRCH) { return null; }
    }

    /// <summary>All of a file as text; null where there is none.</summary>
    public static string? TryReadText(string path) => TryRead(path) is { } bytes ? System.Text.Encoding.UTF8.GetString(bytes) : null;

    /// <summary>Whether something stands there.</summary>
    public static bool Exists(string path)
    {
        try
        {
            Descriptor.StatOf(FilePath.FromText(path));
            return true;
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR) { return false; }
    }

    /// <summary>Writes a file whole: under another name first, synced, renamed, its folder synced.</summary>
    /// <param name="path">Where.</param>
    /// <param name="content">All of it.</param>
    /// <param name="owner">Whose it is to be; null for whoever writes.</param>
    /// <param name="isDurable">False where nobody needs it after a power cut.</param>
    public static void Write(string path, ReadOnlySpan<byte> content, (uint Uid, uint Gid)? owner = null, bool isDurable = true)
    {
        using var folder = Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(path)!));
        var (name, making) = (FilePath.FromText(Path.GetFileName(path)), FilePath.FromText(Path.GetFileName(path) + ".new"));
        folder.TryRemove(making.Bytes);
        const OpenFlags flags = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;
        using (var file = folder.OpenAt(making.Bytes, flags, FilePermissions))
        {
            file.WriteAt(0, content);
            if (owner is { } whose && AccountNames.IsRoot && file.TrySetOwner(whose.Uid, whose.Gid) is not Errno.None and var errno)
                throw new PosixException("chown", FilePath.FromText(path), errno);
            if (isDurable) file.Sync();
        }
        folder.Rename(making.Bytes, folder, name.Bytes);
        if (isDurable) folder.Sync();
    }

    /// <summary>Makes a folder of one's own, and those above it.</summary>
    public static void MakeFolder(string path, (uint Uid, uint Gid)? owner = null)
    {
        if (Exists(path)) return;
        var above = Path.GetDirectoryName(path)!;
        MakeFolder(above, owner);
        using var folder = Descriptor.OpenFolder(FilePath.FromText(above));
        var name = FilePath.FromText(Path.GetFileName(path));
        var errno = folder.TryMakeFolder(name.Bytes, FolderPermissions);
        if (errno is not (Errno.None or Errno.EEXIST)) throw new PosixException("mkdir", FilePath.FromText(path), errno);
        if (owner is { } whose && AccountNames.IsRoot) folder.TrySetOwnerAt(name.Bytes, whose.Uid, whose.Gid);
        folder.Sync();
    }

    /// <summary>Names in a folder with their kinds; empty where there is none.</summary>
    public static List<(string Name, FileKind Kind)> List(string path)
    {
        var found = new List<(string, FileKind)>();
        try
        {
            using var folder = Descriptor.OpenFolder(FilePath.FromText(path));
            using var reader = new FolderReader(folder);
            while (reader.Next(out var name, out var kind)) found.Add((System.Text.Encoding.UTF8.GetString(name), kind));
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR) { return found; }
        return found;
    }

    /// <summary>Removes a file; false where there is none.</summary>
    public static bool Remove(string path)
    {
        using var folder = Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(path)!));
        var errno = folder.TryRemove(FilePath.FromText(Path.GetFileName(path)).Bytes);
        return errno is Errno.None || (errno is Errno.ENOENT ? false
            : throw new PosixException("unlink", FilePath.FromText(path), errno));
    }

    /// <summary>Removes a folder with all that is in it; links in it are removed, never followed.</summary>
    public static void RemoveTree(string path)
    {
        foreach (var (name, kind) in List(path))
        {
            if (kind == FileKind.Folder) RemoveTree(Path.Combine(path, name));
            else Remove(Path.Combine(path, name));
        }
        using var above = Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(path)!));
        var errno = above.TryRemove(FilePath.FromText(Path.GetFileName(path)).Bytes, folder: true);
        if (errno is not (Errno.None or Errno.ENOENT)) throw new PosixException("rmdir", FilePath.FromText(path), errno);
    }
}
