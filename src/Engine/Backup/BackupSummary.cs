using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Backup;

/// <summary>What a backup did, or would do. Sizes in bytes.</summary>
public record BackupFindings
{
    internal BackupFindings(BackupCounters counters, long storedBytes, TimeSpan duration)
    {
        (FilesNew, FilesChanged, FilesUnmodified) = (counters.FilesNew, counters.FilesChanged, counters.FilesUnmodified);
        (FoldersNew, FoldersChanged, FoldersUnmodified) = (counters.FoldersNew, counters.FoldersChanged, counters.FoldersUnmodified);
        (Bytes, BytesNew, BytesStored) = (counters.Bytes, counters.BytesNew, storedBytes);
        (BlobsNew, FilesUnsettled) = (counters.DataBlobs + counters.TreeBlobs, counters.FilesUnsettled);
        (BytesIncompressible, FilesVanished, ExtensionsChanged)
            = (counters.BytesIncompressible, counters.FilesVanished, counters.ExtensionsChanged);
        (Missing, Remarks, Duration) = (counters.AllMissing, counters.AllRemarks, duration);
    }

    /// <summary>Files that the parent did not have.</summary>
    public long FilesNew { get; }
    /// <summary>Files that differ from the parent.</summary>
    public long FilesChanged { get; }
    /// <summary>Files that were not read.</summary>
    public long FilesUnmodified { get; }
    /// <summary>Files that changed while they were read: the snapshot may hold a state of them that never was.</summary>
    public long FilesUnsettled { get; }
    /// <summary>Folders that the parent did not have.</summary>
    public long FoldersNew { get; }
    /// <summary>Folders that differ.</summary>
    public long FoldersChanged { get; }
    /// <summary>Folders that are equal.</summary>
    public long FoldersUnmodified { get; }
    /// <summary>Plain bytes in the snapshot.</summary>
    public long Bytes { get; }
    /// <summary>Plain bytes that the repository did not have.</summary>
    public long BytesNew { get; }
    /// <summary>Plain bytes of new data that did not become smaller by compression: encrypted, or packed already.</summary>
    public long BytesIncompressible { get; }
    /// <summary>Files that the parent had in folders that are still there, and that are gone.</summary>
    public long FilesVanished { get; }
    /// <summary>How many of them came back with another extension.</summary>
    public long ExtensionsChanged { get; }
    /// <summary>Bytes of the packs that were stored; of a preview, of the compressed and sealed blobs without the packs' headers.</summary>
    public long BytesStored { get; }
    /// <summary>Blobs that the repository did not have.</summary>
    public long BlobsNew { get; }
    /// <summary>What is not in the snapshot.</summary>
    public IReadOnlyList<Problem> Missing { get; }
    /// <summary>What a reader should know, though nothing is missing.</summary>
    public IReadOnlyList<Problem> Remarks { get; }
    /// <summary>From start to end.</summary>
    public TimeSpan Duration { get; }
    /// <summary>Whether nothing is missing.</summary>
    public bool IsComplete => Missing.Count == 0;
    /// <summary>Files in the snapshot.</summary>
    public long Files => FilesNew + FilesChanged + FilesUnmodified;
    /// <summary>Folders in the snapshot.</summary>
    public long Folders => FoldersNew + FoldersChanged + FoldersUnmodified;
}

/// <summary>What a backup did, and its snapshot.</summary>
public sealed record BackupSummary : BackupFindings
{
    internal BackupSummary(BackupCounters counters, long storedBytes, TimeSpan duration) : base(counters, storedBytes, duration) { }

    /// <summary>The snapshot.</summary>
    public required BlobId SnapshotId { get; init; }
    /// <summary>The snapshot it was compared with.</summary>
    public BlobId? ParentId { get; init; }
    /// <summary>Its root tree.</summary>
    public required BlobId TreeId { get; init; }
    /// <summary>Time in it.</summary>
    public required DateTimeOffset Time { get; init; }
}
