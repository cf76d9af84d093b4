using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>An open folder on disk.</summary>
/// <remarks>
/// A walk is as deep as the tree, and a process has but some hundreds of descriptors: of the folders that a walk is in, the lowest 16 are
/// held open. One further up is opened anew, name by name from the target, when the walk comes back to it, and has to be the same one.
/// </remarks>
sealed class DiskFolder : ISourceFolder
{
    const int HeldOpen = 16;

    readonly FilePath _path;
    readonly ulong _deviceId;
    readonly SourceRules _rules;
    readonly DiskFolder? _above;
    Descriptor? _open;
    FileStatus _parked;   // of a folder that is not held open

    /// <summary>A target, or the root of one.</summary>
    /// <param name="folder">Owned.</param>
    /// <param name="path">Absolute path, for messages and for patterns.</param>
    /// <param name="deviceId">File system of the target that it lies below.</param>
    /// <param name="rules">What is left out.</param>
    public DiskFolder(Descriptor folder, FilePath path, ulong deviceId, SourceRules rules)
        => (_open, _path, _deviceId, _rules) = (folder, path, deviceId, rules);

    DiskFolder(Descriptor folder, FilePath path, DiskFolder above) : this(folder, path, above._deviceId, above._rules)
    {
        _above = above;
        var far = this;
        for (var level = 0; level < HeldOpen && far is not null; level++) far = far._above;
        if (far?._above is not null) far.Park();   // the target itself stays: everything is found again from there
    }

    public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct)
    {
        var nodes = new List<Node>();
        try
        {
            // A mount point of another file system is kept as an empty folder, so that a restore has the place to mount it again.
            var folder = Opened();
            if (_rules.OneFileSystem && folder.Stat().DeviceId != _deviceId)
            {
                problems.LeftOut(_path, "what lies below is on another file system (--one-file-system)");
                return nodes;
            }
            var present = _rules.Markers.Where(marker => marker.IsIn(folder)).ToList();
            var excludes = _rules.Excludes.Below(_path);
            var reader = new FolderReader(folder);
            try
            {
                while (reader.Next(out var name, out _))
                {
                    ct.ThrowIfCancellationRequested();
                    if (present.Count > 0 && !IsAny(present, name)) problems.LeftOut(_path.Join(name), present[0].Reason);
                    else Add(folder, name, excludes, nodes, problems);
                }
            }
            finally { reader.Dispose(); }
        }
        catch (PosixException e) { problems.Missing(_path, e.Message); }
        return nodes;
    }

    static bool IsAny(List<FolderMarker> markers, ReadOnlySpan<byte> name)
    {
        foreach (var marker in markers)
            if (name.SequenceEqual(marker.Name.Bytes)) return true;
        return false;
    }

    void Add(Descriptor folder, ReadOnlySpan<byte> name, FolderExcludes excludes, List<Node> nodes, ISourceProblems problems)
    {
        var errno = folder.TryStatAt(name, follow: false, out var status);
        if (errno == Errno.ENOENT) return;   // vanished since it was listed: not part of this moment
        if (errno != Errno.None) { problems.Missing(_path.Join(name), $"stat: {PosixException.Describe(errno)}"); return; }
        if (_rules.WhyLeftOut(excludes, name, in status) is { } reason) { problems.LeftOut(_path.Join(name), reason); return; }
        if (status.Kind == FileKind.Socket) { problems.Remark(_path.Join(name), "A socket: skipped."); return; }
        try { nodes.Add(NodeReader.OfEntry(folder, new FilePath(name.ToArray()), in status)); }
        catch (PosixException e) when (e.Errno != Errno.ENOENT) { problems.Missing(_path.Join(name), e.Message); }
        catch (PosixException) { problems.Remark(_path.Join(name), "Vanished while it was read."); }
    }

    public ISourceFolder? OpenFolder(Node child, ISourceProblems problems)
    {
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow;
        var path = _path.Join(child.Name.Bytes);
        if (TryOpened(path, problems) is not { } folder) return null;
        var errno = folder.TryOpenAt(child.Name.Bytes, flags, 0, out var opened);
        if (errno == Errno.None) return new DiskFolder(opened!, path, this);
        DiskFile.Report(path, errno, problems);
        return null;
    }

    public ISourceFile? OpenFile(Node file, ISourceProblems problems)
        => TryOpened(_path.Join(file.Name.Bytes), problems) is { } folder ? DiskFile.Open(folder, _path, file, problems) : null;

    void Park()
    {
        if (_open is null) return;
        _parked = _open.Stat();
        _open.Dispose();
        _open = null;
    }

    Descriptor? TryOpened(FilePath wanted, ISourceProblems problems)
    {
        try { return Opened(); }
        catch (PosixException e)
        {
            problems.Missing(wanted, $"The folder it lies in is not where it was: {PosixException.Describe(e.Errno)}.");
            return null;
        }
    }

    /// <exception cref="PosixException">It is not where it was, or is another one now (ESTALE).</exception>
    Descriptor Opened()
    {
        if (_open is not null) return _open;
        var way = new Stack<DiskFolder>();
        var at = this;
        for (; at._open is null; at = at._above!) way.Push(at);
        for (var above = at; way.TryPop(out var next); above = next)
        {
            next.Reopen(above._open!);
            if (above != at && way.Count > HeldOpen) above.Park();
        }
        return _open!;
    }

    void Reopen(Descriptor above)
    {
        var opened = above.OpenAt(_path.Name.Bytes, OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow);
        if (!opened.Stat().IsSameFile(_parked))
        {
            opened.Dispose();
            throw new PosixException("open", _path, Errno.ESTALE);
        }
        _open = opened;
    }

    public void Dispose() => _open?.Dispose();
}
