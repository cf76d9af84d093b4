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
    public static IReadOnlyList<string> Commands(string page)
    {
        var commands = new List<string>();
        var inside = false;
        foreach (var line in File.ReadLines(Path.Combine(Root, page)))
        {
            if (line.StartsWith("```", StringComparison.Ordinal)) inside = !inside && line == "```sh";
            else if (inside && line.Length > 0 && line[0] != '#') commands.Add(line);
        }
        return commands;
    }
}
