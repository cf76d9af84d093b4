using BackupDr.Engine.Blobs;
using BackupDr.Storage;

namespace BackupDr.Engine.Format;

/// <summary>Where the objects of a repository lie.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-1.1 and F-1.3.</remarks>
public static class ObjectLayout
{
    /// <summary>The config object.</summary>
    public static ObjectName Config { get; } = new("config");
    /// <summary>Folder of key files.</summary>
    public const string Keys = "keys";
    /// <summary>Folder of packs.</summary>
    public const string Data = "data";
    /// <summary>Folder of index files.</summary>
    public const string Index = "index";
    /// <summary>Folder of snapshots.</summary>
    public const string Snapshots = "snapshots";
    /// <summary>Folder of locks.</summary>
    public const string Locks = "locks";
    /// <summary>Folder of our marks: packs that a prune found to be garbage and that are still there.</summary>
    public const string Marks = "x-backupdr/gc/marks";
    /// <summary>Folder of the witnesses of marks: who was at work when a mark was made.</summary>
    public const string Witnesses = "x-backupdr/gc/witness";

    /// <summary>Name of an object of a folder.</summary>
    public static ObjectName Of(string folder, BlobId id)
    {
        var text = id.ToString();
        return new ObjectName(folder == Data ? $"{Data}/{text[..2]}/{text}" : $"{folder}/{text}");
    }

    /// <summary>The id in an object's name; false for names that are none of the repository's.</summary>
    public static bool TryId(StoredObject listed, out BlobId id) => BlobId.TryParse(listed.Name.LastSegment, out id);
}
