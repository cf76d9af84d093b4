using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BackupDr.Contracts;

namespace BackupDr.Storage.Posix;

/// <summary>What is done to entries below an open folder. A name is one entry; calls that take a path say so.</summary>
public sealed partial class Descriptor
{
    /// <summary>Opens a path below this folder. Symbolic links are followed unless the flags or the path's shape forbid it.</summary>
    /// <param name="path">Relative, one or more parts.</param>
    /// <param name="flags">How.</param>
    /// <param name="permissions">For a new file, before the umask.</param>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public Descriptor OpenAt(ReadOnlySpan<byte> path, OpenFlags flags, int permissions = 0)
    {
        var errno = TryOpenAt(path, flags, permissions, out var opened);
        return errno == Errno.None ? opened! : throw new PosixException("open", new FilePath(path.ToArray()), errno);
    }

    /// <summary>As <see cref="OpenAt"/>; a refusal is an ordinary answer.</summary>
    /// <param name="path">Relative, one or more parts.</param>
    /// <param name="flags">How.</param>
    /// <param name="permissions">For a new file, before the umask.</param>
    /// <param name="opened">The open thing; null unless the answer is <see cref="Errno.None"/>.</param>
    [SkipLocalsInit]
    public Errno TryOpenAt(ReadOnlySpan<byte> path, OpenFlags flags, int permissions, out Descriptor? opened)
    {
        var native = new NativeName(path, stackalloc byte[NativeName.Room]);
        nint fd;
        do fd = Libc.openat(this, in native.First, OpenFlagBits.Of(flags), (uint)permissions);
        while (fd < 0 && PosixException.Last == Errno.EINTR);
        opened = fd >= 0 ? new Descriptor(fd) : null;
        return fd >= 0 ? Errno.None : PosixException.Last;
    }

    /// <summary>Opens a path of any depth below this folder with openat2, which refuses on the way what <paramref name="resolve"/>
    /// names.</summary>
    /// <param name="path">Relative, one or more parts.</param>
    /// <param name="flags">How.</param>
    /// <param name="resolve">What is refused.</param>
    /// <param name="permissions">For a new file, before the umask.</param>
    /// <exception cref="PosixException">The kernel refused: ELOOP for a link, EXDEV for a way out, ENOSYS before Linux 5.6.</exception>
    [SkipLocalsInit]
    public Descriptor OpenConfined(ReadOnlySpan<byte> path, OpenFlags flags, ResolveFlags resolve = ResolveFlags.Confined,
        int permissions = 0)
    {
        var native = new NativeName(path, stackalloc byte[NativeName.Room]);
        var how = new Libc.OpenHow { Flags = (ulong)OpenFlagBits.Of(flags), Mode = (ulong)permissions, Resolve = (ulong)resolve };
        nint fd;
        // EAGAIN: somebody renamed a folder on the way while ".." was being resolved; the kernel asks to try again.
        do fd = Libc.openat2(Libc.OpenAt2, this, in native.First, in how, Unsafe.SizeOf<Libc.OpenHow>());
        while (fd < 0 && PosixException.Last is Errno.EINTR or Errno.EAGAIN);
        return fd >= 0 ? new Descriptor(fd) : throw PosixException.FromLast("openat2", path);
    }

    /// <summary>Status of an entry.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public FileStatus StatAt(ReadOnlySpan<byte> path, bool follow = false)
    {
        var errno = TryStatAt(path, follow, out var status);
        return errno == Errno.None ? status : throw new PosixException("stat", new FilePath(path.ToArray()), errno);
    }

    /// <summary>As <see cref="StatAt"/>; a refusal is an ordinary answer.</summary>
    [SkipLocalsInit]
    public Errno TryStatAt(ReadOnlySpan<byte> path, bool follow, out FileStatus status)
    {
        var native = new NativeName(path, stackalloc byte[NativeName.Room]);
        StatxBuffer raw;
        int result;
        do result = Libc.statx(this, in native.First, follow ? 0 : Libc.NoFollow, Libc.BasicStats, out raw);
        while (result < 0 && PosixException.Last == Errno.EINTR);
        status = result == 0 ? new FileStatus(in raw) : default;
        return result == 0 ? Errno.None : PosixException.Last;
    }

    /// <summary>Renames an entry into the folder <paramref name="newFolder"/>, in one step; what is there under the new name is
    /// replaced.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public void Rename(ReadOnlySpan<byte> name, Descriptor newFolder, ReadOnlySpan<byte> newName)
    {
        var errno = TryRename(name, newFolder, newName, flags: 0);
        if (errno != Errno.None) throw new PosixException("rename", new FilePath(newName.ToArray()), errno);
    }

    /// <summary>Renames an entry within this folder unless the new name exists: <see cref="Errno.EEXIST"/> then, and nothing is
    /// changed.</summary>
    /// <remarks>File systems without RENAME_NOREPLACE (some network ones) get a hard link and an unlink, which is as exact.</remarks>
    public Errno TryRenameNew(ReadOnlySpan<byte> name, ReadOnlySpan<byte> newName)
    {
        var errno = TryRename(name, this, newName, Libc.RenameNoReplace);
        if (errno is not (Errno.EINVAL or Errno.ENOSYS)) return errno;
        errno = TryLink(name, this, newName);
        if (errno == Errno.None) Remove(name);
        return errno;
    }

    [SkipLocalsInit]
    Errno TryRename(ReadOnlySpan<byte> name, Descriptor newFolder, ReadOnlySpan<byte> newName, uint flags)
    {
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        var newNative = new NativeName(newName, stackalloc byte[NativeName.Room]);
        int result;
        do result = Libc.renameat2(this, in native.First, newFolder, in newNative.First, flags);
        while (result < 0 && PosixException.Last == Errno.EINTR);
        return result == 0 ? Errno.None : PosixException.Last;
    }

    /// <summary>Gives the entry a further name in <paramref name="newFolder"/>. A symbolic link is linked itself, not what it points
    /// to.</summary>
    [SkipLocalsInit]
    public Errno TryLink(ReadOnlySpan<byte> name, Descriptor newFolder, ReadOnlySpan<byte> newName)
    {
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        var newNative = new NativeName(newName, stackalloc byte[NativeName.Room]);
        return Libc.linkat(this, in native.First, newFolder, in newNative.First, 0) == 0 ? Errno.None : PosixException.Last;
    }

    /// <summary>Removes an entry that is no folder.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public void Remove(ReadOnlySpan<byte> name)
    {
        var errno = TryRemove(name);
        if (errno != Errno.None) throw new PosixException("unlink", new FilePath(name.ToArray()), errno);
    }

    /// <summary>As <see cref="Remove"/>; a refusal is an ordinary answer. With <paramref name="folder"/>: an empty folder.</summary>
    [SkipLocalsInit]
    public Errno TryRemove(ReadOnlySpan<byte> name, bool folder = false)
    {
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        return Libc.unlinkat(this, in native.First, folder ? Libc.RemoveFolder : 0) == 0 ? Errno.None : PosixException.Last;
    }

    /// <summary>Makes a folder. That it exists is an ordinary answer: <see cref="Errno.EEXIST"/>.</summary>
    [SkipLocalsInit]
    public Errno TryMakeFolder(ReadOnlySpan<byte> name, int permissions)
    {
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        return Libc.mkdirat(this, in native.First, (uint)permissions) == 0 ? Errno.None : PosixException.Last;
    }

    /// <summary>Makes a symbolic link.</summary>
    [SkipLocalsInit]
    public Errno TryMakeSymlink(ReadOnlySpan<byte> name, ReadOnlySpan<byte> target)
    {
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        var nativeTarget = new NativeName(target, stackalloc byte[NativeName.Room]);
        return Libc.symlinkat(in nativeTarget.First, this, in native.First) == 0 ? Errno.None : PosixException.Last;
    }

    /// <summary>Makes a fifo, socket or device node.</summary>
    /// <param name="name">Name.</param>
    /// <param name="kind">Kind.</param>
    /// <param name="permissions">Before the umask.</param>
    /// <param name="device">st_rdev; 0 for fifos and sockets.</param>
    [SkipLocalsInit]
    public Errno TryMakeNode(ReadOnlySpan<byte> name, FileKind kind, int permissions, ulong device)
    {
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        return Libc.mknodat(Libc.MknodAt, this, in native.First, (int)kind | permissions, (nint)device) == 0 ? Errno.None
            : PosixException.Last;
    }

    /// <summary>The raw target of a symbolic link.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    [SkipLocalsInit]
    public FilePath ReadLink(ReadOnlySpan<byte> name)
    {
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        Span<byte> target = stackalloc byte[4096];   // PATH_MAX; the kernel makes no longer links
        var length = Libc.readlinkat(this, in native.First, ref MemoryMarshal.GetReference(target), target.Length);
        return length >= 0 ? new FilePath(target[..(int)length].ToArray()) : throw PosixException.FromLast("readlink", name);
    }

    /// <summary>Sets the owner of an entry; of a symbolic link itself.</summary>
    [SkipLocalsInit]
    public Errno TrySetOwnerAt(ReadOnlySpan<byte> name, uint uid, uint gid)
    {
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        return Libc.fchownat(this, in native.First, uid, gid, Libc.NoFollow) == 0 ? Errno.None : PosixException.Last;
    }

    /// <summary>Sets the permission bits of an entry; of a symbolic link (which has none) <see cref="Errno.ELOOP"/>.</summary>
    /// <remarks>fchmodat follows links, so the entry is pinned first: nobody can put a link in its place between the look and the
    /// change.</remarks>
    [SkipLocalsInit]
    public Errno TrySetPermissionsAt(ReadOnlySpan<byte> name, int permissions)
    {
        var errno = TryOpenAt(name, OpenFlags.PathOnly | OpenFlags.NoFollow, 0, out var pinned);
        if (errno != Errno.None) return errno;
        using (pinned!)
        {
            if (pinned!.Stat().Kind == FileKind.Symlink) return Errno.ELOOP;
            var path = pinned.EntryPath(default, stackalloc byte[NativeName.Room]);
            var native = new NativeName(path[..^1], stackalloc byte[NativeName.Room]);   // without the slash: the thing itself
            return Libc.fchmodat(this, in native.First, (uint)permissions, 0) == 0 ? Errno.None : PosixException.Last;
        }
    }

    /// <summary>Sets the times of an entry; of a symbolic link itself.</summary>
    [SkipLocalsInit]
    public Errno TrySetTimesAt(ReadOnlySpan<byte> name, PosixTime accessed, PosixTime modified)
    {
        var native = new NativeName(name, stackalloc byte[NativeName.Room]);
        ReadOnlySpan<Libc.TimeSpec> times =
        [
            new() { Seconds = accessed.Seconds, Nanoseconds = accessed.Nanoseconds },
            new() { Seconds = modified.Seconds, Nanoseconds = modified.Nanoseconds },
        ];
        return Libc.utimensat(this, in native.First, times, Libc.NoFollow) == 0 ? Errno.None : PosixException.Last;
    }
}
