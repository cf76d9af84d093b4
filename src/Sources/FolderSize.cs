using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources;

/// <summary>How much a file or a folder holds, where that is quick to tell.</summary>
public static class FolderSize
{
    /// <summary>Most entries that are looked at.</summary>
    public const int MostEntries = 20_000;

    /// <summary>Bytes of all files; null where there are too many, or some are not for us to see.</summary>
    public static long? Of(string path)
    {
        var left = MostEntries;
        try { return Add(path, Descriptor.StatOf(FilePath.FromText(path)), ref left); }
        catch (PosixException) { return null; }   // gone meanwhile, or not for us
    }

    static long? Add(string path, FileStatus status, ref int left)
    {
        if (status.Kind != FileKind.Folder) return status.Kind == FileKind.File ? status.SizeBytes : 0;
        long sum = 0;
        foreach (var (name, _) in Disk.List(path))
        {
            if (--left < 0) return null;
            var inner = Path.Combine(path, name);
            if (Add(inner, Descriptor.StatOf(FilePath.FromText(inner)), ref left) is not { } size) return null;
            sum += size;
        }
        return sum;
    }
}
