using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;

namespace BackupDr.Sources.Tests;

/// <summary>Walks a source and writes it straight into a target, in the order that the engine promises to a target: no repository in
/// between.</summary>
sealed class TreeCopy(IRestoreTarget target) : ISourceProblems
{
    readonly Dictionary<(ulong, ulong), List<FilePath>> _links = [];
    readonly byte[] _buffer = new byte[100_000];   // no multiple of a block, so that holes begin inside of writes

    public List<(FilePath Path, string Message)> Lost { get; } = [];
    public List<(FilePath Path, string Message)> Remarks { get; } = [];
    public List<string> Failures { get; } = [];
    public List<FilePath> Kept { get; } = [];

    public static TreeCopy Run(IItemSource source, IRestoreTarget target)
    {
        var copy = new TreeCopy(target);
        using (var root = source.OpenRoot(copy)) copy.Folder(root, []);
        target.Complete();
        return copy;
    }

    void Folder(ISourceFolder folder, List<FilePath> path)
    {
        foreach (var node in folder.List(this, CancellationToken.None).OrderBy(n => n.Name.ToString(), StringComparer.Ordinal))
        {
            List<FilePath> at = [.. path, node.Name];
            try { Entry(folder, node, at); }
            catch (BackupDrException e) { Failures.Add(e.Message); }
        }
    }

    void Entry(ISourceFolder folder, Node node, List<FilePath> at)
    {
        if (node.Type == NodeType.Dir)
        {
            target.MakeFolder(at, node);
            using (var child = folder.OpenFolder(node, this))
                if (child is not null) Folder(child, at);
            target.FinishFolder(at, node);
            return;
        }
        if (node.Links > 1 && !_links.TryAdd((node.Inode, node.DeviceId), at))
        {
            target.MakeHardLink(at, _links[(node.Inode, node.DeviceId)], node);
            return;
        }
        if (node.Type != NodeType.File) { target.MakeSpecial(at, node); return; }
        using var file = folder.OpenFile(node, this);
        if (file is null) return;
        using var restored = target.OpenFile(at, node);
        if (restored is null) { Kept.Add(node.Name); return; }
        for (long offset = 0; ;)
        {
            var count = file.Read(offset, _buffer);
            if (count == 0) break;
            restored.Write(offset, _buffer.AsSpan(0, count));
            offset += count;
        }
        restored.Finish(file.Stat());
    }

    public void Missing(FilePath path, string message) => Lost.Add((path, message));
    public void Remark(FilePath path, string message) => Remarks.Add((path, message));
}
