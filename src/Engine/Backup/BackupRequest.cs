using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;

namespace BackupDr.Engine.Backup;

/// <summary>What a snapshot says of itself, and what it may build on.</summary>
public sealed record BackupRequest
{
    /// <summary>Host in the snapshot.</summary>
    public required string HostName { get; init; }
    /// <summary>User in the snapshot.</summary>
    public string UserName { get; init; } = "";
    /// <summary>Tags.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Patterns that were left out, for the record.</summary>
    public IReadOnlyList<string> Excludes { get; init; } = [];
    /// <summary>Time in the snapshot; null for now.</summary>
    public DateTimeOffset? Time { get; init; }
    /// <summary>Snapshot to compare with; null for the newest of the same host and paths.</summary>
    public BlobId? Parent { get; init; }
    /// <summary>Read every file, whatever the parent says.</summary>
    public bool Force { get; init; }
    /// <summary>How files are cut.</summary>
    public ChunkerChoice Chunker { get; init; } = ChunkerChoice.Auto;
    /// <summary>Count files and bytes beforehand, for a progress with an end.</summary>
    public bool CountFirst { get; init; }
}

/// <summary>How far a backup is.</summary>
/// <param name="FilesDone">Files finished.</param>
/// <param name="FilesTotal">Files in all, or null while unknown.</param>
/// <param name="BytesDone">Plain bytes finished.</param>
/// <param name="BytesTotal">Plain bytes in all, or null while unknown.</param>
/// <param name="Current">A file being read.</param>
/// <param name="Missing">Entries that could not be taken so far.</param>
public readonly record struct BackupProgress(long FilesDone, long? FilesTotal, long BytesDone, long? BytesTotal, FilePath Current,
    long Missing);

/// <summary>Something worth telling about one path.</summary>
public sealed record Problem(FilePath Path, string Message);

/// <summary>What a backup did. Sizes in bytes.</summary>
public sealed record BackupSummary
{
    /// <summary>The snapshot.</summary>
    public required BlobId SnapshotId { get; init; }
    /// <summary>The snapshot it was compared with.</summary>
    public BlobId? ParentId { get; init; }
    /// <summary>Its root tree.</summary>
    public required BlobId TreeId { get; init; }
    /// <summary>Time in it.</summary>
    public required DateTimeOffset Time { get; init; }
    /// <summary>Files that the parent did not have.</summary>
    public long FilesNew { get; init; }
    /// <summary>Files that differ from the parent.</summary>
    public long FilesChanged { get; init; }
    /// <summary>Files that were not read.</summary>
    public long FilesUnmodified { get; init; }
    /// <summary>Folders that the parent did not have.</summary>
    public long FoldersNew { get; init; }
    /// <summary>Folders that differ.</summary>
    public long FoldersChanged { get; init; }
    /// <summary>Folders that are equal.</summary>
    public long FoldersUnmodified { get; init; }
    /// <summary>Plain bytes in the snapshot.</summary>
    public long Bytes { get; init; }
    /// <summary>Plain bytes that the repository did not have.</summary>
    public long BytesNew { get; init; }
    /// <summary>Bytes of the packs that were stored.</summary>
    public long BytesStored { get; init; }
    /// <summary>Blobs that the repository did not have.</summary>
    public long BlobsNew { get; init; }
    /// <summary>What is not in the snapshot.</summary>
    public IReadOnlyList<Problem> Missing { get; init; } = [];
    /// <summary>What a reader should know, though nothing is missing.</summary>
    public IReadOnlyList<Problem> Remarks { get; init; } = [];
    /// <summary>From start to end.</summary>
    public TimeSpan Duration { get; init; }
    /// <summary>Whether nothing is missing.</summary>
    public bool IsComplete => Missing.Count == 0;
    /// <summary>Files in the snapshot.</summary>
    public long Files => FilesNew + FilesChanged + FilesUnmodified;
    /// <summary>Folders in the snapshot.</summary>
    public long Folders => FoldersNew + FoldersChanged + FoldersUnmodified;
}
