using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>What a running backup counts and lists. Safe for concurrent use.</summary>
sealed class BackupCounters(IProgress<BackupProgress>? progress, TimeProvider clock, IBackupListing? listing = null) : ISourceProblems
{
    const int MaximumListed = 10_000;
    static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(200);
    readonly Lock _gate = new();
    readonly List<Problem> _missing = [], _remarks = [];
    long _reportedAt = clock.GetTimestamp();
    long _missingCount;

    public long FilesNew, FilesChanged, FilesUnmodified, FoldersNew, FoldersChanged, FoldersUnmodified;
    public long Bytes, BytesNew, DataBlobs, TreeBlobs, FilesDone, SealedBytes, FilesUnsettled;
    public long BytesIncompressible, FilesVanished, ExtensionsChanged;
    public long FilesTotal = -1, BytesTotal = -1;

    public IReadOnlyList<Problem> AllMissing { get { lock (_gate) return [.. _missing]; } }
    public IReadOnlyList<Problem> AllRemarks { get { lock (_gate) return [.. _remarks]; } }

    public void Missing(FilePath path, string message)
    {
        Interlocked.Increment(ref _missingCount);
        lock (_gate) if (_missing.Count < MaximumListed) _missing.Add(new Problem(path, message));
    }

    public void Remark(FilePath path, string message)
    {
        lock (_gate) if (_remarks.Count < MaximumListed) _remarks.Add(new Problem(path, message));
    }

    /// <summary>A file that changed while it was read.</summary>
    public void Unsettled(FilePath path, string message)
    {
        Interlocked.Increment(ref FilesUnsettled);
        Remark(path, message);
    }

    public void LeftOut(FilePath path, string reason) => listing?.LeftOut(path, reason);

    /// <summary>Tells the listing, where there is one, of an entry that is in the snapshot.</summary>
    public void Taken(PendingFolder folder, Node node, ItemChange change)
    {
        if (listing is null) return;
        var path = folder.Path.Join(node.Name.Bytes);
        listing.Taken(node.Type == NodeType.Dir ? new FilePath([.. path.Bytes, (byte)'/']) : path, change, node.SizeBytes);
    }

    /// <summary>Tells the listener how far it is, not more often than five times a second.</summary>
    public void Report(FilePath current, bool force = false)
    {
        if (progress is null) return;
        var last = Interlocked.Read(ref _reportedAt);
        if (!force && clock.GetElapsedTime(last) < ReportEvery) return;
        if (Interlocked.CompareExchange(ref _reportedAt, clock.GetTimestamp(), last) != last) return;
        var (files, bytes) = (Interlocked.Read(ref FilesTotal), Interlocked.Read(ref BytesTotal));
        progress.Report(new BackupProgress(Interlocked.Read(ref FilesDone), files < 0 ? null : files, Interlocked.Read(ref Bytes),
            bytes < 0 ? null : bytes, current, Interlocked.Read(ref _missingCount)));
    }
}
