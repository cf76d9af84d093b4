using System.Text;
using BackupDr.Contracts;
using BackupDr.Sources.Files;

namespace BackupDr.Cli;

/// <summary>Patterns in a text file, one on a line, as in .gitignore.</summary>
static class PatternFile
{
    // A byte that is no UTF-8 must not turn into a replacement character: the pattern would then match nothing, and nobody would know.
    static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads the patterns, without empty lines, lines that begin with <c>#</c>, and white space at both ends of a line.
    /// <c>$NAME</c> and <c>${NAME}</c> stand for environment variables, <c>$$</c> for a dollar.</summary>
    /// <param name="path">The file.</param>
    /// <param name="option">The option that named it, for the message.</param>
    /// <param name="anyCase">Whether the patterns are compared without regard to case.</param>
    /// <exception cref="BadInputException">It cannot be read, is not UTF-8, or names a variable that is not set.</exception>
    public static IEnumerable<PatternLine> Read(string path, string option, bool anyCase)
    {
        string[] lines;
        try { lines = File.ReadAllLines(path, Strict); }
        catch (DecoderFallbackException e)
        {
            throw new BadInputException(option, $"The pattern file {path} is not UTF-8: {e.Message}", "Save it as UTF-8.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new BadInputException(option, $"The pattern file {path} cannot be read: {e.Message}", "Check its path and its rights.");
        }
        for (var number = 1; number <= lines.Length; number++)
        {
            var line = lines[number - 1].Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            var origin = $"{path}:{number}";
            yield return new PatternLine(Expand(line, origin), origin, anyCase);
        }
    }

    static string Expand(string line, string origin)
    {
        if (!line.Contains('$', StringComparison.Ordinal)) return line;
        var expanded = new StringBuilder();
        for (var at = 0; at < line.Length; at++)
        {
            if (line[at] != '$' || at + 1 == line.Length) { expanded.Append(line[at]); continue; }
            if (line[at + 1] == '$') { expanded.Append('$'); at++; continue; }
            var braced = line[at + 1] == '{';
            var begin = at + (braced ? 2 : 1);
            var end = begin;
            while (end < line.Length && (char.IsAsciiLetterOrDigit(line[end]) || line[end] == '_')) end++;
            if (braced && (end == begin || end == line.Length || line[end] != '}'))
                throw new BadInputException(origin, $"{origin}: '{line}' has a '${{' without a name and its '}}'.",
                    "Write ${NAME}, or $$ for a dollar.");
            if (end == begin) { expanded.Append('$'); continue; }
            var name = line[begin..end];
            // Nothing in its place would make another pattern of it, such as "/" of "$HOME/".
            expanded.Append(Environment.GetEnvironmentVariable(name)
                ?? throw new BadInputException(origin, $"{origin}: the environment variable {name} in '{line}' is not set.",
                    "Set it, or write $$ for a dollar."));
            at = braced ? end : end - 1;
        }
        return expanded.ToString();
    }
}
