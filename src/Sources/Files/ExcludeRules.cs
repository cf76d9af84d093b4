using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Sources.Files;

/// <summary>A pattern as it was written.</summary>
/// <param name="Text">The pattern.</param>
/// <param name="Origin">Where it stands, for messages: an option, or a file and a line.</param>
/// <param name="AnyCase">Whether letters are compared without regard to case.</param>
public sealed record PatternLine(string Text, string Origin, bool AnyCase = false);

/// <summary>Patterns of what is left out, written as in .gitignore.</summary>
/// <remarks>
/// <c>*.tmp</c> matches a name anywhere; <c>cache/*.bin</c> a run of names anywhere; <c>/srv/x</c> from the root of the file system;
/// a slash at the end: folders only; <c>*</c> and <c>?</c> stop at slashes, <c>**</c> stands for any number of folders, <c>[a-z]</c> and
/// <c>[!a-z]</c> for one character, <c>\</c> takes the next character as it is. <c>!</c> in front takes back what an earlier pattern left
/// out. The last pattern that matches decides, among those with and among those without regard to case; either leaves out. Below a folder
/// that is left out nothing is looked at. Names are compared as bytes.
/// </remarks>
public sealed class ExcludeRules
{
    readonly List<ExcludePattern> _exact = [], _anyCase = [];

    /// <summary>Reads patterns, one each, compared with regard to case.</summary>
    /// <exception cref="BadInputException">A pattern is empty, or a bracket or a backslash in it has no end.</exception>
    public static ExcludeRules Parse(IReadOnlyList<string> patterns)
        => Parse([.. patterns.Select(text => new PatternLine(text, "exclude"))]);

    /// <summary>Reads patterns.</summary>
    /// <exception cref="BadInputException">A pattern is empty, or a bracket or a backslash in it has no end; the message begins with its
    /// origin.</exception>
    public static ExcludeRules Parse(IReadOnlyList<PatternLine> patterns)
    {
        var rules = new ExcludeRules();
        foreach (var line in patterns) (line.AnyCase ? rules._anyCase : rules._exact).Add(ExcludePattern.Parse(line));
        return rules;
    }

    /// <summary>The rules as they stand for the entries of one folder.</summary>
    internal FolderExcludes Below(FilePath folder)
        => _exact.Count + _anyCase.Count == 0 ? default : new FolderExcludes(_exact, _anyCase, folder.Parts());

    /// <summary>Whether an entry of <paramref name="folder"/> is left out.</summary>
    public bool Match(FilePath folder, FilePath name, bool isFolder) => Below(folder).Match(name.Bytes, isFolder) is not null;
}

/// <summary>Exclude rules with the folder's path taken apart once.</summary>
readonly struct FolderExcludes(List<ExcludePattern> exact, List<ExcludePattern> anyCase, IReadOnlyList<FilePath> folder)
{
    readonly IReadOnlyList<FilePath> _lowered = anyCase.Count == 0 ? [] : [.. folder.Select(part => new FilePath(Glob.Lower(part.Bytes)))];

    /// <summary>The pattern that leaves an entry out; null where it is taken.</summary>
    public ExcludePattern? Match(ReadOnlySpan<byte> name, bool isFolder)
    {
        if (exact is null) return null;
        return Decide(exact, folder, name, isFolder)
            ?? (anyCase.Count == 0 ? null : Decide(anyCase, _lowered, Glob.Lower(name), isFolder));
    }

    static ExcludePattern? Decide(List<ExcludePattern> patterns, IReadOnlyList<FilePath> folder, ReadOnlySpan<byte> name, bool isFolder)
    {
        for (var i = patterns.Count - 1; i >= 0; i--)
            if (patterns[i].Matches(folder, name, isFolder)) return patterns[i].TakesBack ? null : patterns[i];
        return null;
    }
}

/// <summary>One pattern: a list of parts between slashes, each a glob; an empty part stands for <c>**</c>.</summary>
sealed class ExcludePattern
{
    readonly byte[][] _parts;
    readonly bool _foldersOnly;

    ExcludePattern(byte[][] parts, bool foldersOnly, bool takesBack, string reason)
        => (_parts, _foldersOnly, TakesBack, Reason) = (parts, foldersOnly, takesBack, reason);

    public bool TakesBack { get; }

    /// <summary>For a person: the pattern and where it stands.</summary>
    public string Reason { get; }

    public static ExcludePattern Parse(PatternLine line)
    {
        var (text, origin) = (line.Text, line.Origin);
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
            if (part == ".") continue;
            if (Glob.FlawOf(part) is { } flaw) throw new BadInputException(origin, $"{origin}: '{text}' {flaw.What}.", flaw.Hint);
            var glob = part == "**" ? [] : Encoding.UTF8.GetBytes(part);
            if (line.AnyCase) glob = Glob.Lower(glob);
            if (glob.Length > 0 || parts.Count == 0 || parts[^1].Length > 0) parts.Add(glob);   // "**/**" is "**"
        }
        if (rest.Length == 0 || parts.Count == 0)
            throw new BadInputException(origin, $"{origin}: '{text}' is not a pattern.", "Write a name, a path or a glob such as *.tmp.");
        return new ExcludePattern([.. parts], foldersOnly, takesBack, $"matches '{text}' ({origin})");
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

    // As Glob.Match, one level up: a "**" that was passed is the only one ever tried again, so many of them do not multiply.
    bool MatchFolders(int parts, IReadOnlyList<FilePath> folder, int folders)
    {
        var (part, at, starPart, starAt) = (parts, folders, -1, 0);
        while (true)
        {
            if (part > 0 && _parts[part - 1].Length == 0)
            {
                if (part == 1) return true;
                (starPart, starAt) = (--part, at);
                continue;
            }
            if (part == 0 && at == 0) return true;
            if (part > 0 && at > 0 && Glob.Match(_parts[part - 1], folder[at - 1].Bytes))
            {
                part--;
                at--;
                continue;
            }
            if (starPart < 0 || starAt == 0) return false;
            (part, at) = (starPart, --starAt);
        }
    }
}
