using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>A server comes back by stock restic and MariaDB's own programs, by the commands of the page as they are written
/// there.</summary>
public sealed class MariaDbWithoutUsTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task Every_command_of_the_page_works_as_written_and_stops_at_the_moment()
    {
        Tool.Need("restic", "restic");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root");   // as the page says
        await using var server = MariaDbServer.Start("log-bin=bin");
        Tool.Succeed("chmod", "711", _scratch.Path);
        var repository = BackupdrProgram.NewRepository(_scratch);
        string[] of = ["--repo", repository, "--mariadb-host", server.Socket, "--mariadb-user", "root"];
        server.Execute("create database shop; create table shop.orders (id int primary key) engine=innodb; "
            + "insert into shop.orders values (1), (2), (3)");
        BackupdrProgram.Succeed(["mariadb", "backup", .. of]);
        server.Execute("insert into shop.orders values (4); flush binary logs; insert into shop.orders values (5); select sleep(1.1)");
        var moment = server.Ask("select utc_timestamp()");
        server.Execute("insert into shop.orders values (6)");
        await ReceiveAll(of, server.Ask("show master status").Split('\t'));
        await server.Kill();

        var password = _scratch.File("password", BackupdrProgram.Password);
        var commands = Documents.Commands("docs/operate/restore-without-us.md", "A MariaDB server");
        Assert.True(commands.Count >= 8, $"{commands.Count} commands were found on the page.");
        foreach (var command in commands)
        {
            var filled = command.Replace("/path/to/repository", repository, StringComparison.Ordinal)
                .Replace("/path/to/password", password, StringComparison.Ordinal)
                .Replace("/path/to/", _scratch.Path + "/", StringComparison.Ordinal)
                .Replace("2026-11-21 14:03:00", moment, StringComparison.Ordinal);
            var result = Tool.Run("sh", ["-ec", filled], new Dictionary<string, string> { ["RESTIC_CACHE_DIR"] = _scratch.At("cache") });
            Assert.True(result.ExitCode == 0, $"{filled} ended with {result.ExitCode}: {result.Output}{result.Errors}");
        }

        Assert.Equal("15", Tool.Succeed("mariadb", "--no-defaults", $"--socket={_scratch.At("server/sock")}", "--batch",
            "--skip-column-names", "-e", "select sum(id) from shop.orders").TrimEnd('\n'));   // 1 to 5, and not 6
        Tool.Succeed("sh", "-c", $"kill $(cat {_scratch.At("server/pid")}); while [ -e {_scratch.At("server/pid")} ]; do sleep 0.1; done");
    }

    /// <summary>Receives the log up to a file and position, then ends as by Ctrl-C: what came is published then.</summary>
    async Task ReceiveAll(string[] of, string[] end)
    {
        var start = new ProcessStartInfo(PublishedProgram.Path, ["mariadb", "binlog", .. of, "--journal", _scratch.At("journal"), "--flush",
            "1s", "--json"])
        { RedirectStandardOutput = true };
        start.Environment["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        using var receiver = Process.Start(start)!;
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        bool HasAll(string line) => line.StartsWith('{') && JsonDocument.Parse(line).RootElement is var told
            && told.GetProperty("file").GetString() == end[0]
            && told.GetProperty("stored").GetInt64() >= long.Parse(end[1], CultureInfo.InvariantCulture);
        while (await receiver.StandardOutput.ReadLineAsync(late.Token) is { } line && !HasAll(line)) { }
        Tool.Succeed("kill", "-INT", receiver.Id.ToString(CultureInfo.InvariantCulture));
        await receiver.StandardOutput.ReadToEndAsync(late.Token);
        await receiver.WaitForExitAsync(late.Token);
        Assert.Equal(0, receiver.ExitCode);
    }
}
