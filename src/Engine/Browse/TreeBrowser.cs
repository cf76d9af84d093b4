using System.Runtime.CompilerServices;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine.Browse;

/// <summary>Looks into snapshots. Holds the index it was made with; make a new one to see later snapshots.</summary>
/// <param name="reader">Reads the trees.</param>
public sealed class TreeBrowser(BlobReader reader)
{
    /// <summary>Deepest nesting that is followed.</summary>
    public const int MaximumDepth = 4096;

    /// <summary>Opens a repository's trees for looking.</summary>
    public static async Task<TreeBrowser> Open(Repository repository, CancellationToken ct)
        => new(new BlobReader(repository, await repository.LoadIndex(ct)));

    /// <summary>The node at an absolute path; null for the root.</summary>
    /// <exception cref="NotFoundException">There is nothing at this path, or the way leads through something that is no folder.</exception>
    public async Task<Node?> Find(Snapshot snapshot, FilePath path, CancellationToken ct)
    {
        var tree = snapshot.Tree;
        Node? found = null;
        foreach (var part in path.Parts())
        {
            if (found is not null) tree = found.Subtree ?? throw NotThere(snapshot, path);
            found = (await reader.ReadTree(tree, ct)).FirstOrDefault(node => node.Name == part) ?? throw NotThere(snapshot, path);
        }
        return found;
    }

    static NotFoundException NotThere(Snapshot snapshot, FilePath path)
        => new($"'{path}' in snapshot {snapshot.ShortId}", $"See what there is with 'backupdr ls {snapshot.ShortId}'.");

    /// <summary>The tree of a folder; the root's for an empty path.</summary>
    /// <exception cref="NotFoundException">There is no folder at this path.</exception>
    public async Task<BlobId> FolderTree(Snapshot snapshot, FilePath folder, CancellationToken ct)
        => await Find(snapshot, folder, ct) is { } node ? node.Subtree ?? throw NotThere(snapshot, folder) : snapshot.Tree;

    /// <summary>What lies in a folder; a path to something else gives that alone.</summary>
    /// <exception cref="NotFoundException">There is nothing at this path.</exception>
    public async Task<IReadOnlyList<Node>> List(Snapshot snapshot, FilePath folder, CancellationToken ct)
    {
        var node = await Find(snapshot, folder, ct);
        if (node is { Type: not NodeType.Dir }) return [node];
        return await reader.ReadTree(node?.Subtree ?? snapshot.Tree, ct);
    }

    /// <summary>Everything below a path, each folder before what lies in it, in the order of names.</summary>
    public IAsyncEnumerable<(FilePath Path, Node Node)> Walk(Snapshot snapshot, FilePath from, CancellationToken ct)
        => Walk(snapshot, from, static _ => true, lost: null, ct);

    /// <summary>As the other one, but not into every folder.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="from">Absolute path in it; empty for all.</param>
    /// <param name="enters">Whether to go into a folder; asked after it was given.</param>
    /// <param name="lost">Told of each folder whose tree cannot be read, which is then left out. Without it such a tree ends the walk; the
    /// first one always does.</param>
    /// <param name="ct">Cancels.</param>
    public async IAsyncEnumerable<(FilePath Path, Node Node)> Walk(Snapshot snapshot, FilePath from, Func<FilePath, bool> enters,
        Action<FilePath, BackupDrException>? lost, [EnumeratorCancellation] CancellationToken ct)
    {
        var start = await Find(snapshot, from, ct);
        var root = new FilePath("/"u8.ToArray());
        foreach (var part in from.Parts()) root = root.Join(part.Bytes);
        if (start is not null) yield return (root, start);
        if (start is { Type: not NodeType.Dir }) yield break;
        var stack = new Stack<(FilePath Path, IEnumerator<Node> Nodes)>();
        stack.Push((root, (await reader.ReadTree(start?.Subtree ?? snapshot.Tree, ct)).GetEnumerator()));
        while (stack.TryPeek(out var top))
        {
            ct.ThrowIfCancellationRequested();
            if (!top.Nodes.MoveNext()) { stack.Pop().Nodes.Dispose(); continue; }
            var node = top.Nodes.Current;
            var path = top.Path.Join(node.Name.Bytes);
            yield return (path, node);
            if (node is not { Type: NodeType.Dir, Subtree: { } subtree } || !enters(path)) continue;
            try { stack.Push((path, (await ReadBelow(subtree, stack.Count, ct)).GetEnumerator())); }
            catch (Exception e) when (lost is not null && e is RepositoryException or StoreException) { lost(path, (BackupDrException)e); }
        }
    }

    Task<IReadOnlyList<Node>> ReadBelow(BlobId subtree, int depth, CancellationToken ct) => depth < MaximumDepth
        ? reader.ReadTree(subtree, ct)
        : throw RepositoryException.Damaged($"tree {subtree}", $"folders nest deeper than {MaximumDepth}.");
}
