namespace BackupDr.Cli.Tests;

/// <summary>The pages of this project, read by the tests that keep them true.</summary>
static class Documents
{
    /// <summary>The folder of the solution.</summary>
    public static string Root { get; } = Find();

    static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "BackupDr.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds BackupDr.sln.");
    }

    /// <summary>The lines of all fenced blocks of shell commands of a page, in order; comments and empty lines left out.</summary>
    /// <param name="page">The page.</param>
    /// <param name="section">Only below this heading of the second level; "" for what comes before the first one. Null for all.</param>
    public static IReadOnlyList<string> Commands(string page, string? section = null)
    {
        var commands = new List<string>();
        var (inside, heading) = (false, "");
        foreach (var line in File.ReadLines(Path.Combine(Root, page)))
        {
            if (!inside && line.StartsWith("## ", StringComparison.Ordinal)) heading = line[3..];
            if (section is not null && heading != section) continue;
            if (line.StartsWith("```", StringComparison.Ordinal)) inside = !inside && line == "```sh";
            else if (inside && line.Length > 0 && line[0] != '#') commands.Add(line);
        }
        return commands;
    }
}
