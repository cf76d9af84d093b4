using System.Text;
using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Restore;

namespace BackupDr.Sources.Files;

/// <summary>Patterns that say what of a snapshot is restored: those to take, or all, without those to leave out.</summary>
/// <remarks>
/// As with stock restic: <c>*.conf</c> matches a name anywhere, <c>etc/*.conf</c> a run of names anywhere, <c>/srv/x</c> from the root of
/// the snapshot; <c>*</c>, <c>?</c> and <c>[a-z]</c> stop at slashes, <c>**</c> stands for any number of folders, <c>\</c> takes the next
/// character as it is. A pattern that matches a folder matches all of it. What is left out goes before what is taken.
/// </remarks>
public sealed class RestoreFilter : IRestoreFilter
{
    readonly List<PathPattern> _includes, _excludes;

    RestoreFilter(List<PathPattern> includes, List<PathPattern> excludes) => (_includes, _excludes) = (includes, excludes);

    /// <summary>Reads patterns; null where there are none, which is everything.</summary>
    /// <param name="includes">What is taken; empty for everything.</param>
    /// <param name="includesAnyCase">The same, without regard to case.</param>
    /// <param name="excludes">What is left out.</param>
    /// <param name="excludesAnyCase">The same, without regard to case.</param>
    /// <exception cref="BadInputException">A pattern is empty, or a bracket or a backslash in it has no end.</exception>
    public static RestoreFilter? Parse(IReadOnlyList<string> includes, IReadOnlyList<string> includesAnyCase,
        IReadOnlyList<string> excludes, IReadOnlyList<string> excludesAnyCase)
    {
        if (includes.Count + includesAnyCase.Count + excludes.Count + excludesAnyCase.Count == 0) return null;
        return new RestoreFilter(
            [.. includes.Select(text => PathPattern.Parse("--include", text, false)),
                .. includesAnyCase.Select(text => PathPattern.Parse("--iinclude", text, true))],
            [.. excludes.Select(text => PathPattern.Parse("--exclude", text, false)),
                .. excludesAnyCase.Select(text => PathPattern.Parse("--iexclude", text, true))]);
    }

    /// <inheritdoc/>
    public RestoreMatch Match(IReadOnlyList<FilePath> path, bool isFolder)
    {
        foreach (var exclude in _excludes)
            if (exclude.Covers(path)) return default;
        if (_includes.Count == 0) return new RestoreMatch(true, true);
        var (isTaken, isEntered) = (false, false);
        foreach (var include in _includes)   // each one is asked: each notes whether it ever matched
        {
            isTaken |= include.Covers(path);
            isEntered |= isTaken || include.MayCoverBelow(path);
        }
        return new RestoreMatch(isTaken, isEntered);
    }

    /// <inheritdoc/>
    public IReadOnlyList<Problem> Unmatched => [.. _includes.Where(include => !include.HasMatched)
        .Select(include => new Problem(FilePath.FromText(include.Text), "matches nothing in the snapshot"))];
}

/// <summary>One pattern: a list of parts between slashes, each a glob; an empty part stands for <c>**</c>.</summary>
sealed class PathPattern
{
    readonly byte[][] _parts;
    readonly bool _anyCase;

    PathPattern(string text, byte[][] parts, bool anyCase) => (Text, _parts, _anyCase) = (text, parts, anyCase);

    public string Text { get; }

    public bool HasMatched { get; private set; }

    public static PathPattern Parse(string option, string text, bool anyCase)
    {
        var parts = new List<byte[]>();
        if (!text.StartsWith('/')) parts.Add([]);
        foreach (var part in (anyCase ? text.ToLowerInvariant() : text).Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (Glob.FlawOf(part) is { } flaw) throw new BadInputException(option, $"{option}: '{text}' {flaw.What}.", flaw.Hint);
            var glob = part == "**" ? [] : Encoding.UTF8.GetBytes(part);
            if (glob.Length > 0 || parts.Count == 0 || parts[^1].Length > 0) parts.Add(glob);   // "**/**" is "**"
        }
        if (parts.All(part => part.Length == 0) && text.Trim('/') != "**")
            throw new BadInputException(option, $"{option}: '{text}' is not a pattern.", "Write a name, a path or a glob such as *.conf.");
        return new PathPattern(text, [.. parts], anyCase);
    }

    /// <summary>Whether the path, or a folder that leads to it, matches.</summary>
    public bool Covers(IReadOnlyList<FilePath> path)
    {
        if (!Match(0, path, 0)) return false;
        return HasMatched = true;
    }

    // All parts are used up: the path goes on below what matched, or ends there.
    bool Match(int part, IReadOnlyList<FilePath> path, int at)
    {
        if (part == _parts.Length) return true;
        if (_parts[part].Length > 0) return at < path.Count && MatchName(_parts[part], path[at]) && Match(part + 1, path, at + 1);
        if (part == _parts.Length - 1) return at < path.Count;   // "a/**" is what lies in a, not a itself
        for (var next = at; next < path.Count; next++)
            if (Match(part + 1, path, next)) return true;
        return false;
    }

    /// <summary>Whether something below the folder at this path may match.</summary>
    public bool MayCoverBelow(IReadOnlyList<FilePath> path)
    {
        for (var at = 0; at < path.Count; at++)
        {
            if (at == _parts.Length || _parts[at].Length == 0) return true;
            if (!MatchName(_parts[at], path[at])) return false;
        }
        return true;
    }

    bool MatchName(byte[] glob, FilePath name)
        => Glob.Match(glob, _anyCase ? Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(name.Bytes).ToLowerInvariant()) : name.Bytes);
}
