using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Cli;

/// <summary>Patterns in a text file, one on a line, as in .gitignore.</summary>
static class PatternFile
{
    // A byte that is no UTF-8 must not turn into a replacement character: the pattern would then match nothing, and nobody would know.
    static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads the patterns, without empty lines, lines that begin with <c>#</c>, and white space at both ends of a line.</summary>
    /// <param name="path">The file.</param>
    /// <param name="option">The option that named it, for the message.</param>
    /// <exception cref="BadInputException">It cannot be read, or is not UTF-8.</exception>
    public static IEnumerable<string> Read(string path, string option)
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
        return lines.Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#');
    }
}
