using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
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
    readonly List<TargetPath> _targets;
    readonly SourceRules _rules;

    FileSource(IReadOnlyList<FilePath> paths, SourceRules rules)
    {
        Paths = paths;
        _rules = rules;
        _targets = TargetPath.Arrange(paths);
    }

    /// <inheritdoc/>
    public IReadOnlyList<FilePath> Paths { get; }

    /// <summary>Checks the selection; touches no file yet.</summary>
    /// <exception cref="BadInputException">No path, a path that is not absolute or holds "..", or a pattern that cannot be
    /// read.</exception>
    public static FileSource Open(FilesSpec selection)
    {
        if (selection.Paths.Count == 0)
            throw new BadInputException("paths", "There is no path to back up.", "Name at least one folder or file.");
        var paths = new List<FilePath>(selection.Paths.Count);
        foreach (var path in selection.Paths)
        {
            if (!path.IsAbsolute) throw new BadInputException("paths", $"'{path}' is not an absolute path.", "Begin it with a slash.");
            var clean = new FilePath([(byte)'/']);
            foreach (var part in path.Parts())
            {
                if (part.Bytes.SequenceEqual(".."u8))
                    throw new BadInputException("paths", $"'{path}' holds '..'.", "Write the path without it.");
                clean = clean.Join(part.Bytes);
            }
            if (!paths.Contains(clean)) paths.Add(clean);
        }
        return new FileSource(paths,
            new SourceRules(ExcludeRules.Parse(selection.Excludes), selection.ExcludeCaches, selection.OneFileSystem));
    }

    /// <inheritdoc/>
    public ISourceFolder OpenRoot(ISourceProblems problems)
    {
        foreach (var path in Paths)
        {
            try { Descriptor.StatOf(path); }
            catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
            {
                throw new NotFoundException($"The path {path} to back up");
            }
        }
        var root = new FilePath([(byte)'/']);
        if (_targets is [{ IsTarget: true, Name.IsEmpty: true }])
        {
            var opened = Descriptor.OpenFolder(root);
            return new DiskFolder(opened, root, opened.Stat().DeviceId, _rules);
        }
        return new TargetFolder(root, _targets, _rules);
    }

    /// <summary>A folder of this host as a tree of its own, nothing left out: what a restore wrote, to be compared.</summary>
    /// <exception cref="PosixException">It cannot be opened.</exception>
    public static ISourceFolder OpenTree(FilePath folder)
    {
        var opened = Descriptor.OpenFolder(folder);
        return new DiskFolder(opened, folder, opened.Stat().DeviceId, new SourceRules(ExcludeRules.Parse([]), false, false));
    }

    /// <summary>Nothing is held open between calls.</summary>
    public void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>What a walk leaves out.</summary>
sealed record SourceRules(ExcludeRules Excludes, bool ExcludeCaches, bool OneFileSystem);

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
