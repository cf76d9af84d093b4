using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>An open folder on disk.</summary>
/// <param name="folder">Owned.</param>
/// <param name="path">Absolute path, for messages and for patterns.</param>
/// <param name="deviceId">File system of the target that it lies below.</param>
/// <param name="rules">What is left out.</param>
sealed class DiskFolder(Descriptor folder, FilePath path, ulong deviceId, SourceRules rules) : ISourceFolder
{
    public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct)
    {
        var nodes = new List<Node>();
        try
        {
            // A mount point of another file system is kept as an empty folder, so that a restore has the place to mount it again.
            if (rules.OneFileSystem && folder.Stat().DeviceId != deviceId)
            {
                problems.LeftOut(path, "what lies below is on another file system (--one-file-system)");
                return nodes;
            }
            var present = rules.Markers.Where(marker => marker.IsIn(folder)).ToList();
            var excludes = rules.Excludes.Below(path);
            var reader = new FolderReader(folder);
            try
            {
                while (reader.Next(out var name, out _))
                {
                    ct.ThrowIfCancellationRequested();
                    if (present.Count > 0 && !IsAny(present, name)) problems.LeftOut(path.Join(name), present[0].Reason);
                    else Add(name, excludes, nodes, problems);
                }
            }
            finally { reader.Dispose(); }
        }
        catch (PosixException e) { problems.Missing(path, e.Message); }
        return nodes;
    }

    static bool IsAny(List<FolderMarker> markers, ReadOnlySpan<byte> name)
    {
        foreach (var marker in markers)
            if (name.SequenceEqual(marker.Name.Bytes)) return true;
        return false;
    }

    void Add(ReadOnlySpan<byte> name, FolderExcludes excludes, List<Node> nodes, ISourceProblems problems)
    {
        var errno = folder.TryStatAt(name, follow: false, out var status);
        if (errno == Errno.ENOENT) return;   // vanished since it was listed: not part of this moment
        if (errno != Errno.None) { problems.Missing(path.Join(name), $"stat: {PosixException.Describe(errno)}"); return; }
        if (rules.WhyLeftOut(excludes, name, in status) is { } reason) { problems.LeftOut(path.Join(name), reason); return; }
        if (status.Kind == FileKind.Socket) { problems.Remark(path.Join(name), "A socket: skipped."); return; }
        try { nodes.Add(NodeReader.OfEntry(folder, new FilePath(name.ToArray()), in status)); }
        catch (PosixException e) when (e.Errno != Errno.ENOENT) { problems.Missing(path.Join(name), e.Message); }
        catch (PosixException) { problems.Remark(path.Join(name), "Vanished while it was read."); }
    }

    public ISourceFolder? OpenFolder(Node child, ISourceProblems problems)
    {
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow;
        var errno = folder.TryOpenAt(child.Name.Bytes, flags, 0, out var opened);
        if (errno == Errno.None) return new DiskFolder(opened!, path.Join(child.Name.Bytes), deviceId, rules);
        DiskFile.Report(path.Join(child.Name.Bytes), errno, problems);
        return null;
    }

    public ISourceFile? OpenFile(Node file, ISourceProblems problems) => DiskFile.Open(folder, path, file, problems);

    public void Dispose() => folder.Dispose();
}
