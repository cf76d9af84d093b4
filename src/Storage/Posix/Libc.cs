using System.Runtime.InteropServices;

namespace BackupDr.Storage.Posix;

/// <summary>The C library's calls, one to one. Only the types beside it call them; they retry EINTR and turn errno into
/// exceptions.</summary>
/// <remarks>Calls that old C libraries do not export (getdents64 before 2.30, mknodat before 2.33, openat2 in all of them) go through
/// syscall.</remarks>
static partial class Libc
{
    const string Name = "libc";

    public const int CurrentFolder = -100;         // AT_FDCWD
    public const int NoFollow = 0x100;             // AT_SYMLINK_NOFOLLOW
    public const int RemoveFolder = 0x200;         // AT_REMOVEDIR
    public const int Follow = 0x400;               // AT_SYMLINK_FOLLOW, for linkat
    public const int EmptyPath = 0x1000;           // AT_EMPTY_PATH
    public const uint BasicStats = 0x7FF;          // STATX_BASIC_STATS
    public const uint RenameNoReplace = 1;         // RENAME_NOREPLACE
    public const int SeekEnd = 2, SeekData = 3, SeekHole = 4;

    static readonly bool Arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    public static readonly nint GetDents64 = Arm ? 61 : 217;
    public static readonly nint MknodAt = Arm ? 33 : 259;
    public static readonly nint OpenAt2 = 437;
    public static readonly nint ListXattrAt = 465;

    [StructLayout(LayoutKind.Sequential)]
    public struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct OpenHow
    {
        public ulong Flags, Mode, Resolve;
    }

    [LibraryImport(Name, SetLastError = true)]
    public static partial int openat(nint folder, in byte path, int flags, uint mode);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int openat(Descriptor folder, in byte path, int flags, uint mode);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int close(nint fd);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    public static partial nint openat2(nint number, Descriptor folder, in byte path, in OpenHow how, nint size);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    public static partial nint getdents64(nint number, Descriptor fd, ref byte buffer, nint size);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    public static partial nint mknodat(nint number, Descriptor folder, in byte path, nint mode, nint device);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fsync(Descriptor fd);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fdatasync(Descriptor fd);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int syncfs(Descriptor fd);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int ftruncate(Descriptor fd, long length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint pread(Descriptor fd, ref byte buffer, nint count, long offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint pwrite(Descriptor fd, in byte buffer, nint count, long offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial long lseek(Descriptor fd, long offset, int whence);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int statx(nint folder, in byte path, int flags, uint mask, out StatxBuffer status);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int statx(Descriptor folder, in byte path, int flags, uint mask, out StatxBuffer status);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int renameat2(Descriptor oldFolder, in byte oldName, Descriptor newFolder, in byte newName, uint flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int linkat(Descriptor oldFolder, in byte oldName, Descriptor newFolder, in byte newName, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int unlinkat(Descriptor folder, in byte name, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int mkdirat(Descriptor folder, in byte name, uint mode);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int symlinkat(in byte target, Descriptor folder, in byte name);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint readlinkat(Descriptor folder, in byte name, ref byte buffer, nint size);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fchownat(Descriptor folder, in byte name, uint uid, uint gid, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fchmod(Descriptor fd, uint mode);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fchmodat(Descriptor folder, in byte name, uint mode, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int utimensat(Descriptor folder, in byte name, ReadOnlySpan<TimeSpec> times, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int futimens(Descriptor fd, ReadOnlySpan<TimeSpec> times);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint flistxattr(Descriptor fd, ref byte buffer, nint size);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint llistxattr(in byte path, ref byte buffer, nint size);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    public static partial nint listxattrat(nint number, Descriptor folder, in byte name, nint flags, ref byte buffer, nint size);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint fgetxattr(Descriptor fd, in byte name, ref byte buffer, nint size);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint lgetxattr(in byte path, in byte name, ref byte buffer, nint size);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fsetxattr(Descriptor fd, in byte name, in byte value, nint size, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int lsetxattr(in byte path, in byte name, in byte value, nint size, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fremovexattr(Descriptor fd, in byte name);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int clock_gettime(int clock, out TimeSpec now);

    // Not with an array of texts: the code that is generated for one reads its elements before it writes them, out of stack memory that
    // nobody cleared, and the checked arithmetic of this project takes what lies there for an overflow.
    [LibraryImport(Name, SetLastError = true)]
    public static partial int execv(nint path, in nint arguments);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int flock(Descriptor fd, int operation);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int setns(Descriptor fd, int kind);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int kill(int pid, int signal);

    [LibraryImport(Name)]
    public static partial uint geteuid();

    [LibraryImport(Name)]
    public static partial int getpwuid_r(uint uid, Span<byte> entry, Span<byte> buffer, nint size, out nint found);

    [LibraryImport(Name)]
    public static partial int getgrgid_r(uint gid, Span<byte> entry, Span<byte> buffer, nint size, out nint found);

    [LibraryImport(Name)]
    public static partial int getpwnam_r(in byte name, Span<byte> entry, Span<byte> buffer, nint size, out nint found);

    [LibraryImport(Name)]
    public static partial int getgrnam_r(in byte name, Span<byte> entry, Span<byte> buffer, nint size, out nint found);
}
