using System.Runtime.InteropServices;
using BackupDr.Contracts;

namespace BackupDr.Storage.Posix;

/// <summary>A system call failed.</summary>
public sealed class PosixException : BackupDrException
{
    /// <param name="call">Name of the call, for example "openat".</param>
    /// <param name="path">What it was about: a whole path or, below an open folder, a name.</param>
    /// <param name="errno">The kernel's number.</param>
    public PosixException(string call, FilePath path, Errno errno)
        : base($"posix.{CodeOf(errno)}", TextOf(call, path, errno), HintOf(errno), IsPassing(errno))
        => (Call, Path, Errno) = (call, path, errno);

    /// <summary>Name of the call, for example "openat".</summary>
    public string Call { get; }

    /// <summary>What it was about: a whole path or, below an open folder, a name. Empty where the call had only a descriptor.</summary>
    public FilePath Path { get; }

    /// <summary>The kernel's number.</summary>
    public Errno Errno { get; }

    /// <summary>The kernel's own words for <paramref name="errno"/>: "No space left on device".</summary>
    public static string Describe(Errno errno) => Marshal.GetPInvokeErrorMessage((int)errno);

    /// <summary>The last error of this thread's last system call.</summary>
    internal static Errno Last => (Errno)Marshal.GetLastPInvokeError();

    /// <summary>The last call's failure as an exception.</summary>
    internal static PosixException FromLast(string call, ReadOnlySpan<byte> path) => new(call, new FilePath(path.ToArray()), Last);

    static string TextOf(string call, FilePath path, Errno errno)
        => path.IsEmpty ? $"{call}: {Describe(errno)}" : $"{call} {path}: {Describe(errno)}";

    static string CodeOf(Errno errno) => Enum.IsDefined(errno)
        ? errno.ToString().ToLowerInvariant()
        : FormattableString.Invariant($"errno_{(int)errno}");

    static bool IsPassing(Errno errno) => errno is Errno.EAGAIN or Errno.EBUSY or Errno.ETIMEDOUT or Errno.ESTALE or Errno.EHOSTDOWN
        or Errno.ENFILE or Errno.EMFILE or Errno.ENOMEM;

    static string? HintOf(Errno errno) => errno switch
    {
        Errno.ENOSPC => "Free some space on that file system, or choose another one.",
        Errno.EDQUOT => "The disk quota is used up: raise it or free some space.",
        Errno.EACCES or Errno.EPERM => "Run as a user who has the right to it (root reads everything).",
        Errno.EROFS => "The file system is mounted read-only. Mount it read-write, or choose another one.",
        Errno.EMFILE => "Raise the limit of open files (ulimit -n).",
        Errno.EIO => "The device reported an error: look at the kernel's log (dmesg) and at the disk's health.",
        _ => null,
    };
}
