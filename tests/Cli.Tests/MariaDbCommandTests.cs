using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>A MariaDB server protected by the program as a person uses it, while that is killed.</summary>
public sealed class MariaDbCommandTests : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly ScratchFolder _scratch = new();
    readonly List<Process> _receivers = [];
    readonly List<string> _lines = [];

    public void Dispose()
    {
        foreach (var receiver in _receivers)
        {
            if (!receiver.HasExited) receiver.Kill();
            receiver.WaitForExit();
            receiver.Dispose();
        }
        _scratch.Dispose();
    }

    string[] Repository => ["--repo", _scratch.At("repository")];

    string[] Of(MariaDbServer server) => [.. Repository, "--mariadb-host", server.Socket, "--mariadb-user", "root"];

    static JsonElement Succeed(params IEnumerable<string> arguments)
        => JsonDocument.Parse(BackupdrProgram.Succeed([.. arguments, "--json"]).TrimEnd().Split('\n')[^1]).RootElement;

    static Process Run(params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(PublishedProgram.Path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        return Process.Start(start)!;
    }

    void Receive(MariaDbServer server)
    {
        var process = Run(["mariadb", "binlog", .. Of(server), "--journal", _scratch.At("journal"), "--flush", "1s", "--json"]);
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _receivers.Add(process);
    }

    void Keep(string? line)
    {
        if (line is null) return;
        lock (_lines) _lines.Add(line);
    }

    /// <summary>Waits until what the server has now is stored.</summary>
    async Task Stored(MariaDbServer server)
    {
        var at = server.Ask("show master status").Split('\t');
        var (file, position) = (at[0], long.Parse(at[1], CultureInfo.InvariantCulture));
        bool Has(string line) => line.StartsWith('{') && JsonDocument.Parse(line).RootElement is var told
            && told.GetProperty("file").GetString() == file && told.GetProperty("stored").GetInt64() >= position;
        for (var begun = Stopwatch.GetTimestamp(); ; await Task.Delay(50))
        {
            lock (_lines)
            {
                if (_lines.Any(Has)) return;
                if (Stopwatch.GetElapsedTime(begun) > Patience)
                    Assert.Fail($"Nothing is stored:\n{string.Join('\n', _lines.TakeLast(10))}");
            }
        }
    }

    [Fact]
    public async Task Killed_programs_lose_nothing_and_the_moment_before_a_mistake_comes_back()
    {
        await using var server = MariaDbServer.Start("log-bin=bin");
        Tool.Succeed("chmod", "711", _scratch.Path);
        BackupdrProgram.NewRepository(_scratch);
        server.Execute("create database shop; create table shop.orders (id int auto_increment primary key, v varchar(100));"
            + "insert into shop.orders (v) select seq from shop.seq_1_to_2000; create table shop.other (id int) engine=myisam");
        Assert.Contains(Succeed("mariadb", "discover").EnumerateArray(), one => one.GetProperty("data_path").GetString() == server.Data
            && one.GetProperty("running").GetBoolean() && one.GetProperty("socket").GetString() == server.Socket);
        Assert.Equal(0, BackupdrProgram.Run(["mariadb", "preflight", "--mariadb-host", server.Socket, "--mariadb-user", "root"]).ExitCode);
        using (var killed = Run(["mariadb", "backup", .. Of(server)]))
        {
            await Started(server);
            killed.Kill();
            await killed.WaitForExitAsync();
        }
        Assert.Equal(1, BackupdrProgram.Run(["mariadb", "list", .. Repository]).ExitCode);
        Assert.Equal(server.Name, Succeed(["mariadb", "backup", .. Of(server)]).GetProperty("server").GetString());

        for (var round = 0; round < Nightly.Or(2, 8); round++)
        {
            Receive(server);
            server.Execute("insert into shop.orders (v) select seq from shop.seq_1_to_100; insert into shop.other values (1);"
                + "flush binary logs; insert into shop.orders (v) values ('between')");
            await Stored(server);
            server.Execute("insert into shop.orders (v) values ('not waited for')");
            _receivers[^1].Kill();
            await _receivers[^1].WaitForExitAsync();
        }
        Receive(server);
        var rows = server.Ask("select count(*) from shop.orders");
        server.Execute("drop table shop.orders");
        var drop = server.Ask("select @@gtid_binlog_pos");
        server.Execute("create table shop.later (id int)");
        await Stored(server);
        Tool.Succeed("kill", "-TERM", _receivers[^1].Id.ToString(CultureInfo.InvariantCulture));
        await _receivers[^1].WaitForExitAsync();
        Assert.Equal(0, _receivers[^1].ExitCode);

        var range = Assert.Single(Succeed(["mariadb", "list", .. Repository]).GetProperty("bases").EnumerateArray().ToList());
        Assert.False(range.GetProperty("gap").GetBoolean());
        string[] before = ["--to-gtid", drop, "--exclusive", .. Repository];
        Succeed(["mariadb", "table", "shop.orders", "--out", _scratch.At("orders.sql"), "--scratch", _scratch.At("proof"), .. before]);
        Tool.Succeed("sh", "-c", $"mariadb --no-defaults --socket={server.Socket} --user=root shop < {_scratch.At("orders.sql")}");
        Assert.Equal(rows, server.Ask("select count(*) from shop.orders"));
        Assert.True(Succeed(["mariadb", "prove", "--scratch", _scratch.At("proof"), .. before, "--assert",
            $"select count(*) = {rows} from shop.orders"]).GetProperty("proven").GetBoolean());
        Assert.Equal(1, BackupdrProgram.Run(["mariadb", "prove", "--no-check", "--scratch", _scratch.At("proof"), .. Repository, "--assert",
            "select count(*) from shop.orders"]).ExitCode);
        Succeed(["mariadb", "restore", "--target", _scratch.At("restored"), .. Repository]);
        await using (var copy = MariaDbServer.StartIn(_scratch.At("restored")))
            Assert.Equal("later\nother",
                copy.Ask("select table_name from information_schema.tables where table_schema = 'shop' order by 1"));

        Succeed(["mariadb", "dump", .. Of(server), "--database", "shop"]);
        Assert.EndsWith("-- Dump completed\n", BackupdrProgram.Succeed(["dump", "latest", "/dump/shop.sql", "--tag", "mariadb-dump",
            .. Repository]), StringComparison.Ordinal);
        Succeed(["mariadb", "backup", .. Of(server)]);
        var log = Succeed(["snapshots", "--tag", "mariadb-binlog", .. Repository]).EnumerateArray().First().GetProperty("id").GetString()!;
        Assert.Contains("backupdr mariadb forget", BackupdrProgram.Run(["forget", log, .. Repository]).Errors, StringComparison.Ordinal);
        var gone = Succeed(["mariadb", "forget", "--keep-last", "1", .. Repository]);
        Assert.Equal((1, 1), (gone.GetProperty("bases_kept").GetInt32(), gone.GetProperty("bases_removed").GetInt32()));
        Assert.True(gone.GetProperty("log_snapshots_removed").GetInt32() > 0);
    }

    static async Task Started(MariaDbServer server)
    {
        for (var begun = Stopwatch.GetTimestamp(); ; await Task.Delay(5))
        {
            if (int.Parse(server.Ask("select count(*) from information_schema.processlist"), CultureInfo.InvariantCulture) > 1) return;
            if (Stopwatch.GetElapsedTime(begun) > Patience) Assert.Fail("The backup does not begin.");
        }
    }
}
