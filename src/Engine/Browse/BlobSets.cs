using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Browse;

/// <summary>Gathers the blobs that trees need.</summary>
public static class BlobSets
{
    /// <summary>Adds a tree, all trees below it and the content of all their files. A tree that is in the set already is not read again:
    /// what lies below it is in the set as well.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async Task Collect(BlobReader reader, BlobId tree, HashSet<(BlobType Type, BlobId Id)> blobs, CancellationToken ct)
    {
        var open = new Stack<BlobId>();
        open.Push(tree);
        while (open.TryPop(out var next))
        {
            ct.ThrowIfCancellationRequested();
            if (!blobs.Add((BlobType.Tree, next))) continue;
            foreach (var node in await reader.ReadTree(next, ct))
            {
                foreach (var id in node.Content) blobs.Add((BlobType.Data, id));
                if (node.Subtree is { } subtree) open.Push(subtree);
            }
        }
    }
}
