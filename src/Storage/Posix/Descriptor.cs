using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BackupDr.Contracts;
using Microsoft.Win32.SafeHandles;

namespace BackupDr.Storage.Posix;

/// <summary>An open file or folder. Everything that touches files where data is at stake goes through this type.</summary>
/// <remarks>
/// .NET's own file types hide a failed fsync, cannot open a folder and turn two names that are not UTF-8 into the same string
/// (docs/decisions: own POSIX layer). Names here are bytes, calls interrupted by a signal are repeated, and every other failure is a
/// <see cref="PosixException"/>. Safe for concurrent use except for <see cref="System.Runtime.InteropServices.SafeHandle.Dispose()"/>.
/// This part holds what is done to the open thing itself; <c>Descriptor.Entries.cs</c> what is done below an open folder.
/// </remarks>
public sealed partial class Descriptor : SafeHandleMinusOneIsInvalid
{
    bool _syncFailed;

    Descriptor(nint fd) : base(ownsHandle: true) => SetHandle(fd);

    /// <summary>Opens by path, from the root or from the working folder.</summary>
    /// <param name="path">Absolute or relative.</param>
    /// <param name="flags">How.</param>
    /// <param name="permissions">For a new file, before the umask.</param>
    /// <exception cref="PosixException">The kernel refused.</exception>
    [SkipLocalsInit]
    public static Descriptor Open(FilePath path, OpenFlags flags, int permissions = 0)
    {
        var native = new NativeName(path.Bytes, stackalloc byte[NativeName.Room]);
        nint fd;
        do fd = Libc.openat(Libc.CurrentFolder, in native.First, OpenFlagBits.Of(flags), (uint)permissions);
        while (fd < 0 && PosixException.Last == Errno.EINTR);
        return fd >= 0 ? new Descriptor(fd) : throw PosixException.FromLast("open", path.Bytes);
    }

    /// <summary>Opens a folder to read it, to sync it and to start from.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public static Descriptor OpenFolder(FilePath path) => Open(path, OpenFlags.ReadOnly | OpenFlags.Folder);

    /// <summary>Status by path; a symbolic link in the last place is followed only where <paramref name="follow"/> says so.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    [SkipLocalsInit]
    public static FileStatus StatOf(FilePath path, bool follow = false)
    {
        var native = new NativeName(path.Bytes, stackalloc byte[NativeName.Room]);
        StatxBuffer raw;
        int result;
        do result = Libc.statx(Libc.CurrentFolder, in native.First, follow ? 0 : Libc.NoFollow, Libc.BasicStats, out raw);
        while (result < 0 && PosixException.Last == Errno.EINTR);
        return result == 0 ? new FileStatus(in raw) : throw PosixException.FromLast("stat", path.Bytes);
    }

    /// <summary>Status of the open thing.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public FileStatus Stat()
    {
        byte empty = 0;
        StatxBuffer raw;
        int result;
        do result = Libc.statx(this, in empty, Libc.EmptyPath, Libc.BasicStats, out raw);
        while (result < 0 && PosixException.Last == Errno.EINTR);
        return result == 0 ? new FileStatus(in raw) : throw PosixException.FromLast("stat", default);
    }

    /// <summary>Reads once from <paramref name="offset"/>: fewer bytes than asked for are an ordinary answer, 0 is the end.</summary>
    /// <exception cref="PosixException">The read failed.</exception>
    public int ReadAt(long offset, Span<byte> target)
    {
        nint count;
        do count = Libc.pread(this, ref MemoryMarshal.GetReference(target), target.Length, offset);
        while (count < 0 && PosixException.Last == Errno.EINTR);
        return count >= 0 ? (int)count : throw PosixException.FromLast("read", default);
    }

    /// <summary>Fills as much of <paramref name="target"/> as there is from <paramref name="offset"/>; less only at the end of the
    /// file.</summary>
    /// <exception cref="PosixException">The read failed.</exception>
    public int FillAt(long offset, Span<byte> target)
    {
        var filled = 0;
        while (filled < target.Length)
        {
            var count = ReadAt(offset + filled, target[filled..]);
            if (count == 0) break;
            filled += count;
        }
        return filled;
    }

    /// <summary>Writes all of <paramref name="data"/> at <paramref name="offset"/>.</summary>
    /// <exception cref="PosixException">The write failed; how much of it arrived is unknown.</exception>
    public void WriteAt(long offset, ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            nint count;
            do count = Libc.pwrite(this, in MemoryMarshal.GetReference(data), data.Length, offset);
            while (count < 0 && PosixException.Last == Errno.EINTR);
            if (count < 0) throw PosixException.FromLast("write", default);
            // The kernel never writes nothing without an error to a regular file; a file system that does must not make us spin.
            if (count == 0) throw new PosixException("write", default, Errno.EIO);
            data = data[(int)count..];
            offset += count;
        }
    }

    /// <summary>Sets the length; what is added reads as zeros and occupies nothing.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public void SetLength(long sizeBytes)
    {
        int result;
        do result = Libc.ftruncate(this, sizeBytes);
        while (result < 0 && PosixException.Last == Errno.EINTR);
        if (result < 0) throw PosixException.FromLast("ftruncate", default);
    }

    /// <summary>fsync: on return content and metadata are on the device. Of a folder: its entries.</summary>
    /// <remarks>After a failure the kernel may have dropped the unwritten pages and would call a second try a success, so there is none:
    /// every further call on this descriptor fails. Write the file again under a new one.</remarks>
    /// <exception cref="PosixException">The device did not take it.</exception>
    public void Sync() => Settle("fsync", contentOnly: false);

    /// <summary>fdatasync: as <see cref="Sync"/>, without metadata that is not needed to read the content back.</summary>
    /// <exception cref="PosixException">The device did not take it.</exception>
    public void SyncContent() => Settle("fdatasync", contentOnly: true);

    /// <summary>syncfs: on return everything written to the file system that this lies on is on the device; one call for many
    /// files.</summary>
    /// <exception cref="PosixException">The device did not take something.</exception>
    public void SyncFileSystem()
    {
        if (Libc.syncfs(this) < 0) throw PosixException.FromLast("syncfs", default);
    }

    void Settle(string call, bool contentOnly)
    {
        if (Volatile.Read(ref _syncFailed)) throw new PosixException(call, default, Errno.EIO);
        int result;
        do result = contentOnly ? Libc.fdatasync(this) : Libc.fsync(this);
        while (result < 0 && PosixException.Last == Errno.EINTR);
        if (result == 0) return;
        var failure = PosixException.FromLast(call, default);
        Volatile.Write(ref _syncFailed, true);
        throw failure;
    }

    /// <summary>Where it ends: the length of a file, the size of a block device.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public long LengthBytes()
    {
        var end = Libc.lseek(this, 0, Libc.SeekEnd);
        return end >= 0 ? end : throw PosixException.FromLast("lseek", default);
    }

    /// <summary>The next offset at or after <paramref name="offset"/> where data lies; null where only a hole is left.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public long? NextData(long offset)
    {
        var found = Libc.lseek(this, offset, Libc.SeekData);
        if (found >= 0) return found;
        return PosixException.Last == Errno.ENXIO ? null : throw PosixException.FromLast("lseek", default);
    }

    /// <summary>The next offset at or after <paramref name="offset"/>, which must lie in data, where a hole begins; at the latest the end
    /// of the file.</summary>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public long NextHole(long offset)
    {
        var found = Libc.lseek(this, offset, Libc.SeekHole);
        return found >= 0 ? found : throw PosixException.FromLast("lseek", default);
    }

    /// <summary>Sets the permission bits with setuid, setgid and sticky.</summary>
    public Errno TrySetPermissions(int permissions) => Libc.fchmod(this, (uint)permissions) == 0 ? Errno.None : PosixException.Last;

    /// <summary>Sets the owner. Clears setuid, setgid and capabilities, so those are set afterwards.</summary>
    public Errno TrySetOwner(uint uid, uint gid)
    {
        byte empty = 0;
        return Libc.fchownat(this, in empty, uid, gid, Libc.EmptyPath) == 0 ? Errno.None : PosixException.Last;
    }

    /// <summary>Sets the times of access and modification.</summary>
    public Errno TrySetTimes(PosixTime accessed, PosixTime modified)
    {
        ReadOnlySpan<Libc.TimeSpec> times =
        [
            new() { Seconds = accessed.Seconds, Nanoseconds = accessed.Nanoseconds },
            new() { Seconds = modified.Seconds, Nanoseconds = modified.Nanoseconds },
        ];
        return Libc.futimens(this, times) == 0 ? Errno.None : PosixException.Last;
    }

    /// <inheritdoc/>
    // never repeated: after EINTR the number may already be another file's
    protected override bool ReleaseHandle() => Libc.close(handle) == 0;
}
