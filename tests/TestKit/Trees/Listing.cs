using BackupDr.Storage.Posix;

namespace BackupDr.TestKit.Trees;

/// <summary>Names in an open folder, for tests.</summary>
public static class Listing
{
    /// <summary>All names, sorted by bytes.</summary>
    public static List<byte[]> Names(Descriptor folder)
    {
        var names = new List<byte[]>();
        var reader = new FolderReader(folder);
        while (reader.Next(out var name, out _)) names.Add(name.ToArray());
        reader.Dispose();
        names.Sort((a, b) => a.AsSpan().SequenceCompareTo(b));
        return names;
    }
}
