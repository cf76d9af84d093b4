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
    /// <summary>Who is told of each entry; null for nobody.</summary>
    public IBackupListing? Listing { get; init; }
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
