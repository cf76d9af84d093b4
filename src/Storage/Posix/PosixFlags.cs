using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace BackupDr.Storage.Posix;

/// <summary>How to open a file. Close-on-exec is always added.</summary>
/// <remarks>Two values differ between x86-64 and arm64; <see cref="OpenFlagBits"/> translates them.</remarks>
[Flags]
[SuppressMessage("Design", "CA1069:Enums values should not be duplicated", Justification = "O_RDONLY is zero by definition.")]
public enum OpenFlags
{
    /// <summary>To read.</summary>
    ReadOnly = 0,
    /// <summary>To write.</summary>
    WriteOnly = 1,
    /// <summary>To read and write.</summary>
    ReadWrite = 2,
    /// <summary>Make it where it is missing.</summary>
    Create = 0x40,
    /// <summary>With <see cref="Create"/>: fail where it exists; a link in the last place is never followed.</summary>
    Exclusive = 0x80,
    /// <summary>Cut it to nothing.</summary>
    Truncate = 0x200,
    /// <summary>Do not wait for the other end of a fifo.</summary>
    NonBlocking = 0x800,
    /// <summary>Past the page cache; offsets, lengths and buffers must be aligned.</summary>
    Direct = 0x4000,
    /// <summary>It must be a folder.</summary>
    Folder = 0x10000,
    /// <summary>The last part must not be a symbolic link.</summary>
    NoFollow = 0x20000,
    /// <summary>Do not change the access time; owner or root only.</summary>
    NoAccessTime = 0x40000,
    /// <summary>Only a place to start from: no reading, needs no right on the thing itself.</summary>
    PathOnly = 0x200000,
}

/// <summary>What openat2 refuses on the way.</summary>
[Flags]
public enum ResolveFlags : ulong
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>Crossing into another mounted file system.</summary>
    NoMountCrossing = 0x01,
    /// <summary>Magic links such as /proc/self/fd/3.</summary>
    NoMagicLinks = 0x02,
    /// <summary>Symbolic links anywhere on the way.</summary>
    NoSymlinks = 0x04,
    /// <summary>Leaving the folder that the path starts from.</summary>
    Beneath = 0x08,
    /// <summary>All that could lead out of a folder.</summary>
    Confined = Beneath | NoSymlinks | NoMagicLinks,
}

/// <summary>Open flags as this processor's kernel wants them.</summary>
static class OpenFlagBits
{
    const int CloseOnExec = 0x80000;
    static readonly bool Arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    public static int Of(OpenFlags flags)
    {
        var bits = (int)flags | CloseOnExec;
        if (!Arm) return bits;
        // arm64: O_DIRECTORY 040000, O_NOFOLLOW 0100000, O_DIRECT 0200000 instead of 0200000, 0400000, 040000.
        const OpenFlags moved = OpenFlags.Direct | OpenFlags.Folder | OpenFlags.NoFollow;
        bits &= ~(int)moved;
        if (flags.HasFlag(OpenFlags.Folder)) bits |= 0x4000;
        if (flags.HasFlag(OpenFlags.NoFollow)) bits |= 0x8000;
        if (flags.HasFlag(OpenFlags.Direct)) bits |= 0x10000;
        return bits;
    }
}
