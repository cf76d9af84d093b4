using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Browse;

/// <summary>Gathers the blobs that trees need.</summary>
public static class BlobSets
{
    /// <summary>Adds a tree, all trees below it and the content of all their files. A tree that is in the set already is not read again:
    /// what lies below it is in the set as well.</summary>
    /// <remarks>Level by level, so that as many requests are needed as the tree is deep and not as it has folders.</remarks>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async Task Collect(BlobReader reader, BlobId tree, HashSet<(BlobType Type, BlobId Id)> blobs, CancellationToken ct)
    {
        var level = new List<BlobId> { tree };
        while (level.Count > 0)
        {
            var unread = level.Where(id => blobs.Add((BlobType.Tree, id))).ToList();
            level = [];
            await reader.ReadTrees(unread, (id, json) =>
            {
                var nodes = TreeBlob.Read(json.Span, $"tree {id}");
                lock (level)
                {
                    foreach (var node in nodes)
                    {
                        foreach (var content in node.Content) blobs.Add((BlobType.Data, content));
                        if (node.Subtree is { } subtree) level.Add(subtree);
                    }
                }
            }, ct);
        }
    }
}
