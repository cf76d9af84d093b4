using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Sources.Volumes;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>Folders and files of this host as something to back up.</summary>
/// <remarks>
/// Everything below a target is reached through open folders, name by name and without following links: a folder that is exchanged for a
/// link meanwhile leads nowhere, and paths may be longer than the kernel takes in one piece. The folders above a target are followed
/// as typed.
/// </remarks>
public sealed class FileSource : IItemSource
{
    readonly HashSet<FilePath> _listed;
    readonly SourceRules _rules;

    readonly FrozenTrees? _frozen;

    FileSource(IReadOnlyList<FilePath> paths, HashSet<FilePath> listed, SourceRules rules, FrozenTrees? frozen)
        => (Paths, _listed, _rules, _frozen) = (paths, listed, rules, frozen);

    /// <inheritdoc/>
    public IReadOnlyList<FilePath> Paths { get; }

    /// <summary>Checks what a policy selects; touches no file yet.</summary>
    /// <exception cref="BadInputException">As of the other overload.</exception>
    public static FileSource Open(FilesSpec selection, FrozenTrees? frozen = null) => Open(new FileSelection
    {
        Paths = selection.Paths,
        Patterns = [.. selection.Excludes.Select(text => new PatternLine(text, "exclude"))],
        Markers = selection.ExcludeCaches ? [FolderMarker.CacheTag] : [],
        OneFileSystem = selection.OneFileSystem,
    }, frozen);

    /// <summary>Checks the selection; touches no file yet.</summary>
    /// <param name="selection">What is taken.</param>
    /// <param name="frozen">Snapshots to read from where there are; they outlive the source.</param>
    /// <exception cref="BadInputException">No path, a path that is not absolute or holds "..", or a pattern that cannot be
    /// read.</exception>
    public static FileSource Open(FileSelection selection, FrozenTrees? frozen = null)
    {
        if (selection.Paths.Count + selection.ListedPaths.Count == 0)
            throw new BadInputException("paths", "There is no path to back up.", "Name at least one folder or file.");
        var (paths, known, listed) = (new List<FilePath>(), new HashSet<FilePath>(), new HashSet<FilePath>());
        foreach (var path in selection.Paths.Select(Clean))
            if (known.Add(path)) paths.Add(path);
        foreach (var path in selection.ListedPaths.Select(Clean))
            if (known.Add(path)) { paths.Add(path); listed.Add(path); }
        return new FileSource(paths, listed, new SourceRules(ExcludeRules.Parse(selection.Patterns), selection.Markers,
            selection.LargerThanBytes, selection.OneFileSystem), frozen);
    }

    static FilePath Clean(FilePath path)
    {
        if (!path.IsAbsolute) throw new BadInputException("paths", $"'{path}' is not an absolute path.", "Begin it with a slash.");
        var clean = new FilePath([(byte)'/']);
        foreach (var part in path.Parts())
        {
            if (part.Bytes.SequenceEqual(".."u8))
                throw new BadInputException("paths", $"'{path}' holds '..'.", "Write the path without it.");
            clean = clean.Join(part.Bytes);
        }
        return clean;
    }

    /// <inheritdoc/>
    /// <remarks>Fails where a path that was named is not there, or where nothing at all can be read: that would be an empty snapshot. A
    /// path from a list may be gone meanwhile; it is reported.</remarks>
    public ISourceFolder OpenRoot(ISourceProblems problems)
    {
        var (taken, refused, leftOut) = (new List<FilePath>(), new List<string>(), new List<string>());
        foreach (var path in Paths)
        {
            try
            {
                var status = Descriptor.StatOf(path);
                if (status.Kind == FileKind.Folder) Descriptor.OpenFolder(path).Dispose();
                var parts = path.Parts();
                var above = parts.Take(parts.Count - 1).Aggregate(new FilePath("/"u8.ToArray()), (at, part) => at.Join(part.Bytes));
                if (parts.Count > 0 && _rules.WhyLeftOut(_rules.Excludes.Below(above), parts[^1].Bytes, in status) is { } reason)
                {
                    problems.LeftOut(path, reason);
                    leftOut.Add($"{path} {reason}");
                }
                else taken.Add(path);
            }
            catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
            {
                if (!_listed.Contains(path)) throw new NotFoundException($"The path {path} to back up");
                problems.Missing(path, "It does not exist.");
                refused.Add($"{path} does not exist");
            }
            catch (PosixException e)
            {
                problems.Missing(path, $"open: {PosixException.Describe(e.Errno)}");
                refused.Add($"{path}: {PosixException.Describe(e.Errno)}");
            }
        }
        if (taken.Count > 0) return OpenTargets(TargetPath.Arrange(taken));
        if (refused.Count > 0)
            throw new DeniedException($"Nothing that was named can be read: {string.Join("; ", refused.Take(10))}.",
                "Run the backup as a user who may read it, or name other paths.");
        throw new BadInputException("paths", $"Everything that was named is left out: {string.Join("; ", leftOut.Take(10))}.",
            "Change the rule or the path.");
    }

    ISourceFolder OpenTargets(List<TargetPath> targets)
    {
        var root = new FilePath([(byte)'/']);
        if (targets is not [{ IsTarget: true, Name.IsEmpty: true }]) return new TargetFolder(root, targets, _rules, _frozen);
        if (_frozen?.Of(root) is { } place) return FrozenFolder.Open(root, place, _rules);
        var opened = Descriptor.OpenFolder(root);
        return new DiskFolder(opened, root, opened.Stat().DeviceId, _rules);
    }

    /// <summary>A folder of this host as a tree of its own, nothing left out: what a restore wrote, to be compared.</summary>
    /// <exception cref="PosixException">It cannot be opened.</exception>
    public static ISourceFolder OpenTree(FilePath folder)
    {
        var opened = Descriptor.OpenFolder(folder);
        return new DiskFolder(opened, folder, opened.Stat().DeviceId, SourceRules.None);
    }

    /// <summary>Nothing is held open between calls.</summary>
    public void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>A part of a path that leads to a target, or the target itself.</summary>
sealed class TargetPath(FilePath name)
{
    public FilePath Name { get; } = name;
    public bool IsTarget { get; private set; }
    public List<TargetPath> Children { get; } = [];

    /// <summary>Joins targets into a tree. A target below another one is part of that one already; "/" swallows all.</summary>
    public static List<TargetPath> Arrange(IReadOnlyList<FilePath> paths)
    {
        var root = new TargetPath(default);
        foreach (var path in paths)
        {
            var at = root;
            foreach (var part in path.Parts())
            {
                if (at.IsTarget) break;
                var next = at.Children.Find(child => child.Name == part);
                if (next is null) at.Children.Add(next = new TargetPath(part));
                at = next;
            }
            at.IsTarget = true;
            at.Children.Clear();
        }
        return root.IsTarget ? [root] : root.Children;
    }
}
