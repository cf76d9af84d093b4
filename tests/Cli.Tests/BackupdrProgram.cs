using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Crypto;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>The program, started as a person would start it.</summary>
static class BackupdrProgram
{
    public const string Password = "correct horse battery staple";

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
        return Tool.Run(PublishedProgram.Path, arguments, all);
    }

    /// <summary>Without root's right to read what its mode forbids.</summary>
    public static ToolResult RunWithoutOverride(params IEnumerable<string> arguments)
    {
        Tool.Need("setpriv", "util-linux");
        const string dropped = "-dac_override,-dac_read_search";
        var environment = new Dictionary<string, string>(Clean) { ["BACKUPDR_PASSWORD"] = Password };
        return Tool.Run("setpriv", [$"--inh-caps={dropped}", $"--bounding-set={dropped}", PublishedProgram.Path, .. arguments],
            environment);
    }

    /// <summary>With no more than some open files.</summary>
    public static ToolResult RunLimited(int openFiles, params IEnumerable<string> arguments)
    {
        Tool.Need("prlimit", "util-linux");
        var environment = new Dictionary<string, string>(Clean) { ["BACKUPDR_PASSWORD"] = Password };
        return Tool.Run("prlimit", [$"--nofile={openFiles}", PublishedProgram.Path, .. arguments], environment,
            TimeSpan.FromMinutes(Nightly.Or(2, 20)));
    }

    /// <summary>Under strace, which can make system calls fail; the others run without a stop (--seccomp-bpf).</summary>
    /// <param name="trace">Where strace writes.</param>
    /// <param name="strace">Options: what is traced or injected.</param>
    /// <param name="arguments">The program's own.</param>
    public static ToolResult RunTraced(string trace, IEnumerable<string> strace, params IEnumerable<string> arguments)
    {
        Tool.Need("strace", "strace");
        var environment = new Dictionary<string, string>(Clean) { ["BACKUPDR_PASSWORD"] = Password };
        return Tool.Run("strace", ["-f", "--seccomp-bpf", "-qq", "-o", trace, .. strace, PublishedProgram.Path, .. arguments], environment);
    }

    /// <summary>A key that is quick to derive: every command on a repository derives it again.</summary>
    public static RepositoryOptions QuickKey { get; } = new() { Kdf = new KdfCost(1024, 8, 1) };

    /// <summary>A repository that is there, with a quick key.</summary>
    public static string NewRepository(ScratchFolder scratch)
    {
        var path = scratch.At("repository");
        MakeRepository(path).GetAwaiter().GetResult();
        return path;
    }

    /// <summary>Makes one in this folder, as <c>repo init</c> does.</summary>
    public static async Task MakeRepository(string path)
    {
        using var password = Secret.FromText(Password);
        await using var store = StoreFactory.Open(path);
        using var made = await Repository.Init(store, password, QuickKey, CancellationToken.None);
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
