namespace BackupDr.Storage.Posix;

/// <summary>The kernel's error numbers that we tell apart (the same on all Linux architectures that .NET runs on).</summary>
public enum Errno
{
    /// <summary>No error.</summary>
    None = 0,
    /// <summary>Operation not permitted.</summary>
    EPERM = 1,
    /// <summary>No such file or directory.</summary>
    ENOENT = 2,
    /// <summary>No such process.</summary>
    ESRCH = 3,
    /// <summary>Interrupted by a signal; the layer repeats such calls itself.</summary>
    EINTR = 4,
    /// <summary>The device failed.</summary>
    EIO = 5,
    /// <summary>No such device or address: a fifo without a reader, a socket.</summary>
    ENXIO = 6,
    /// <summary>Bad descriptor.</summary>
    EBADF = 9,
    /// <summary>Try again.</summary>
    EAGAIN = 11,
    /// <summary>Out of memory.</summary>
    ENOMEM = 12,
    /// <summary>Permission denied.</summary>
    EACCES = 13,
    /// <summary>Busy.</summary>
    EBUSY = 16,
    /// <summary>It exists already.</summary>
    EEXIST = 17,
    /// <summary>On another file system.</summary>
    EXDEV = 18,
    /// <summary>No such device.</summary>
    ENODEV = 19,
    /// <summary>Not a folder.</summary>
    ENOTDIR = 20,
    /// <summary>Is a folder.</summary>
    EISDIR = 21,
    /// <summary>Invalid argument; also: this file system does not know the operation.</summary>
    EINVAL = 22,
    /// <summary>The system's table of open files is full.</summary>
    ENFILE = 23,
    /// <summary>This process has too many open files.</summary>
    EMFILE = 24,
    /// <summary>File too large.</summary>
    EFBIG = 27,
    /// <summary>No space left on the device.</summary>
    ENOSPC = 28,
    /// <summary>Read-only file system.</summary>
    EROFS = 30,
    /// <summary>Too many links.</summary>
    EMLINK = 31,
    /// <summary>The answer does not fit into the buffer.</summary>
    ERANGE = 34,
    /// <summary>Name or path too long.</summary>
    ENAMETOOLONG = 36,
    /// <summary>Not known to this kernel.</summary>
    ENOSYS = 38,
    /// <summary>Folder not empty.</summary>
    ENOTEMPTY = 39,
    /// <summary>A symbolic link where none is allowed, or too many of them.</summary>
    ELOOP = 40,
    /// <summary>No such extended attribute.</summary>
    ENODATA = 61,
    /// <summary>Not supported by this file system.</summary>
    ENOTSUP = 95,
    /// <summary>The other side did not answer in time.</summary>
    ETIMEDOUT = 110,
    /// <summary>The other side is down.</summary>
    EHOSTDOWN = 112,
    /// <summary>The file handle of a network file system is stale.</summary>
    ESTALE = 116,
    /// <summary>Disk quota used up.</summary>
    EDQUOT = 122,
}
