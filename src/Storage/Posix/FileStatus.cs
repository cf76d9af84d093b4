using System.Runtime.InteropServices;

namespace BackupDr.Storage.Posix;

/// <summary>What kind of directory entry something is; the values are the file type bits of st_mode.</summary>
public enum FileKind
{
    /// <summary>The kernel did not say.</summary>
    Unknown = 0,
    /// <summary>Named pipe.</summary>
    Fifo = 0x1000,
    /// <summary>Character device.</summary>
    CharDevice = 0x2000,
    /// <summary>Folder.</summary>
    Folder = 0x4000,
    /// <summary>Block device.</summary>
    BlockDevice = 0x6000,
    /// <summary>Regular file.</summary>
    File = 0x8000,
    /// <summary>Symbolic link.</summary>
    Symlink = 0xA000,
    /// <summary>Socket.</summary>
    Socket = 0xC000,
}

/// <summary>An instant as the kernel gives it.</summary>
/// <param name="Seconds">Since 1970-01-01T00:00:00Z; may be negative.</param>
/// <param name="Nanoseconds">0 to 999,999,999.</param>
public readonly record struct PosixTime(long Seconds, int Nanoseconds);

/// <summary>What statx tells of a file.</summary>
public readonly record struct FileStatus
{
    internal FileStatus(in StatxBuffer raw)
    {
        Kind = (FileKind)(raw.Mode & 0xF000);
        Permissions = raw.Mode & 0xFFF;
        (Uid, Gid, Links, Inode) = (raw.Uid, raw.Gid, raw.Links, raw.Inode);
        SizeBytes = (long)raw.Size;
        AllocatedBytes = (long)raw.Blocks * 512;
        DeviceId = DeviceNumber(raw.DevMajor, raw.DevMinor);
        Device = DeviceNumber(raw.RdevMajor, raw.RdevMinor);
        ModifiedAt = raw.Modified.ToTime();
        AccessedAt = raw.Accessed.ToTime();
        ChangedAt = raw.Changed.ToTime();
    }

    /// <summary>Kind.</summary>
    public FileKind Kind { get; }
    /// <summary>Permission bits with setuid, setgid and sticky: 0 to 07777.</summary>
    public int Permissions { get; }
    /// <summary>Owner.</summary>
    public uint Uid { get; }
    /// <summary>Group.</summary>
    public uint Gid { get; }
    /// <summary>Number of names.</summary>
    public uint Links { get; }
    /// <summary>Inode number.</summary>
    public ulong Inode { get; }
    /// <summary>Length in bytes; of a symbolic link, the length of its target.</summary>
    public long SizeBytes { get; }
    /// <summary>Bytes that the file occupies on the disk; less than the length where there are holes.</summary>
    public long AllocatedBytes { get; }
    /// <summary>st_dev of the file system.</summary>
    public ulong DeviceId { get; }
    /// <summary>st_rdev of a device node.</summary>
    public ulong Device { get; }
    /// <summary>Last change of the content.</summary>
    public PosixTime ModifiedAt { get; }
    /// <summary>Last access.</summary>
    public PosixTime AccessedAt { get; }
    /// <summary>Last change of the inode.</summary>
    public PosixTime ChangedAt { get; }

    /// <summary>Whether both are of one file, under whatever names.</summary>
    public bool IsSameFile(FileStatus other) => Inode == other.Inode && DeviceId == other.DeviceId;

    /// <summary>Joins a device number as st_dev and mknod have it.</summary>
    public static ulong DeviceNumber(uint major, uint minor)
        => (minor & 0xFFUL) | ((major & 0xFFFUL) << 8) | ((ulong)(minor & 0xFFFFFF00U) << 12) | ((ulong)(major & 0xFFFFF000U) << 32);
}

[StructLayout(LayoutKind.Sequential)]
struct StatxTime
{
    public long Seconds;
    public uint Nanoseconds;
    public int Reserved;

    public readonly PosixTime ToTime() => new(Seconds, (int)Nanoseconds);
}

/// <summary>struct statx of linux/stat.h: 256 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
struct StatxBuffer
{
    public uint Mask, BlockSize;
    public ulong Attributes;
    public uint Links, Uid, Gid;
    public ushort Mode, Spare0;
    public ulong Inode, Size, Blocks, AttributesMask;
    public StatxTime Accessed, Born, Changed, Modified;
    public uint RdevMajor, RdevMinor, DevMajor, DevMinor;
}
