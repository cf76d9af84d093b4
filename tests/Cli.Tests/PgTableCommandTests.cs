using System.Diagnostics;
using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>A table out of a base backup, and a look into one, by the program; killed in the middle it leaves nothing for long.</summary>
public sealed class PgTableCommandTests : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly ScratchFolder _scratch = new();
    readonly string _below = Directory.CreateTempSubdirectory("bdr-below-").FullName;

    public void Dispose()
    {
        Tool.Run("rm", ["-rf", "--", _below]);
        _scratch.Dispose();
    }

    string[] Copy => ["--repo", _scratch.At("repository"), "--scratch", _below, "--json"];

    [Fact]
    public async Task A_look_that_is_killed_leaves_no_server_and_what_it_left_is_removed_by_the_next_one()
    {
        File.SetUnixFileMode(_below, (UnixFileMode)0x1ED);   // 0755: the server's user enters it
        await using var cluster = PostgresCluster.Start();
        BackupdrProgram.NewRepository(_scratch);
        await cluster.Execute("create table orders (id serial primary key); insert into orders select generate_series(1, 1234)");
        string[] server = ["--pg-host", cluster.Sockets, "--pg-port", $"{cluster.Port}", "--pg-user", "postgres"];
        BackupdrProgram.Succeed(["pg", "backup", "--repo", _scratch.At("repository"), .. server]);
        var start = new ProcessStartInfo(PublishedProgram.Path,
            ["pg", "peek", .. Copy, "--query", "select pg_sleep(600)", "--timeout", "1h"])
        { RedirectStandardOutput = true };
        start.Environment["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        using (var killed = Process.Start(start)!)
        {
            await Until(() => Servers().Count > 0, "a server is started");
            killed.Kill();
            await killed.WaitForExitAsync();
        }
        await Until(() => Servers().Count == 0, "the server ends with the program that started it");
        Assert.Single(Directory.GetDirectories(_below));

        var seen = JsonDocument.Parse(BackupdrProgram.Succeed(["pg", "peek", .. Copy])).RootElement;
        Assert.Equal(("orders", 1234), (seen.GetProperty("tables")[0].GetProperty("table").GetString(),
            seen.GetProperty("tables")[0].GetProperty("rows").GetInt32()));
        Assert.Empty(Directory.GetFileSystemEntries(_below));
        await cluster.Execute("drop table orders");
        var back = JsonDocument.Parse(BackupdrProgram.Succeed(["pg", "table", "postgres.orders", "--into", "then", .. Copy, .. server]));
        Assert.Equal("postgres.then.orders", back.RootElement.GetProperty("tables")[0].GetProperty("loaded_as").GetString());
        Assert.Equal(1234, await cluster.Ask<long>("select count(*) from \"then\".orders"));
        BackupdrProgram.Succeed(["pg", "table", "postgres.orders", "--out", _scratch.At("orders.sql"), "--plain", .. Copy]);
        Assert.Contains("COPY public.orders (id) FROM stdin;", File.ReadAllText(_scratch.At("orders.sql")), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_below));
    }

    [Fact]
    public async Task Databases_and_roles_are_dumped_and_come_back()
    {
        await using var cluster = PostgresCluster.Start();
        BackupdrProgram.NewRepository(_scratch);
        await cluster.Execute("create role clerk login password 'hidden'");
        await cluster.Execute("create database \"odd = 'name'\"");
        await cluster.Execute("create table orders as select generate_series(1, 777) id; grant select on orders to clerk", "odd = 'name'");
        string[] server = ["--repo", _scratch.At("repository"), "--pg-host", cluster.Sockets, "--pg-port", $"{cluster.Port}", "--pg-user",
            "postgres"];
        var done = JsonDocument.Parse(BackupdrProgram.Succeed(["pg", "dump", .. server, "--json"])).RootElement;
        Assert.Equal(["odd = 'name'", "postgres"], done.GetProperty("databases").EnumerateArray().Select(one => one.GetString()));

        BackupdrProgram.Succeed("restore", "latest", "--repo", _scratch.At("repository"), "--tag", "postgresql-dump", "--target",
            _scratch.At("back"));
        var dumps = _scratch.At("back/dump");
        Assert.Contains("CREATE ROLE clerk", File.ReadAllText(Path.Combine(dumps, "roles.sql")), StringComparison.Ordinal);
        await cluster.Execute("create database back");
        Tool.Succeed(Path.Combine(cluster.Programs, "pg_restore"), "-h", cluster.Sockets, "-p", $"{cluster.Port}", "-U", "postgres", "-d",
            "back", "--exit-on-error", Path.Combine(dumps, "odd = 'name'.dump"));
        Assert.Equal(777, await cluster.Ask<long>("select count(*) from orders", "back"));
        var refused = BackupdrProgram.Run(["pg", "dump", .. server, "--database", "none"]);
        Assert.Contains("There are: back, odd = 'name', postgres.", refused.Errors, StringComparison.Ordinal);
    }

    /// <summary>All processes that work below the folder.</summary>
    List<string> Servers() => [.. Directory.EnumerateDirectories("/proc").Where(process => Path.GetFileName(process).All(char.IsAsciiDigit))
        .Where(process =>
        {
            try { return new FileInfo(Path.Combine(process, "cwd")).LinkTarget?.StartsWith(_below, StringComparison.Ordinal) == true; }
            catch (IOException) { return false; }   // it ended
        })];

    static async Task Until(Func<bool> isSo, string what)
    {
        for (var begun = Stopwatch.GetTimestamp(); !isSo(); await Task.Delay(50))
            if (Stopwatch.GetElapsedTime(begun) > Patience) Assert.Fail($"Not within {Patience}: {what}.");
    }
}
