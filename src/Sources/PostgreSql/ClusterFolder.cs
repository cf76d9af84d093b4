using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What all folders of one cluster's backup share.</summary>
/// <param name="Facts">The cluster.</param>
/// <param name="Pages">Compares checksums; null where there are none.</param>
/// <param name="ChunkBytes">Size of a relation's chunks.</param>
/// <param name="Session">To stop reading where the session is lost.</param>
sealed record ClusterReading(ClusterFacts Facts, PageCheck? Pages, int ChunkBytes, BackupSession Session)
{
    /// <summary>Chunks of files that only grow or never change.</summary>
    public const int PlainChunkBytes = 1 << 20;
}

/// <summary>A folder of the data folder or of a tablespace: without what does not belong into a backup, pages checked while read.</summary>
/// <param name="inner">The folder on the disk.</param>
/// <param name="below">Its path below the data folder, or below the tablespace; "" for either itself.</param>
/// <param name="disk">Its absolute path.</param>
/// <param name="reading">What all folders share.</param>
sealed class ClusterFolder(ISourceFolder inner, string below, string disk, ClusterReading reading) : ISourceFolder
{
    public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct)
    {
        reading.Session.MustBeOpen();
        var nodes = inner.List(problems, ct).Where(node
            => !ClusterRules.IsLeftOut(below, node.Name.ToString(), node.Type == NodeType.Dir, reading.Facts.LogFolder)).ToList();
        if (!ClusterRules.IsOfRelations(below)) return nodes;
        var unlogged = ClusterRules.Unlogged(nodes.Select(node => node.Name.ToString()));
        return unlogged.Count == 0 ? nodes : [.. nodes.Where(node
            => ClusterRules.RelationOf(node.Name.ToString()) is not { Fork: not "init" } relation || !unlogged.Contains(relation.Node))];
    }

    public ISourceFolder? OpenFolder(Node folder, ISourceProblems problems)
    {
        var name = folder.Name.ToString();
        return inner.OpenFolder(folder, problems) is { } opened
            ? new ClusterFolder(opened, below.Length == 0 ? name : $"{below}/{name}", Path.Combine(disk, name), reading) : null;
    }

    public ISourceFile? OpenFile(Node file, ISourceProblems problems)
    {
        reading.Session.MustBeOpen();
        if (inner.OpenFile(file, problems) is not { } opened) return null;
        var name = file.Name.ToString();
        var relation = ClusterRules.IsOfRelations(below) ? ClusterRules.RelationOf(name) : null;
        return new ClusterFile(opened, relation, $"{below}/{name}", Path.Combine(disk, name), reading);
    }

    public void Dispose() => inner.Dispose();
}

/// <summary>A file of a cluster. The log mends what changes while it is read, so it is read once.</summary>
sealed class ClusterFile(ISourceFile inner, RelationName? relation, string name, string path, ClusterReading reading) : ISourceFile
{
    readonly PageCheck? _pages = relation is null ? null : reading.Pages;

    public long SizeBytes => inner.SizeBytes;

    public int? ChunkBytes => relation is { Fork: "" } ? reading.ChunkBytes : ClusterReading.PlainChunkBytes;

    public bool MayBeTorn => true;

    // Whole pages where the caller has room for them: the engine goes on where this ends, so pages stay whole up to the end.
    public int Read(long offset, Span<byte> target)
    {
        if (_pages is null || offset % _pages.BlockBytes != 0 || target.Length < _pages.BlockBytes) return inner.Read(offset, target);
        target = target[..(target.Length / _pages.BlockBytes * _pages.BlockBytes)];
        var filled = 0;
        while (filled < target.Length && inner.Read(offset + filled, target[filled..]) is var read and > 0) filled += read;
        var whole = filled / _pages.BlockBytes * _pages.BlockBytes;
        if (whole > 0) _pages.Look(inner, name, path, relation!.Value.Segment, offset, target[..whole]);
        return filled;
    }

    public long ZerosAt(long offset) => inner.ZerosAt(offset);

    public Node Stat() => inner.Stat();

    public void Dispose() => inner.Dispose();
}
