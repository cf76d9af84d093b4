using System.Text.RegularExpressions;

namespace BackupDr.Architecture.Tests;

/// <summary>Rules for a single file; each gives "path:line: what is wrong".</summary>
public static partial class Tidy
{
    public const int LongestFile = 600;
    public const int LongestMember = 60;
    public const int LongestLine = 140;

    // The words are put together so that this file does not break its own rules.
    static readonly string[] Unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "NotImplemented" + "Exception"];

    [GeneratedRegex(@"\b(?:class|struct|interface|enum|record(?:\s+struct|\s+class)?)\s+" +
        @"([A-Z]\w*(?:Manager|Helper|Helpers|Util|Utils|Service|Info|Data|Base|Impl|Common))\b")]
    private static partial Regex EmptySuffix { get; }

    [GeneratedRegex(@"catch\s*(?:\([^)]*\))?\s*(?:when\s*\([^{]*\)\s*)?\{\s*\}")]
    private static partial Regex EmptyCatch { get; }

    [GeneratedRegex(@"^\s*#\s*region", RegexOptions.Multiline)]
    private static partial Regex Region { get; }

    [GeneratedRegex(@"^\s*(?:\[[^\]]*\]\s*)*" +
        @"(?:(?:public|internal|private|protected|file|static|sealed|abstract|readonly|ref|partial|unsafe)\s+)*" +
        @"(?:class|struct|interface|enum|record|namespace)\b")]
    private static partial Regex TypeHeader { get; }

    public static IEnumerable<string> TooLong(SourceFile file)
    {
        if (file.Lines.Length > LongestFile) yield return file.At(LongestFile, $"{file.Lines.Length} lines, {LongestFile} are allowed");
        for (var at = 0; at < file.Lines.Length; at++)
            if (file.Lines[at].Length > LongestLine) yield return file.At(at + 1,
                $"{file.Lines[at].Length} characters, {LongestLine} are allowed");
    }

    /// <summary>Members whose body between braces is too long. Relies on the formatter: a member's braces stand alone, one level below its
    /// type's.</summary>
    public static IEnumerable<string> LongMembers(SourceFile file)
    {
        var inside = new HashSet<int> { 0 };                              // indents at which members stand
        for (var at = 0; at < file.Lines.Length; at++)
        {
            var line = file.Lines[at];
            if (line.Trim() != "{") continue;
            var indent = line.Length - line.TrimStart().Length;
            var header = at - 1;
            while (header > 0 && file.Lines[header] is var above
                && (above.Trim().Length == 0 || above.Length - above.TrimStart().Length > indent)) header--;
            if (TypeHeader.IsMatch(file.Lines[Math.Max(header, 0)])) { inside.Add(indent + 4); continue; }
            if (indent == 0 || !inside.Contains(indent)) continue;
            var close = Array.FindIndex(file.Lines, at, text => text.StartsWith(new string(' ', indent) + "}", StringComparison.Ordinal));
            if (close - at - 1 > LongestMember) yield return file.At(at, $"a body of {close - at - 1} lines, {LongestMember} are allowed");
        }
    }

    public static IEnumerable<string> Leftovers(SourceFile file)
    {
        for (var at = 0; at < file.Lines.Length; at++)
            foreach (var word in Unfinished)
                if (file.Lines[at].Contains(word, StringComparison.Ordinal)) yield return file.At(at + 1, $"holds {word}");
    }

    public static IEnumerable<string> EmptyNames(SourceFile file)
        => EmptySuffix.Matches(file.Text)
        .Select(match => file.At(file.LineOf(match.Index), $"{match.Groups[1].Value}: the suffix says nothing"));

    public static IEnumerable<string> SilentCatches(SourceFile file)
        => EmptyCatch.Matches(file.Text).Select(match => file.At(file.LineOf(match.Index), "a catch that does nothing and says not why"));

    public static IEnumerable<string> Regions(SourceFile file)
        => Region.Matches(file.Text).Select(match => file.At(file.LineOf(match.Index), "a region"));
}
