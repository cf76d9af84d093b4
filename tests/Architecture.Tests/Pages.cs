using System.Text.RegularExpressions;

namespace BackupDr.Architecture.Tests;

/// <summary>Rules for pages of the documentation; each gives "path:line: what is wrong".</summary>
public static partial class Pages
{
    [GeneratedRegex(@"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")]
    private static partial Regex Link { get; }

    // A path of one machine, or the address of a package source, means nothing to the reader of the page.
    [GeneratedRegex(
        @"(?<![\w.])/(?:home|root|mnt)/[a-z]|" +
        @"https?://[^\s)""'>]*(?:nuget|npmjs|pypi|registry|artifactory|nexus|verdaccio)", RegexOptions.IgnoreCase)]
    private static partial Regex Elsewhere { get; }

    public static IEnumerable<string> Titles(SourceFile page)
    {
        var titles = WithoutCode(page).Where(line => line.Text.StartsWith("# ", StringComparison.Ordinal)).ToList();
        if (titles.Count != 1) yield return page.At(1, $"{titles.Count} titles, one is wanted");
        else if (titles[0].Number != 1) yield return page.At(titles[0].Number, "the title is not the first line");
    }

    public static IEnumerable<string> MachinePlaces(SourceFile file)
        => Elsewhere.Matches(file.Text)
        .Select(match => file.At(file.LineOf(match.Index), $"names a place outside of the project: {match.Value}"));

    /// <summary>Links to files and headings that are not there. Addresses on the web are not looked up.</summary>
    public static IEnumerable<string> DeadLinks(SourceFile page, Func<string, string?> read)
    {
        foreach (var line in WithoutCode(page))
        {
            foreach (Match match in Link.Matches(line.Text))
            {
                var target = match.Groups[1].Success ? match.Groups[1].Value : match.Groups[2].Value;
                if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith("mailto:", StringComparison.Ordinal)) continue;
                var parts = target.Split('#', 2);
                var path = parts[0] == "" ? page.Path : Resolve(page.Path, parts[0]);
                var text = read(path);
                if (text is null) yield return page.At(line.Number, $"links to {target}, which is not there");
                else if (parts.Length == 2 && !Anchors(new SourceFile(path, text)).Contains(parts[1])) yield return page.At(line.Number,
                    $"links to {target}, but {path} has no such heading");
            }
        }
    }

    static string Resolve(string from, string target)
        => Path.GetRelativePath("/", Path.GetFullPath(Path.Combine("/", Path.GetDirectoryName(from)!, target)));

    static HashSet<string> Anchors(SourceFile page) => WithoutCode(page)
        .Where(line => line.Text.StartsWith('#'))
        .Select(line => Regex.Replace(line.Text.TrimStart('#').Trim().ToLowerInvariant(), @"[^\w\- ]", "").Replace(' ', '-'))
        .ToHashSet();

    static IEnumerable<(int Number, string Text)> WithoutCode(SourceFile page)
    {
        var inCode = false;
        for (var at = 0; at < page.Lines.Length; at++)
        {
            if (page.Lines[at].TrimStart().StartsWith("```", StringComparison.Ordinal)) { inCode = !inCode; continue; }
            if (!inCode) yield return (at + 1, Regex.Replace(page.Lines[at], "`[^`]*`", match => new string('x', match.Length)));
        }
    }
}
