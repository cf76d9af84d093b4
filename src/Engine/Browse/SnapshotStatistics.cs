using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Browse;

/// <summary>What is counted; restic's four modes.</summary>
public enum StatisticsMode
{
    /// <summary>Bytes that restoring each snapshot would write; a hard-linked file counts once a snapshot.</summary>
    RestoreSize,
    /// <summary>Files of different content, over all snapshots.</summary>
    FilesByContents,
    /// <summary>Blobs each file needs, over all snapshots; a file is its path, and of files with equal content the first counts.</summary>
    BlobsPerFile,
    /// <summary>Stored blobs that the snapshots need.</summary>
    RawData,
}

/// <summary>The sums.</summary>
public sealed record StatisticsSummary
{
    /// <summary>Snapshots counted.</summary>
    public int Snapshots { get; internal set; }
    /// <summary>Files or entries; 0 with RawData.</summary>
    public long Files { get; internal set; }
    /// <summary>Blobs; 0 where the mode does not look at them.</summary>
    public long Blobs { get; internal set; }
    /// <summary>Bytes: stored ones with RawData, else plain ones.</summary>
    public long Bytes { get; internal set; }
    /// <summary>Plain bytes of what RawData counts; 0 with other modes.</summary>
    public long PlainBytes { get; internal set; }
}

/// <summary>Counts what snapshots hold.</summary>
/// <param name="reader">Reads their trees.</param>
/// <param name="mode">What is counted.</param>
public sealed class SnapshotStatistics(BlobReader reader, StatisticsMode mode)
{
    readonly HashSet<(BlobType Type, BlobId Id)> _blobs = [];
    readonly HashSet<BlobId> _contents = [];
    readonly Dictionary<FilePath, HashSet<BlobId>> _blobsOfFile = [];
    readonly StatisticsSummary _sums = new();

    /// <summary>Counts.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public async Task<StatisticsSummary> Execute(IReadOnlyList<Snapshot> snapshots, CancellationToken ct)
    {
        foreach (var snapshot in snapshots)
        {
            _sums.Snapshots++;
            if (mode == StatisticsMode.RawData)
            {
                await BlobSets.Collect(reader, snapshot.Tree, _blobs, ct);
                continue;
            }
            var inodes = new HashSet<(ulong, ulong)>();
            await foreach (var (path, node) in new TreeBrowser(reader).Walk(snapshot, default, ct)) Count(path, node, inodes);
        }
        foreach (var (type, id) in _blobs)
        {
            var entry = Entry(type, id);
            _sums.Blobs++;
            _sums.Bytes += entry.Length;
            _sums.PlainBytes += entry.DecodedLength;
        }
        return _sums;
    }

    void Count(FilePath path, Node node, HashSet<(ulong Device, ulong Inode)> inodes)
    {
        if (mode == StatisticsMode.RestoreSize)
        {
            _sums.Files++;
            if (node.Inode == 0 || inodes.Add((node.DeviceId, node.Inode))) _sums.Bytes += (long)node.SizeBytes;
            return;
        }
        if (node.Type != NodeType.File || !_contents.Add(ContentId(node))) return;
        if (mode == StatisticsMode.BlobsPerFile)
        {
            CountBlobs(path, node);
            return;
        }
        _sums.Files++;
        _sums.Bytes += (long)node.SizeBytes;
    }

    void CountBlobs(FilePath path, Node node)
    {
        if (node.Content.Count == 0) return;   // restic does not count a file without blobs here
        if (!_blobsOfFile.TryGetValue(path, out var known))
        {
            _blobsOfFile[path] = known = [];
            _sums.Files++;
        }
        foreach (var id in node.Content)
        {
            if (!known.Add(id)) continue;
            _sums.Blobs++;
            _sums.Bytes += Entry(BlobType.Data, id).DecodedLength;
        }
    }

    PackEntry Entry(BlobType type, BlobId id)
        => reader.Index.TryFind(type, id, out var place) ? place.Entry
            : throw RepositoryException.Damaged($"{type} blob {id}", "it is in no index.");

    /// <summary>A file's content by one id: the hash of its blobs' ids.</summary>
    static BlobId ContentId(Node node)
    {
        var ids = new byte[node.Content.Count * BlobId.Size];
        for (var i = 0; i < node.Content.Count; i++) node.Content[i].CopyTo(ids.AsSpan(i * BlobId.Size));
        return new BlobId(SHA256.HashData(ids));
    }
}
