using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>The log that was received and that no snapshot holds yet, in a folder of the receiver's host.</summary>
/// <remarks>
/// Nothing depends on it: what is told to the server as stored is stored. It saves receiving segments again, and holds what waits for a
/// store that is away. <c>SEGMENT</c> is whole and synced, <c>SEGMENT.partial</c> is being written; a lock keeps a second receiver out.
/// </remarks>
sealed class WalJournal : IDisposable
{
    const string Identity = "cluster", LockName = "lock", Partial = ".partial";

    readonly string _folder;
    readonly int _segmentBytes;
    readonly FileLock _lock;
    Descriptor? _open;
    WalSegment _current;

    WalJournal(string folder, int segmentBytes, FileLock held) => (_folder, _segmentBytes, _lock) = (folder, segmentBytes, held);

    /// <summary>Opens the journal of a cluster, making it where it is missing.</summary>
    /// <exception cref="ConflictException">Another receiver works with it, or it is another cluster's.</exception>
    public static WalJournal Open(string folder, string systemIdentifier, int segmentBytes)
    {
        Disk.MakeFolder(folder);
        var held = FileLock.TryTake(FilePath.FromText(Path.Combine(folder, LockName)))
            ?? throw new ConflictException("postgres.journal_taken", $"Another receiver works with the journal {folder}.",
                "Stop it, or name another folder with --journal.");
        var known = Disk.TryReadText(Path.Combine(folder, Identity));
        if (known is not null && known != systemIdentifier)
        {
            held.Dispose();
            throw new ConflictException("postgres.other_cluster", $"The journal {folder} is of the cluster {known}, and the server is "
                + $"{systemIdentifier}.", "Give each cluster a journal of its own.");
        }
        if (known is null) Disk.Write(Path.Combine(folder, Identity), System.Text.Encoding.UTF8.GetBytes(systemIdentifier));
        return new WalJournal(folder, segmentBytes, held);
    }

    /// <summary>Segments that are whole, in order.</summary>
    public List<WalSegment> Whole()
    {
        var whole = new List<WalSegment>();
        foreach (var (name, _) in Disk.List(_folder))
            if (WalSegment.TryParse(name, _segmentBytes, out var segment)) whole.Add(segment);
        return [.. whole.OrderBy(segment => segment.Timeline).ThenBy(segment => segment.Number)];
    }

    /// <summary>Timelines whose histories wait to be published.</summary>
    public List<uint> Histories()
    {
        var histories = new List<uint>();
        foreach (var (name, _) in Disk.List(_folder))
            if (WalSegment.TryParseHistory(name, out var timeline)) histories.Add(timeline);
        return histories;
    }

    /// <summary>Keeps a history until it is published.</summary>
    public void AddHistory(uint timeline, ReadOnlySpan<byte> content) => Disk.Write(PathOf(WalSegment.HistoryName(timeline)), content);

    /// <summary>Writes bytes of a segment; others of it that were written before stay.</summary>
    public void Write(WalSegment segment, long offset, ReadOnlySpan<byte> bytes)
    {
        if (_open is null || _current != segment)
        {
            _open?.Dispose();
            var path = FilePath.FromText(PathOf(segment.Name(_segmentBytes) + Partial));
            _open = Descriptor.Open(path, OpenFlags.ReadWrite | OpenFlags.Create, Disk.FilePermissions);
            _current = segment;
        }
        _open.WriteAt(offset, bytes);
    }

    /// <summary>The segment is whole: synced, and under its name.</summary>
    public void Finish()
    {
        _open!.Sync();
        _open.Dispose();
        _open = null;
        var name = _current.Name(_segmentBytes);
        using var folder = Descriptor.OpenFolder(FilePath.FromText(_folder));
        folder.Rename(FilePath.FromText(name + Partial).Bytes, folder, FilePath.FromText(name).Bytes);
        folder.Sync();
    }

    /// <summary>Bytes of a segment, whole or not.</summary>
    public byte[] Read(WalSegment segment, long offset, int count)
    {
        var bytes = new byte[count];
        var name = segment.Name(_segmentBytes);
        if (_open is not null && _current == segment) _open.FillAt(offset, bytes);
        else
        {
            using var file = Descriptor.Open(FilePath.FromText(PathOf(name)), OpenFlags.ReadOnly);
            file.FillAt(offset, bytes);
        }
        return bytes;
    }

    /// <summary>Forgets what is published, and what was begun on a timeline that nobody goes on with.</summary>
    public void Remove(IEnumerable<WalSegment> segments, IEnumerable<uint> histories)
    {
        foreach (var segment in segments) Disk.Remove(PathOf(segment.Name(_segmentBytes)));
        foreach (var timeline in histories) Disk.Remove(PathOf(WalSegment.HistoryName(timeline)));
    }

    /// <summary>Removes half segments: they are received again from their beginning.</summary>
    public void DropPartial()
    {
        _open?.Dispose();
        _open = null;
        foreach (var (name, _) in Disk.List(_folder))
            if (name.EndsWith(Partial, StringComparison.Ordinal)) Disk.Remove(PathOf(name));
    }

    string PathOf(string name) => Path.Combine(_folder, name);

    /// <summary>A file of the journal as an entry of a snapshot.</summary>
    public MadeEntry Entry(string name)
    {
        var (folder, file) = (FilePath.FromText(_folder), FilePath.FromText(name));
        using var opened = Descriptor.OpenFolder(folder);
        var node = NodeReader.OfEntry(opened, file, opened.StatAt(file.Bytes));
        return new MadeEntry(node, null, problems =>
        {
            using var again = Descriptor.OpenFolder(folder);
            return DiskFile.Open(again, folder, node, problems) is { } found ? new SegmentFile(found) : null;
        });
    }

    /// <summary>The journal's folder itself, as a node.</summary>
    public Node Like()
    {
        using var opened = Descriptor.OpenFolder(FilePath.FromText(_folder));
        return NodeReader.OfOpen(opened, FilePath.FromText("wal"));
    }

    public void Dispose()
    {
        _open?.Dispose();
        _lock.Dispose();
    }

    /// <summary>Cut as base backups cut the same segments, so that they are stored once.</summary>
    sealed class SegmentFile(DiskFile inner) : Engine.Backup.ISourceFile
    {
        public long SizeBytes => inner.SizeBytes;
        public int? ChunkBytes => ClusterReading.PlainChunkBytes;
        public int Read(long offset, Span<byte> target) => inner.Read(offset, target);
        public Node Stat() => inner.Stat();
        public void Dispose() => inner.Dispose();
    }
}
