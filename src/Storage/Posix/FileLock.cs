using BackupDr.Contracts;

namespace BackupDr.Storage.Posix;

/// <summary>A file that one process holds at a time. The kernel lets go of it when the process ends, however it ends.</summary>
public sealed class FileLock : IDisposable
{
    const int ExclusiveNonBlocking = 2 | 4;   // LOCK_EX | LOCK_NB
    readonly Descriptor _file;

    FileLock(Descriptor file) => _file = file;

    /// <summary>Takes the lock; null where another process holds it. The file is made where it is missing, and stays.</summary>
    /// <exception cref="PosixException">It cannot be made or opened.</exception>
    public static FileLock? TryTake(FilePath path)
    {
        var file = Descriptor.Open(path, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow, 0x180);   // 0600
        if (Libc.flock(file, ExclusiveNonBlocking) == 0) return new FileLock(file);
        var errno = PosixException.Last;
        file.Dispose();
        return errno == Errno.EAGAIN ? null : throw new PosixException("flock", path, errno);
    }

    /// <summary>Takes the lock on an open file or folder for as long as that descriptor lives. False where another process holds it, or
    /// where the file system knows no such locks.</summary>
    public static bool TryTake(Descriptor opened) => Libc.flock(opened, ExclusiveNonBlocking) == 0;

    /// <summary>Lets go.</summary>
    public void Dispose() => _file.Dispose();
}
