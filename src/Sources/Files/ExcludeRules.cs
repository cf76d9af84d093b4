using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Sources.Files;

/// <summary>Patterns of what is left out, written as in .gitignore.</summary>
/// <remarks>
/// <c>*.tmp</c> matches a name anywhere; <c>cache/*.bin</c> a run of names anywhere; <c>/srv/x</c> from the root of the file system;
/// a slash at the end: folders only; <c>*</c> and <c>?</c> stop at slashes, <c>**</c> stands for any number of folders, <c>[a-z]</c> and
/// <c>[!a-z]</c> for one byte, <c>\</c> takes the next character as it is. <c>!</c> in front takes back what an earlier pattern left out.
/// The last pattern that matches decides; below a folder that is left out nothing is looked at. Names are compared as bytes.
/// </remarks>
public sealed class ExcludeRules
{
    readonly List<ExcludePattern> _patterns;

    ExcludeRules(List<ExcludePattern> patterns) => _patterns = patterns;

    /// <summary>Reads patterns, one each.</summary>
    /// <exception cref="BadInputException">A pattern is empty, or a bracket or a backslash in it has no end.</exception>
    public static ExcludeRules Parse(IReadOnlyList<string> patterns)
    {
        var parsed = new List<ExcludePattern>(patterns.Count);
        foreach (var text in patterns) parsed.Add(ExcludePattern.Parse(text));
        return new ExcludeRules(parsed);
    }

    /// <summary>The rules as they stand for the entries of one folder.</summary>
    internal FolderExcludes Below(FilePath folder) => _patterns.Count == 0 ? default : new FolderExcludes(_patterns, folder.Parts());

    /// <summary>Whether an entry of <paramref name="folder"/> is left out.</summary>
    public bool Match(FilePath folder, FilePath name, bool isFolder) => Below(folder).Match(name.Bytes, isFolder);
}

/// <summary>Exclude rules with the folder's path taken apart once.</summary>
readonly struct FolderExcludes(List<ExcludePattern>? patterns, IReadOnlyList<FilePath> folder)
{
    public bool Match(ReadOnlySpan<byte> name, bool isFolder)
    {
        if (patterns is null) return false;
        for (var i = patterns.Count - 1; i >= 0; i--)
            if (patterns[i].Matches(folder, name, isFolder)) return !patterns[i].TakesBack;
        return false;
    }
}

/// <summary>One pattern: a list of parts between slashes, each a glob; an empty part stands for <c>**</c>.</summary>
sealed class ExcludePattern
{
    readonly byte[][] _parts;
    readonly bool _foldersOnly;

    ExcludePattern(byte[][] parts, bool foldersOnly, bool takesBack) => (_parts, _foldersOnly, TakesBack) = (parts, foldersOnly, takesBack);

    public bool TakesBack { get; }

    public static ExcludePattern Parse(string text)
    {
        var rest = text;
        var takesBack = rest.StartsWith('!');
        if (takesBack) rest = rest[1..];
        var foldersOnly = rest.EndsWith('/');
        rest = rest.TrimEnd('/');
        var anchored = rest.StartsWith('/');
        var parts = new List<byte[]>();
        if (!anchored) parts.Add([]);
        foreach (var part in rest.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            CheckClosed(text, part);
            var glob = part == "**" ? [] : Encoding.UTF8.GetBytes(part);
            if (glob.Length > 0 || parts.Count == 0 || parts[^1].Length > 0) parts.Add(glob);   // "**/**" is "**"
        }
        if (rest.Length == 0 || parts.Count == 0)
            throw new BadInputException("exclude", $"'{text}' is not a pattern.", "Write a name, a path or a glob such as *.tmp.");
        return new ExcludePattern([.. parts], foldersOnly, takesBack);
    }

    static void CheckClosed(string text, string part)
    {
        for (var i = 0; i < part.Length; i++)
        {
            if (part[i] == '\\' && ++i == part.Length)
                throw new BadInputException("exclude", $"'{text}' ends in a lone backslash.", @"Write \\ for a backslash.");
            if (part[i] != '[' || (i > 0 && part[i - 1] == '\\')) continue;
            var end = i + 1;
            if (end < part.Length && part[end] is '!' or '^') end++;
            end = part.IndexOf(']', Math.Min(end + 1, part.Length));
            if (end < 0) throw new BadInputException("exclude", $"'{text}' has a '[' without its ']'.", @"Write \[ for a bracket.");
            i = end;
        }
    }

    public bool Matches(IReadOnlyList<FilePath> folder, ReadOnlySpan<byte> name, bool isFolder)
    {
        if (_foldersOnly && !isFolder) return false;
        return Match(_parts.Length, folder, folder.Count, name);
    }

    // Compares from the end: the last part is the name itself in nearly all patterns, so most answers come after one comparison.
    bool Match(int parts, IReadOnlyList<FilePath> folder, int folders, ReadOnlySpan<byte> name)
    {
        if (parts == 0) return false;
        var part = _parts[parts - 1];
        if (part.Length == 0) return parts == 1 || MatchFolders(parts, folder, folders);   // "a/**": what lies in a, not a
        return Glob.Match(part, name) && MatchFolders(parts - 1, folder, folders);
    }

    bool MatchFolders(int parts, IReadOnlyList<FilePath> folder, int folders)
    {
        if (parts == 0) return folders == 0;
        var part = _parts[parts - 1];
        if (part.Length != 0)
            return folders > 0 && Glob.Match(part, folder[folders - 1].Bytes) && MatchFolders(parts - 1, folder, folders - 1);
        if (parts == 1) return true;
        for (var left = folders; left >= 0; left--)
            if (MatchFolders(parts - 1, folder, left)) return true;
        return false;
    }
}
