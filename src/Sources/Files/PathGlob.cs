using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>Finds the paths of this host that a pattern names, as a shell does.</summary>
public static class PathGlob
{
    /// <summary>The existing paths that match, sorted by bytes; folders that cannot be read hold none.</summary>
    /// <param name="pattern">An absolute path whose parts may hold <c>*</c>, <c>?</c>, <c>[a-z]</c> and <c>\</c>.</param>
    /// <exception cref="BadInputException">A bracket or a backslash has no end.</exception>
    public static IReadOnlyList<FilePath> Expand(FilePath pattern)
    {
        List<FilePath> found = [new FilePath("/"u8.ToArray())];
        foreach (var part in pattern.Parts())
        {
            if (Glob.FlawOf(part.ToString().Replace(@"\\", @"\", StringComparison.Ordinal)) is { } flaw)
                throw new BadInputException("paths", $"'{pattern}' {flaw.What}.", flaw.Hint);
            List<FilePath> next = [];
            foreach (var folder in found)
            {
                if (part.Bytes.IndexOfAny("*?[\\"u8) >= 0) next.AddRange(Matching(folder, part));
                else if (Exists(folder.Join(part.Bytes))) next.Add(folder.Join(part.Bytes));
            }
            found = next;
        }
        found.Sort(static (left, right) => left.Bytes.SequenceCompareTo(right.Bytes));
        return found;
    }

    static bool Exists(FilePath path)
    {
        try
        {
            Descriptor.StatOf(path);
            return true;
        }
        catch (PosixException) { return false; }
    }

    static List<FilePath> Matching(FilePath folder, FilePath glob)
    {
        var names = new List<FilePath>();
        try
        {
            using var open = Descriptor.OpenFolder(folder);
            var reader = new FolderReader(open);
            try
            {
                while (reader.Next(out var name, out _))
                    if (Glob.Match(glob.Bytes, name)) names.Add(folder.Join(name));
            }
            finally { reader.Dispose(); }
        }
        catch (PosixException e) when (e.Errno is Errno.ENOTDIR or Errno.ENOENT or Errno.EACCES) { return names; }
        return names;
    }
}
