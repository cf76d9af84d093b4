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
    static readonly byte[] CacheTagName = "CACHEDIR.TAG"u8.ToArray();

    public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct)
    {
        var nodes = new List<Node>();
        try
        {
            // A mount point of another file system is kept as an empty folder, so that a restore has the place to mount it again.
            if (rules.OneFileSystem && folder.Stat().DeviceId != deviceId) return nodes;
            var onlyTag = rules.ExcludeCaches && IsCache();
            var excludes = rules.Excludes.Below(path);
            var reader = new FolderReader(folder);
            try
            {
                while (reader.Next(out var name, out _))
                {
                    ct.ThrowIfCancellationRequested();
                    if (onlyTag && !name.SequenceEqual(CacheTagName)) continue;
                    Add(name, excludes, nodes, problems);
                }
            }
            finally { reader.Dispose(); }
        }
        catch (PosixException e) { problems.Missing(path, e.Message); }
        return nodes;
    }

    void Add(ReadOnlySpan<byte> name, FolderExcludes excludes, List<Node> nodes, ISourceProblems problems)
    {
        var errno = folder.TryStatAt(name, follow: false, out var status);
        if (errno == Errno.ENOENT) return;   // vanished since it was listed: not part of this moment
        if (errno != Errno.None) { problems.Missing(path.Join(name), $"stat: {PosixException.Describe(errno)}"); return; }
        if (excludes.Match(name, status.Kind == FileKind.Folder)) return;
        if (status.Kind == FileKind.Socket) { problems.Remark(path.Join(name), "A socket: skipped."); return; }
        try { nodes.Add(NodeReader.OfEntry(folder, new FilePath(name.ToArray()), in status)); }
        catch (PosixException e) when (e.Errno != Errno.ENOENT) { problems.Missing(path.Join(name), e.Message); }
        catch (PosixException) { problems.Remark(path.Join(name), "Vanished while it was read."); }
    }

    bool IsCache()
    {
        if (folder.TryOpenAt(CacheTagName, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking, 0, out var tag) != Errno.None)
            return false;
        using (tag!)
        {
            var signature = "Signature: 8a477f597d28d172789f06886806bc55"u8;
            Span<byte> head = stackalloc byte[64];
            return tag!.Stat().Kind == FileKind.File && tag.FillAt(0, head) >= signature.Length && head.StartsWith(signature);
        }
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
