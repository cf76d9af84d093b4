using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Storage.Folder;

/// <summary>A folder on this machine for what one program keeps, of mode 0700.</summary>
public static class PrivateFolder
{
    /// <summary>Opens it, making what is missing of its path.</summary>
    /// <exception cref="PosixException">It cannot be made or entered.</exception>
    public static Descriptor Open(FilePath path) => DurableWrite.OpenOrMakeFolder(null, path.Bytes.ToArray());
}
