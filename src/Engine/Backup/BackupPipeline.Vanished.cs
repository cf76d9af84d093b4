using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>Counts what tells an encrypted or emptied tree from one at work: files that are gone, and files that came back under another
/// extension.</summary>
sealed partial class BackupPipeline
{
    static void CountVanished(List<Node> nodes, Dictionary<FilePath, Node> before, BackupCounters counters)
    {
        var there = 0;
        foreach (var node in nodes)
            if (before.ContainsKey(node.Name)) there++;
        if (there == before.Count) return;
        var now = nodes.Select(node => node.Name).ToHashSet();
        List<FilePath> gone = [.. before.Values.Where(node => node.Type == NodeType.File).Select(node => node.Name)
            .Where(name => !now.Contains(name))];
        if (gone.Count == 0) return;
        // "a.txt" became "a.txt.locked" or "a.locked".
        var stems = nodes.Where(node => node.Type == NodeType.File && !before.ContainsKey(node.Name)).Select(node => Stem(node.Name))
            .ToHashSet();
        counters.FilesVanished += gone.Count;
        counters.ExtensionsChanged += gone.Count(name => stems.Contains(name) || stems.Contains(Stem(name)));
    }

    static FilePath Stem(FilePath name)
        => name.Bytes.LastIndexOf((byte)'.') is > 0 and var dot ? new FilePath([.. name.Bytes[..dot]]) : name;
}
