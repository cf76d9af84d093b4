using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Volumes;

/// <summary>A folder of a snapshot, shown as the one that it is a snapshot of.</summary>
/// <remarks>The number of the file system is that of the live one, so that nothing seems to have changed. Where another file system or
/// subvolume stands, a snapshot has but an empty folder: what belongs there comes from its own snapshot, or as it stands.</remarks>
sealed class FrozenFolder(ISourceFolder inner, FilePath path, FrozenPlace place, SourceRules rules) : ISourceFolder
{
    const ulong PlaceholderInode = 2;   // of a folder that stands for a subvolume

    public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct)
    {
        var nodes = new List<Node>();
        foreach (var node in inner.List(problems, ct))
        {
            if (node.Type == NodeType.Dir && node.Name.ToString().StartsWith(BtrfsSnapshot.Start, StringComparison.Ordinal)) continue;
            nodes.Add(!IsElsewhere(node) ? Shown(node) : Live(node));
        }
        return nodes;
    }

    Node Shown(Node node) => node.DeviceId == place.SeenDevice ? node with { DeviceId = place.RealDevice } : node;

    bool IsElsewhere(Node node) => node.Type == NodeType.Dir
        && (node.Inode == PlaceholderInode || place.Trees.IsMountPoint(place.Real.Join(node.Name.Bytes)));

    // Owner, rights and times of what stands there, not of its empty place.
    Node Live(Node node)
    {
        try
        {
            using var folder = Descriptor.OpenFolder(place.Real.Join(node.Name.Bytes));
            return NodeReader.OfOpen(folder, node.Name);
        }
        catch (PosixException) { return Shown(node); }   // gone since the snapshot: its place is left
    }

    public ISourceFolder? OpenFolder(Node folder, ISourceProblems problems)
    {
        var (below, real) = (path.Join(folder.Name.Bytes), place.Real.Join(folder.Name.Bytes));
        if (IsElsewhere(folder) || folder.DeviceId != place.RealDevice) return OpenElsewhere(below, real, problems);
        return inner.OpenFolder(folder, problems) is { } opened
            ? new FrozenFolder(opened, below, place with { Real = real, Seen = place.Seen.Join(folder.Name.Bytes) }, rules) : null;
    }

    ISourceFolder? OpenElsewhere(FilePath below, FilePath real, ISourceProblems problems)
    {
        if (rules.OneFileSystem)
        {
            problems.LeftOut(below, "what lies below is on another file system (--one-file-system)");
            return new MadeFolder([]);
        }
        try
        {
            if (place.Trees.Below(real) is { } frozen) return Open(below, frozen, rules);
            if (!place.Trees.MayBeRead(below))
            {
                problems.Missing(below, "It is a file system of its own that has no snapshot, and one is required.");
                return new MadeFolder([]);
            }
            var live = Descriptor.Open(real, OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow);
            return new DiskFolder(live, below, live.Stat().DeviceId, rules);
        }
        catch (PosixException e)
        {
            problems.Missing(below, e.Message);
            return null;
        }
    }

    /// <summary>Opens a folder where its snapshot shows it.</summary>
    /// <exception cref="PosixException">It is not there.</exception>
    public static FrozenFolder Open(FilePath path, FrozenPlace place, SourceRules rules)
    {
        var opened = Descriptor.Open(place.Seen, OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow);
        return new FrozenFolder(new DiskFolder(opened, path, opened.Stat().DeviceId, rules), path, place, rules);
    }

    public ISourceFile? OpenFile(Node file, ISourceProblems problems)
        => inner.OpenFile(file, problems) is { } opened ? new FrozenFile(opened, Shown) : null;

    public void Dispose() => inner.Dispose();
}

/// <summary>A file of a snapshot, shown as the live one.</summary>
sealed class FrozenFile(ISourceFile inner, Func<Node, Node> shown) : ISourceFile
{
    public long SizeBytes => inner.SizeBytes;
    public int Read(long offset, Span<byte> target) => inner.Read(offset, target);
    public long ZerosAt(long offset) => inner.ZerosAt(offset);
    public int? ChunkBytes => inner.ChunkBytes;
    public Node Stat() => shown(inner.Stat());
    public void Dispose() => inner.Dispose();
}
