using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Cli;

/// <summary>Paths to back up from a file or, as <c>-</c>, from standard input. Paths are bytes; they are never decoded.</summary>
static class PathList
{
    /// <summary>One pattern on a line, without empty lines, lines that begin with <c>#</c>, and white space at the ends; <c>*</c>,
    /// <c>?</c> and <c>[a-z]</c> stand for names that exist.</summary>
    /// <exception cref="BadInputException">The list cannot be read, or a line of it matches nothing.</exception>
    public static IEnumerable<FilePath> Patterns(string file, string option)
    {
        foreach (var (line, number) in Lines(file, option))
        {
            var text = Trim(line);
            if (text.Length == 0 || text[0] == (byte)'#') continue;
            var found = Sources.Files.PathGlob.Expand(Absolute(text));
            if (found.Count == 0)
                throw new BadInputException(option, $"{file}:{number}: '{new FilePath(text)}' matches nothing that exists.",
                    "Correct the line, or use --files-from-verbatim for names with *, ? or [.");
            foreach (var path in found) yield return path;
        }
    }

    /// <summary>One path on a line, byte by byte; empty lines are left out.</summary>
    /// <exception cref="BadInputException">The list cannot be read.</exception>
    public static IEnumerable<FilePath> Verbatim(string file, string option)
        => Lines(file, option).Where(line => line.Text.Length > 0).Select(line => Absolute(line.Text));

    /// <summary>Paths that each end in a zero byte.</summary>
    /// <exception cref="BadInputException">The list cannot be read, its last path has no zero byte, or a path is empty.</exception>
    public static IEnumerable<FilePath> Raw(string file, string option)
    {
        var bytes = Read(file, option);
        if (bytes.Length > 0 && bytes[^1] != 0)
            throw new BadInputException(option, $"{option}: {file} does not end in a zero byte, so its last path may be cut.",
                "Make it with find -print0 or the like.");
        foreach (var path in Split(bytes, 0))
        {
            if (path.Length == 0) throw new BadInputException(option, $"{option}: {file} holds an empty path.", "Remove it.");
            yield return Absolute(path);
        }
    }

    static IEnumerable<(byte[] Text, int Number)> Lines(string file, string option)
    {
        var number = 0;
        foreach (var line in Split(Read(file, option), (byte)'\n'))
        {
            number++;
            var text = line.Length > 0 && line[^1] == (byte)'\r' ? line[..^1] : line;
            if (text.Contains((byte)0))
                throw new BadInputException(option, $"{option}: line {number} of {file} holds a zero byte.",
                    "Use --files-from-raw for such a list.");
            yield return (text, number);
        }
    }

    static IEnumerable<byte[]> Split(byte[] bytes, byte separator)
    {
        for (var begin = 0; begin < bytes.Length;)
        {
            var end = Array.IndexOf(bytes, separator, begin);
            if (end < 0) end = bytes.Length;
            yield return bytes[begin..end];
            begin = end + 1;
        }
    }

    static byte[] Read(string file, string option)
    {
        try
        {
            if (file != "-") return File.ReadAllBytes(file);
            using var input = Console.OpenStandardInput();
            using var all = new MemoryStream();
            input.CopyTo(all);
            return all.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new BadInputException(option, $"{option}: {file} cannot be read: {e.Message}", "Check its path and its rights.");
        }
    }

    static byte[] Trim(byte[] line) => line.AsSpan().Trim(" \t\v\f\r"u8).ToArray();

    /// <summary>Below the current folder where it is relative; "." and ".." are resolved as text.</summary>
    static FilePath Absolute(byte[] path)
    {
        var whole = path[0] == (byte)'/' ? path : [.. Encoding.UTF8.GetBytes(Environment.CurrentDirectory), (byte)'/', .. path];
        var parts = new List<FilePath>();
        foreach (var part in new FilePath(whole).Parts())
        {
            if (!part.Bytes.SequenceEqual(".."u8)) parts.Add(part);
            else if (parts.Count > 0) parts.RemoveAt(parts.Count - 1);
        }
        return parts.Aggregate(new FilePath("/"u8.ToArray()), (at, part) => at.Join(part.Bytes));
    }
}
