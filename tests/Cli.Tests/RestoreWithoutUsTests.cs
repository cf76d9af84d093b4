using System.Diagnostics;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Sources.PostgreSql;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Cli.Tests;

public sealed class RestoreWithoutUsTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_cluster_comes_back_with_its_log_by_stock_restic_and_the_server_alone()
    {
        Tool.Need("restic", "restic");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root, as the page says");
        await using var cluster = PostgresCluster.Start();
        var repository = BackupdrProgram.NewRepository(_scratch);
        string[] server = ["--repo", repository, "--pg-host", cluster.Sockets, "--pg-port", $"{cluster.Port}", "--pg-user", "postgres"];
        await cluster.Execute("create table witness (id int primary key); insert into witness select generate_series(1, 1000)");
        BackupdrProgram.Succeed(["pg", "backup", .. server]);
        await Receive(server, cluster);
        cluster.Stop();

        // The server's user has to come to what is restored.
        await using var copy = PostgresCluster.Prepare();
        var password = _scratch.File("password", BackupdrProgram.Password);
        var commands = Documents.Commands("docs/operate/restore-without-us.md", "A PostgreSQL cluster");
        Assert.True(commands.Count >= 10, $"{commands.Count} commands were found in the section.");
        foreach (var command in commands)
            Run(command.Replace("/path/to/repository", repository, StringComparison.Ordinal)
                .Replace("/path/to/password", password, StringComparison.Ordinal)
                .Replace("/path/to/cluster", copy.Folder, StringComparison.Ordinal)
                .Replace("/path/to/log", Path.Combine(copy.Folder, "log"), StringComparison.Ordinal)
                .Replace("/usr/lib/postgresql/15/bin", copy.Programs, StringComparison.Ordinal)
                .Replace("-k /tmp", $"-k {copy.Sockets}", StringComparison.Ordinal)
                .Replace("-h /tmp", $"-h {copy.Sockets}", StringComparison.Ordinal)
                .Replace("54320", $"{copy.Port}", StringComparison.Ordinal));

        await copy.AwaitPromotion();
        Assert.Equal(1500, await copy.Ask<long>("select count(*) from witness"));
        copy.As("pg_amcheck", "-h", copy.Sockets, "-p", $"{copy.Port}", "-U", "postgres", "--all", "--install-missing");
    }

    /// <summary>Receives what is committed after the base backup, and publishes it.</summary>
    async Task Receive(string[] server, PostgresCluster cluster)
    {
        var start = new ProcessStartInfo(PublishedProgram.Path,
            ["pg", "wal", .. server, "--journal", _scratch.At("journal"), "--flush", "1s", "--json"])
        { RedirectStandardOutput = true };
        start.Environment["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        using var receiver = Process.Start(start)!;
        var stored = "0/0";
        receiver.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null) return;
            using var json = JsonDocument.Parse(line.Data);
            if (json.RootElement.TryGetProperty("stored", out var at)) stored = at.GetString()!;
        };
        receiver.BeginOutputReadLine();
        await cluster.Execute("insert into witness select generate_series(1001, 1500)");
        await cluster.Execute("select pg_switch_wal()");
        var end = Lsn.Parse(await cluster.Ask<string>("select pg_current_wal_flush_lsn()::text"));
        for (var begun = Stopwatch.GetTimestamp(); Lsn.Parse(stored) < end; await Task.Delay(50))
            Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromMinutes(1), $"{stored} of {end} is stored");
        Tool.Succeed("kill", "-TERM", $"{receiver.Id}");
        await receiver.WaitForExitAsync();
        Assert.Equal(0, receiver.ExitCode);
    }

    void Run(string command)
    {
        var result = Tool.Run("sh", ["-ec", command], new Dictionary<string, string> { ["RESTIC_CACHE_DIR"] = _scratch.At("cache") });
        Assert.True(result.ExitCode == 0, $"{command} ended with {result.ExitCode}: {result.Output}{result.Errors}");
    }

    [Fact]
    public void Every_command_of_the_page_works_as_written_and_brings_everything_back()
    {
        Tool.Need("restic", "restic");
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/etc/hosts", "127.0.0.1 localhost\n");
        _scratch.File("data/notes.txt", "notes");
        BackupdrProgram.Succeed("backup", "--repo", repository, _scratch.At("data"));
        var password = _scratch.File("password", BackupdrProgram.Password);
        var (target, one) = (_scratch.At("back"), _scratch.At("one-file"));
        var commands = Documents.Commands("docs/operate/restore-without-us.md", section: "");

        Assert.True(commands.Count >= 6, $"{commands.Count} commands were found on the page.");
        foreach (var command in commands)
        {
            Run(command.Replace("/path/to/repository", repository, StringComparison.Ordinal)
                .Replace("/path/to/password", password, StringComparison.Ordinal)
                .Replace("/path/to/back", target, StringComparison.Ordinal)
                .Replace("/path/to/one-file", one, StringComparison.Ordinal)
                .Replace("/srv/data", _scratch.At("data"), StringComparison.Ordinal));
        }

        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("data")), FilePath.FromText(target + _scratch.At("data"))));
        Assert.Equal("notes", File.ReadAllText(one));
    }
}
