using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>The built program, started as a person would start it.</summary>
static class BackupdrProgram
{
    public const string Password = "correct horse battery staple";
    static readonly string Program = Path.Combine(AppContext.BaseDirectory, "backupdr");

    // Nothing of the tests' own surroundings may decide a result.
    static readonly Dictionary<string, string> Clean = new()
    {
        ["BACKUPDR_REPOSITORY"] = "",
        ["BACKUPDR_PASSWORD"] = "",
        ["BACKUPDR_PASSWORD_FILE"] = "",
        ["RESTIC_REPOSITORY"] = "",
        ["RESTIC_PASSWORD"] = "",
        ["RESTIC_PASSWORD_FILE"] = "",
    };

    /// <summary>With the right password in the environment.</summary>
    public static ToolResult Run(params IEnumerable<string> arguments) => Run(new() { ["BACKUPDR_PASSWORD"] = Password }, arguments);

    /// <summary>With just these variables.</summary>
    public static ToolResult Run(Dictionary<string, string> environment, IEnumerable<string> arguments)
    {
        var all = new Dictionary<string, string>(Clean);
        foreach (var (name, value) in environment) all[name] = value;
        return Tool.Run(Program, arguments, all);
    }

    /// <summary>Without root's right to read what its mode forbids.</summary>
    public static ToolResult RunWithoutOverride(params IEnumerable<string> arguments)
    {
        Tool.Need("setpriv", "util-linux");
        const string dropped = "-dac_override,-dac_read_search";
        var environment = new Dictionary<string, string>(Clean) { ["BACKUPDR_PASSWORD"] = Password };
        return Tool.Run("setpriv", [$"--inh-caps={dropped}", $"--bounding-set={dropped}", Program, .. arguments], environment);
    }

    /// <summary>Under strace, which can make system calls fail.</summary>
    /// <param name="trace">Where strace writes.</param>
    /// <param name="strace">Options: what is traced or injected.</param>
    /// <param name="arguments">The program's own.</param>
    public static ToolResult RunTraced(string trace, IEnumerable<string> strace, params IEnumerable<string> arguments)
    {
        Tool.Need("strace", "strace");
        var environment = new Dictionary<string, string>(Clean) { ["BACKUPDR_PASSWORD"] = Password };
        return Tool.Run("strace", ["-f", "-qq", "-o", trace, .. strace, Program, .. arguments], environment);
    }

    /// <summary>A repository that is there.</summary>
    public static string NewRepository(ScratchFolder scratch)
    {
        var path = scratch.At("repository");
        Succeed("repo", "init", "--repo", path);
        return path;
    }

    public static string Succeed(params IEnumerable<string> arguments)
    {
        var all = arguments.ToList();
        var result = Run(all);
        Assert.True(result.ExitCode == 0, $"backupdr {string.Join(' ', all)} ended with {result.ExitCode}: {result.Output}{result.Errors}");
        return result.Output;
    }

    /// <summary>Every file of a repository with its size: what a refused command must leave as it was.</summary>
    public static IReadOnlyList<string> Files(string repository) =>
    [
        .. new DirectoryInfo(repository).EnumerateFiles("*", SearchOption.AllDirectories)
            .Select(file => $"{file.FullName} {file.Length}").Order(StringComparer.Ordinal),
    ];
}
