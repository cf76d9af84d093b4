using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>A folder whose entries are still being stored. The one that completes the last entry stores the folder's tree.</summary>
/// <param name="Path">Absolute path, for messages.</param>
/// <param name="Own">The folder's own node; null for the root.</param>
/// <param name="Parent">The folder it lies in; null for the root.</param>
/// <param name="Slot">Its place in the parent.</param>
/// <param name="Before">The tree that the parent snapshot had here.</param>
sealed record PendingFolder(FilePath Path, Node? Own, PendingFolder? Parent, int Slot, BlobId? Before)
{
    Node?[] _nodes = [];
    int _open = 1;   // the listing itself

    /// <summary>Takes the listing, sorted by name; entries that stay null are left out.</summary>
    public void Expect(int entries)
    {
        _nodes = new Node?[entries];
        Interlocked.Add(ref _open, entries);
    }

    /// <summary>An entry is done; null leaves it out. True where it was the last one.</summary>
    public bool Complete(int slot, Node? node)
    {
        _nodes[slot] = node;
        return Interlocked.Decrement(ref _open) == 0;
    }

    /// <summary>The listing is done. True where nothing is left to wait for.</summary>
    public bool Listed() => Interlocked.Decrement(ref _open) == 0;

    /// <summary>The entries, sorted.</summary>
    public List<Node> Nodes()
    {
        var nodes = new List<Node>(_nodes.Length);
        foreach (var node in _nodes)
            if (node is not null) nodes.Add(node);
        return nodes;
    }
}
