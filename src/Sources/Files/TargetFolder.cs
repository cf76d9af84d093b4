using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>A folder above the targets: holds only what leads down to them, with the metadata of the real folders.</summary>
sealed class TargetFolder(FilePath path, List<TargetPath> children, SourceRules rules) : ISourceFolder
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
                    using var folder = Descriptor.Open(path, OpenFlags.Folder | OpenFlags.PathOnly);
                    var status = folder.StatAt(child.Name.Bytes);
                    if (status.Kind == FileKind.Socket) problems.Remark(childPath, "A socket: skipped.");
                    else nodes.Add(NodeReader.OfEntry(folder, child.Name, in status));
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
        if (!child.IsTarget) return new TargetFolder(childPath, child.Children, rules);
        try
        {
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
            using var folder = Descriptor.Open(path, OpenFlags.Folder | OpenFlags.PathOnly);
            return DiskFile.Open(folder, path, file, problems);
        }
        catch (PosixException e)
        {
            problems.Missing(path.Join(file.Name.Bytes), e.Message);
            return null;
        }
    }

    public void Dispose() => GC.SuppressFinalize(this);
}
