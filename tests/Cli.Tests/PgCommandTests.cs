using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>A cluster protected by the program as a person starts it: receivers and servers are killed, and nothing committed is
/// lost.</summary>
public sealed class PgCommandTests : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly ScratchFolder _scratch = new();
    readonly List<Process> _receivers = [];

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

    string[] Server(PostgresCluster cluster) => ["--repo", _scratch.At("repository"), "--pg-host", cluster.Sockets, "--pg-port",
        cluster.Port.ToString(CultureInfo.InvariantCulture), "--pg-user", "postgres"];

    Process Receive(PostgresCluster cluster)
    {
        var start = new ProcessStartInfo(PublishedProgram.Path, ["pg", "wal", .. Server(cluster), "--journal", _scratch.At("journal"),
            "--flush", "1s", "--json"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _receivers.Add(process);
        return process;
    }

    readonly List<string> _lines = [];

    void Keep(string? line)
    {
        if (line is null) return;
        lock (_lines) _lines.Add(line);
    }

    int Positions() { lock (_lines) return _lines.Count(line => line.Contains("\"position\"", StringComparison.Ordinal)); }

    async Task UntilMorePositions()
    {
        var before = Positions();
        for (var begun = Stopwatch.GetTimestamp(); Positions() <= before; await Task.Delay(50))
            if (Stopwatch.GetElapsedTime(begun) > Patience)
                lock (_lines) Assert.Fail($"Nothing is stored:\n{string.Join('\n', _lines.TakeLast(10))}");
    }

    void ThePlainForgetLeavesTheLogAlone()
    {
        var logs = JsonDocument.Parse(BackupdrProgram.Succeed("snapshots", "--repo", _scratch.At("repository"), "--tag", "postgresql-wal",
            "--json")).RootElement.EnumerateArray().Select(one => one.GetProperty("id").GetString()!).ToList();
        Assert.NotEmpty(logs);
        var refused = BackupdrProgram.Run("forget", "--repo", _scratch.At("repository"), logs[0]);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("backupdr pg forget", refused.Errors, StringComparison.Ordinal);
        BackupdrProgram.Succeed("forget", "--repo", _scratch.At("repository"), "--keep-last", "1");
        Assert.Equal(logs.Count, JsonDocument.Parse(BackupdrProgram.Succeed("snapshots", "--repo", _scratch.At("repository"), "--tag",
            "postgresql-wal", "--json")).RootElement.GetArrayLength());
    }

    [Fact]
    public async Task Killed_receivers_and_a_killed_server_lose_nothing_that_was_committed()
    {
        await using var cluster = PostgresCluster.Start();
        BackupdrProgram.NewRepository(_scratch);
        await cluster.Execute("create table witness (id bigserial primary key); create table noise (v text)");
        var found = JsonDocument.Parse(BackupdrProgram.Succeed("pg", "discover", "--json"));
        Assert.Contains(found.RootElement.EnumerateArray(), one => one.GetProperty("data_path").GetString() == cluster.Data
            && one.GetProperty("running").GetBoolean() && one.GetProperty("port").GetInt32() == cluster.Port);
        Receive(cluster);
        await UntilMorePositions();
        BackupdrProgram.Succeed(["pg", "backup", .. Server(cluster), "--json"]);

        for (var round = 0; round < Nightly.Or(2, 10); round++)
        {
            for (var row = 0; row < 40; row++)
                await cluster.Execute("insert into witness default values; insert into noise select repeat(md5(random()::text), 40) "
                    + "from generate_series(1, 300)");
            _receivers[^1].Kill();
            await _receivers[^1].WaitForExitAsync();
            if (round == 0) { cluster.Kill(); cluster.Start(); }
            await cluster.Execute("insert into witness default values");
            Receive(cluster);
            await UntilMorePositions();
        }
        var rows = await cluster.Ask<long>("select count(*) from witness");
        await cluster.Execute("select pg_switch_wal()");
        await UntilMorePositions();
        Tool.Succeed("kill", "-TERM", _receivers[^1].Id.ToString(CultureInfo.InvariantCulture));
        await _receivers[^1].WaitForExitAsync();

        Assert.Equal(0, _receivers[^1].ExitCode);
        var list = JsonDocument.Parse(BackupdrProgram.Succeed("pg", "list", "--repo", _scratch.At("repository"), "--json")).RootElement;
        Assert.False(Assert.Single(list.GetProperty("bases").EnumerateArray().ToList()).GetProperty("gap").GetBoolean());
        BackupdrProgram.Succeed("pg", "prove", "--repo", _scratch.At("repository"), "--scratch", Path.Combine(cluster.Folder, "proof"),
            "--programs", cluster.Programs, "--assert", $"postgres: select count(*) = {rows} from witness");
        Assert.Contains("Removed 0 base backups and", BackupdrProgram.Succeed("pg", "forget", "--repo", _scratch.At("repository"),
            "--keep-last", "1", "--keep-within", "14d"), StringComparison.Ordinal);
        ThePlainForgetLeavesTheLogAlone();
        await using var copy = PostgresCluster.Prepare();
        BackupdrProgram.Succeed("pg", "restore", "--repo", _scratch.At("repository"), "--target", copy.Data, "--port", $"{copy.Port}",
            "--socket-folder", copy.Sockets);
        copy.Start();
        await copy.AwaitPromotion();
        Assert.Equal(rows, await copy.Ask<long>("select count(*) from witness"));
    }

    [Fact]
    public async Task The_preflight_names_what_is_missing_and_its_statements_mend_it()
    {
        await using var cluster = PostgresCluster.Start("max_slot_wal_keep_size = '1GB'", "fsync = on");
        await cluster.Execute("create role backupdr login");
        string[] server = ["--pg-host", cluster.Sockets, "--pg-port", $"{cluster.Port}"];

        List<string> told = [];
        for (var turn = 0; turn < 3; turn++)
        {
            var result = BackupdrProgram.Run(["pg", "preflight", .. server, "--json"]);
            var findings = JsonDocument.Parse(result.Output).RootElement.EnumerateArray().ToList();
            Assert.Equal(findings.Count == 0 ? 0 : 1, result.ExitCode);
            foreach (var finding in findings)
            {
                told.Add(finding.GetProperty("code").GetString()!);
                await cluster.Execute(finding.GetProperty("remedy").GetString()!);
            }
        }

        Assert.Equal(["backup_right", "backup_right", "replication_right", "settings_right"], told.Order());
        BackupdrProgram.NewRepository(_scratch);
        BackupdrProgram.Succeed(["pg", "backup", "--repo", _scratch.At("repository"), .. server, "--pg-user", "backupdr"]);
    }
}
