using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Sources.Volumes;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>A folder above the targets: holds only what leads down to them, with the metadata of the real folders.</summary>
sealed class TargetFolder(FilePath path, List<TargetPath> children, SourceRules rules, FrozenTrees? frozen) : ISourceFolder
{
    public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct)
    {
        var nodes = new List<Node>(children.Count);
        foreach (var child in children)
        {
            var childPath = path.Join(child.Name.Bytes);
            try
            {
                // On the way down links are followed, as the person who typed the path meant it; a target that is a link is saved as one.
                if (child.IsTarget)
                {
                    var place = frozen?.Of(childPath);
                    var name = place?.Seen.Name ?? child.Name;
                    using var folder = Descriptor.Open(place?.SeenFolder ?? path, OpenFlags.Folder | OpenFlags.PathOnly);
                    var status = folder.StatAt(name.Bytes);
                    if (status.Kind == FileKind.Socket) problems.Remark(childPath, "A socket: skipped.");
                    else nodes.Add(Shown(NodeReader.OfEntry(folder, name, in status), place) with { Name = child.Name });
                }
                else
                {
                    using var folder = Descriptor.OpenFolder(childPath);
                    nodes.Add(NodeReader.OfOpen(folder, child.Name));
                }
            }
            catch (PosixException e) { problems.Missing(childPath, e.Message); }
        }
        return nodes;
    }

    public ISourceFolder? OpenFolder(Node folder, ISourceProblems problems)
    {
        var child = children.Find(c => c.Name == folder.Name);
        if (child is null) return null;
        var childPath = path.Join(child.Name.Bytes);
        if (!child.IsTarget) return new TargetFolder(childPath, child.Children, rules, frozen);
        try
        {
            if (frozen?.Of(childPath) is { } place) return FrozenFolder.Open(childPath, place, rules);
            return new DiskFolder(Descriptor.Open(childPath, OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow), childPath,
                folder.DeviceId, rules);
        }
        catch (PosixException e)
        {
            problems.Missing(childPath, e.Message);
            return null;
        }
    }

    public ISourceFile? OpenFile(Node file, ISourceProblems problems)
    {
        try
        {
            var place = frozen?.Of(path.Join(file.Name.Bytes));
            using var folder = Descriptor.Open(place?.SeenFolder ?? path, OpenFlags.Folder | OpenFlags.PathOnly);
            var opened = DiskFile.Open(folder, path, file, problems);   // what is a file has its own name in the snapshot too
            return opened is null || place is null ? opened : new FrozenFile(opened, node => Shown(node, place));
        }
        catch (PosixException e)
        {
            problems.Missing(path.Join(file.Name.Bytes), e.Message);
            return null;
        }
    }

    static Node Shown(Node node, FrozenPlace? place) => place is null || node.DeviceId != place.SeenDevice ? node
        : node with { DeviceId = place.RealDevice };

    public void Dispose() => GC.SuppressFinalize(this);
}
