using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Locks;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>A repository with one snapshot that no test of the class changes.</summary>
public sealed class QuietRepository : IDisposable
{
    public QuietRepository()
    {
        Path = BackupdrProgram.NewRepository(Scratch);
        Scratch.File("data/a.txt", "a");
        BackupdrProgram.Succeed("backup", "--repo", Path, Scratch.At("data"));
    }

    public ScratchFolder Scratch { get; } = new();
    public string Path { get; }
    public void Dispose() => Scratch.Dispose();
}

public sealed class BadInputTests(QuietRepository quiet) : IClassFixture<QuietRepository>
{
    // {repo}: the repository; {data}: an existing folder; {dir}: the scratch folder. The words must stand on stderr.
    public static TheoryData<string, int, string> Table => new()
    {
        { "backup --repo {repo} {dir}/nowhere", 1, "{dir}/nowhere" },
        { "backup --repo {repo}", 1, "There is no path to back up" },
        { "backup --repo {dir}/none {data}", 10, "There is no repository at {dir}/none" },
        { "backup --repo rest:host/folder {data}", 1, "no http or https address" },
        { "backup --repo sftp:host:/folder {data}", 1, "not in this version" },
        { "backup {data}", 1, "No repository was given" },
        { "snapshots --repo {repo} --password-file {dir}/none", 1, "The password file cannot be read" },
        { "snapshots --repo {repo} --password-file {dir}/empty", 1, "is empty" },
        { "snapshots --repo {repo} --password-file {dir}/wrong", 12, "Wrong password" },
        { "snapshots --repo {data}", 10, "There is no repository at {data}" },
        { "snapshots --repo {data}/a.txt", 10, "There is no repository at {data}/a.txt" },
        { "snapshots --repo {repo} --no-such-option", 1, "--no-such-option" },
        { "repo init --repo {repo}", 1, "There is a repository at {repo} already" },
        { "ls 00000000 --repo {repo}", 1, "There is no snapshot '00000000'" },
        { "ls latest:data --repo {repo}", 1, "does not begin with a slash" },
        { "ls latest:/nowhere --repo {repo}", 1, "'/nowhere' in snapshot" },
        { "ls latest --host nobody --repo {repo}", 1, "There is no snapshot of host nobody" },
        { "restore latest --repo {repo}", 1, "--target" },
        { "restore latest --repo {repo} --target {dir}/out --overwrite sometimes", 1, "'sometimes' is not known" },
        { "restore latest --repo {repo} --target {data}/a.txt", 1, "{data}/a.txt" },
        { "fly", 1, "fly" },
        { "agent run", 1, "backupdr-agent" },
    };

    [Theory, MemberData(nameof(Table))]
    public void It_says_what_is_wrong_exits_with_the_right_code_and_changes_nothing(string arguments, int exitCode, string words)
    {
        quiet.Scratch.File("empty");
        quiet.Scratch.File("wrong", "not the password");
        string Filled(string text) => text.Replace("{repo}", quiet.Path, StringComparison.Ordinal)
            .Replace("{data}", quiet.Scratch.At("data"), StringComparison.Ordinal)
            .Replace("{dir}", quiet.Scratch.Path, StringComparison.Ordinal);
        var before = BackupdrProgram.Files(quiet.Path);

        var result = BackupdrProgram.Run(Filled(arguments).Split(' '));

        Assert.Equal((exitCode, ""), (result.ExitCode, result.Output));
        Assert.Contains(Filled(words), result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);   // no stack trace
        Assert.Equal(before, BackupdrProgram.Files(quiet.Path));
        Assert.False(Directory.Exists(quiet.Scratch.At("out")));
    }

    [Fact]
    public void With_json_an_error_is_json_too()
    {
        var result = BackupdrProgram.Run("snapshots", "--json", "--repo", quiet.Scratch.At("none"));

        using var error = JsonDocument.Parse(result.Errors);
        Assert.Equal("repository.missing", error.RootElement.GetProperty("code").GetString());
        Assert.Equal(10, error.RootElement.GetProperty("exit_code").GetInt32());
        Assert.Equal("", result.Output);
    }

    [Fact]
    public void Without_any_password_it_says_where_one_may_come_from()
    {
        var result = BackupdrProgram.Run([], ["snapshots", "--repo", quiet.Path]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("BACKUPDR_PASSWORD_FILE", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_locked_repository_is_left_alone_and_its_holder_is_named()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var store = StoreFactory.Open(quiet.Path);
        using var password = Secret.FromText(BackupdrProgram.Password);
        var options = new RepositoryOptions { UserName = "somebody", HostName = "elsewhere" };
        using var repository = await Repository.Open(store, password, options, ct);
        await using var held = await RepositoryLock.Take(repository, exclusive: true, ct);

        var result = BackupdrProgram.Run("backup", "--repo", quiet.Path, quiet.Scratch.At("data"));

        Assert.Equal(11, result.ExitCode);
        Assert.Contains("locked exclusively by somebody on elsewhere", result.Errors, StringComparison.Ordinal);
    }
}
