using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Browse;

/// <summary>One path that two snapshots do not agree on.</summary>
/// <param name="Modifier">restic's letters: + added, - removed, M content, T kind, U metadata alone.</param>
/// <param name="Path">Absolute path below the compared folders.</param>
/// <param name="Node">The later entry; the earlier one where it was removed.</param>
public readonly record struct DiffEntry(string Modifier, FilePath Path, Node Node);

/// <summary>What one side has and the other has not.</summary>
public sealed record DiffCounts
{
    /// <summary>Regular files.</summary>
    public long Files { get; internal set; }
    /// <summary>Folders.</summary>
    public long Folders { get; internal set; }
    /// <summary>Links, devices, pipes and sockets.</summary>
    public long Others { get; internal set; }
    /// <summary>Blobs of file content.</summary>
    public long DataBlobs { get; internal set; }
    /// <summary>Blobs of folders.</summary>
    public long TreeBlobs { get; internal set; }
    /// <summary>Plain bytes of these blobs.</summary>
    public long Bytes { get; internal set; }

    internal void Count(Node node)
    {
        if (node.Type == NodeType.File) Files++;
        else if (node.Type == NodeType.Dir) Folders++;
        else Others++;
    }
}

/// <summary>The sums of a comparison.</summary>
/// <param name="ChangedFiles">Files on both sides whose content differs.</param>
/// <param name="Added">What only the later side has.</param>
/// <param name="Removed">What only the earlier side has.</param>
public sealed record DiffSummary(long ChangedFiles, DiffCounts Added, DiffCounts Removed);

/// <summary>Compares two trees. Folders of equal id are not compared entry by entry.</summary>
/// <remarks>Memory grows with the number of distinct blobs of both sides, 33 bytes each and a hash table's share.</remarks>
/// <param name="reader">Reads the trees of both.</param>
/// <param name="withMetadata">Also entries whose content is equal and whose metadata differs.</param>
public sealed class SnapshotDiff(BlobReader reader, bool withMetadata)
{
    readonly HashSet<(BlobType, BlobId)> _before = [], _after = [], _common = [];
    readonly DiffCounts _added = new(), _removed = new();
    readonly Stack<(FilePath Path, IEnumerator<(Node? Before, Node? After)> Pairs)> _open = new();
    long _changedFiles;

    /// <summary>Compares; calls <paramref name="found"/> for each difference, a folder before what lies in it, by name.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public async Task<DiffSummary> Execute(BlobId before, BlobId after, Action<DiffEntry> found, CancellationToken ct)
    {
        await Enter(new FilePath("/"u8.ToArray()), before, after, ct);
        while (_open.TryPeek(out var top))
        {
            ct.ThrowIfCancellationRequested();
            if (!top.Pairs.MoveNext()) { _open.Pop().Pairs.Dispose(); continue; }
            var (left, right) = top.Pairs.Current;
            var path = top.Path.Join((right ?? left!).Name.Bytes);
            Note(left, _before);
            Note(right, _after);
            if (Modifier(left, right) is { Length: > 0 } modifier) found(new DiffEntry(modifier, path, right ?? left!));
            if (Comparable(left, right)) await Enter(path, left?.Subtree, right?.Subtree, ct);
        }
        Sum(_before, _after, _removed);
        Sum(_after, _before, _added);
        return new DiffSummary(_changedFiles, _added, _removed);
    }

    /// <summary>Folders on both sides, or one that the other side lacks; a folder that became a file is only named.</summary>
    static bool Comparable(Node? left, Node? right)
        => (left ?? right)!.Type == NodeType.Dir && (right ?? left)!.Type == NodeType.Dir;

    async Task Enter(FilePath path, BlobId? before, BlobId? after, CancellationToken ct)
    {
        if (before is { } left) _before.Add((BlobType.Tree, left));
        if (after is { } right) _after.Add((BlobType.Tree, right));
        if (before == after)
        {
            if (after is { } same) await BlobSets.Collect(reader, same, _common, ct);
            return;
        }
        if (_open.Count >= TreeBrowser.MaximumDepth)
            throw RepositoryException.Damaged($"tree {before ?? after}", $"folders nest deeper than {TreeBrowser.MaximumDepth}.");
        IReadOnlyList<Node> olds = before is { } first ? await reader.ReadTree(first, ct) : [];
        IReadOnlyList<Node> news = after is { } second ? await reader.ReadTree(second, ct) : [];
        _open.Push((path, Pair(olds, news).GetEnumerator()));
    }

    static IEnumerable<(Node? Before, Node? After)> Pair(IReadOnlyList<Node> before, IReadOnlyList<Node> after)
    {
        for (int i = 0, j = 0; i < before.Count || j < after.Count;)
        {
            var order = i == before.Count ? 1 : j == after.Count ? -1
                : before[i].Name.Bytes.SequenceCompareTo(after[j].Name.Bytes);
            yield return (order <= 0 ? before[i++] : null, order >= 0 ? after[j++] : null);
        }
    }

    string Modifier(Node? left, Node? right)
    {
        if (left is null) { _added.Count(right!); return "+"; }
        if (right is null) { _removed.Count(left); return "-"; }
        var letters = left.Type != right.Type ? "T" : "";
        if (left.Type == NodeType.File && right.Type == NodeType.File && !left.Content.SequenceEqual(right.Content))
        {
            _changedFiles++;
            return letters + "M";
        }
        return withMetadata && !SameMetadata(left, right) ? letters + "U" : letters;
    }

    static void Note(Node? node, HashSet<(BlobType, BlobId)> blobs)
    {
        foreach (var id in node?.Content ?? []) blobs.Add((BlobType.Data, id));
    }

    void Sum(HashSet<(BlobType, BlobId)> here, HashSet<(BlobType, BlobId)> there, DiffCounts counts)
    {
        foreach (var (type, id) in here)
        {
            if (there.Contains((type, id)) || _common.Contains((type, id))) continue;
            if (type == BlobType.Tree) counts.TreeBlobs++; else counts.DataBlobs++;
            if (!reader.Index.TryFind(type, id, out var place))
                throw RepositoryException.Damaged($"{type} blob {id}", "it is in no index.");
            counts.Bytes += place.Entry.DecodedLength;
        }
    }

    /// <summary>Everything that a tree tells of an entry beside its content. An inode number is the file system's, yet a new one tells that
    /// the file was replaced, so restic counts it and we do too.</summary>
    static bool SameMetadata(Node left, Node right)
        => left.Type == right.Type && left.Permissions == right.Permissions && left.ModifiedAt == right.ModifiedAt
        && left.AccessedAt == right.AccessedAt && left.ChangedAt == right.ChangedAt && left.Uid == right.Uid && left.Gid == right.Gid
        && left.User == right.User && left.Group == right.Group && left.Inode == right.Inode && left.DeviceId == right.DeviceId
        && left.SizeBytes == right.SizeBytes && left.Links == right.Links && left.LinkTarget == right.LinkTarget
        && left.Device == right.Device && left.Error == right.Error && left.Xattrs.Count == right.Xattrs.Count
        && left.Xattrs.Zip(right.Xattrs).All(pair
            => pair.First.Name == pair.Second.Name && pair.First.Value.AsSpan().SequenceEqual(pair.Second.Value));
}
