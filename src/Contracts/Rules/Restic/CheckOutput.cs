using System.Text.RegularExpressions;

namespace BackupDr.Contracts.Rules.Restic;

/// <summary>Reads what <c>restic check</c> wrote, of 0.14 and later. Pure.</summary>
public static partial class CheckOutput
{
    const int MostErrors = 20;

    /// <summary>The version in the line that <c>restic version</c> writes; null where there is none.</summary>
    public static string? Version(IReadOnlyList<string> lines)
        => lines.Select(line => line.Split(' ')).FirstOrDefault(words => words is ["restic", _, ..])?[1];

    /// <summary>What it found, or why it could not look.</summary>
    /// <param name="exitCode">How it ended.</param>
    /// <param name="lines">What it wrote, to both outputs.</param>
    /// <returns>Errors in the repository; none and no problem where it is sound. A problem where nothing can be said.</returns>
    public static (IReadOnlyList<string> Errors, string? Problem) Read(int exitCode, IReadOnlyList<string> lines)
    {
        var said = lines.Where(line => !string.IsNullOrWhiteSpace(line)).ToList();
        if (exitCode == 0) return ([], null);
        // That a store is away or a password is wrong ends it with the same number as damage does; these words do not come then.
        if (!said.Exists(line => Verdict().IsMatch(line)))
            return ([], said.LastOrDefault(line => line.StartsWith("Fatal:", StringComparison.Ordinal)) ?? said.LastOrDefault()
                ?? $"It ended with {exitCode} and said nothing.");
        var errors = said.Where(line => !Talk().IsMatch(line) && !line.StartsWith("Fatal:", StringComparison.Ordinal))
            .Select(line => line.Trim()).Take(MostErrors).ToList();
        return (errors.Count > 0 ? errors : [said[^1]], null);
    }

    [GeneratedRegex("^Fatal: (repository contains errors|the repository contains errors|LoadIndex returned errors)")]
    private static partial Regex Verdict();

    // What it says of its own work.
    [GeneratedRegex("^(using temporary cache|created new cache|create exclusive lock|repository [0-9a-f]+ opened|load indexes|check |read "
        + @"|\[|no errors|\d+ additional files|This is non-critical|The repository |To repair|Run `restic)")]
    private static partial Regex Talk();
}
