using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.MariaDb;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

/// <summary>A server with tables of the three usual engines.</summary>
public sealed class ShopServer : IAsyncLifetime
{
    MariaDbServer? _server;

    public MariaDbServer Server => _server ?? throw new InvalidOperationException();

    public ValueTask InitializeAsync()
    {
        _server = MariaDbServer.Start("log-bin=bin");
        _server.Execute("create database shop; use shop; create table t (id int auto_increment primary key, v varchar(200), key (v));"
            + "create table m (id int auto_increment primary key, v varchar(200)) engine=myisam;"
            + "create table a (id int auto_increment primary key, v varchar(200)) engine=aria;"
            + "insert into t (v) select md5(seq) from seq_1_to_30000; insert into m (v) select md5(seq) from seq_1_to_2000;"
            + "insert into a (v) select md5(seq) from seq_1_to_3000");
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => _server?.DisposeAsync() ?? ValueTask.CompletedTask;
}

/// <summary>Base backups of a real server: taken, restored, started, looked through; and what must not become one.</summary>
public sealed class MariaDbBackupTests(ShopServer shop) : IClassFixture<ShopServer>, IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    MariaDbAddress Root => new() { Host = shop.Server.Socket, User = "root" };

    internal static async Task<Repository> NewRepository(string path)
    {
        using var password = Secret.FromText("twelve characters");
        return await Repository.Init(StoreFactory.Open(path), password,
            new RepositoryOptions { HostName = "here", UserName = "tester", Workers = 2, Kdf = new KdfCost(1024, 8, 1) },
            TestContext.Current.CancellationToken);
    }

    Task<MariaDbBackupSummary> Backup(Repository repository, MariaDbAddress? address = null)
        => MariaDbBackup.Run(repository, address ?? Root, new MariaDbBackupOptions { HostName = "here" }, null, _ct);

    // The restored server's user must be able to enter it.
    string Place(string name)
    {
        Tool.Succeed("chmod", "711", _scratch.Path);
        return _scratch.At(name);
    }

    [Fact]
    public async Task A_base_backup_taken_under_load_is_restored_started_and_sound()
    {
        using var repository = await NewRepository(_scratch.At("repository"));
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            await using var writer = shop.Server.Writer();
            while (!stop.IsCancellationRequested)
                await writer.Write("insert into shop.t (v) values (md5(rand())); update shop.t set v = md5(rand()) where id % 997 = 3;"
                    + "insert into shop.m (v) values ('x'); insert into shop.a (v) values ('y'); do sleep(0.01)");
        }, _ct);

        var first = await Backup(repository);
        shop.Server.Execute("create table shop.later (id int primary key) engine=innodb; drop table shop.later");
        var second = await Backup(repository);
        await stop.CancelAsync();
        await writing;

        Assert.True(first.Run.IsComplete && second.Run.IsComplete);
        Assert.Empty(second.Remarks);
        Assert.Equal((shop.Server.Name, 16 << 10, "bin.000001"), (second.Manifest.Server, second.Manifest.ChunkBytes,
            second.Manifest.BinlogFile));
        Assert.True(second.Manifest.BinlogPosition > first.Manifest.BinlogPosition);
        Assert.Contains("shop/t", second.Manifest.Tables);
        Assert.True(second.Run.FilesUnmodified > 100, $"{second.Run.FilesUnmodified} of {second.Run.Files} files were as before");
        Assert.True(second.Run.BytesNew < first.Run.BytesNew, $"{second.Run.BytesNew} of {second.Run.Bytes} bytes were new");
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
        var proof = await MariaDbProof.Run(repository, new MariaDbProofOptions
        {
            Folder = Place("proof"),
            Target = BinlogTarget.EndOfBackup,
            Assertions = ["select count(*) >= 30000 from shop.t", "select count(*) >= 2000 from shop.m",
                "select count(*) >= 3000 from shop.a"],
        }, null, _ct);
        Assert.True(proof.IsProven, string.Join('\n', proof.Checks));
        Assert.False(Directory.Exists(_scratch.At("proof")));
    }

    [Fact]
    public async Task A_program_that_dies_or_whose_stream_breaks_off_becomes_no_snapshot()
    {
        using var repository = await NewRepository(_scratch.At("repository"));
        foreach (var (script, code) in ((string, string)[])[
            ("\"$real\" \"$@\" | head -c 3000000", "mariadb.stream"),                                      // a short stream that ends well
            ("\"$real\" \"$@\" | head -c 3000000; kill -KILL $$", "mariadb.backup_failed"),
            ("\"$real\" \"$@\" 2>/dev/null; echo almost >&2", "mariadb.backup_failed"),                    // whole, but not said to be
            ("\"$real\" \"$@\" 2>/dev/null; echo completed OK! >&2; exit 3", "mariadb.backup_failed"),
            ("\"$real\" \"$@\" | sed 's/XBSTCK01\\x00E/XBSTCK02\\x00E/'; echo completed OK! >&2", "mariadb.stream"),
            ("\"$real\" \"$@\" | tr a b; echo completed OK! >&2", "mariadb.stream")])
        {
            var programs = _scratch.Folder("programs");
            foreach (var name in (string[])["mariadb", "mariadb-backup"])
                Tool.Succeed("ln", "-sf", $"/usr/bin/{name}", Path.Combine(programs, name));
            var fake = Path.Combine(programs, "mariadb-backup");
            File.Delete(fake);
            File.WriteAllText(fake,
                $"#!/bin/bash\nreal=/usr/bin/mariadb-backup\n[ \"$1\" = --version ] && exec $real --version\n{script}\n");
            Tool.Succeed("chmod", "755", fake);

            var e = await Assert.ThrowsAsync<SourceException>(() => Backup(repository, Root with { Programs = programs }));

            Assert.True(e.Code == code, $"{script}: {e.Code}: {e.Message}");
        }
        Assert.Empty(await repository.Snapshots(SnapshotFilter.All, _ct));
    }

    [Fact]
    public async Task Each_missing_thing_is_named_with_the_statement_that_mends_it()
    {
        shop.Server.Execute("create user bk@localhost identified by 'p#\"w\\\\'");
        var address = Root with { User = "bk", Password = Secret.FromText("wrong") };
        Assert.Equal("sign_in", Assert.Single(await MariaDbPreflight.Run(address, null, _ct)).Code);
        address = address with { Password = Secret.FromText("p#\"w\\") };

        var missing = await MariaDbPreflight.Run(address, null, _ct);
        Assert.Equal(5, missing.Count(finding => finding.Code == "right"));
        using var repository = await NewRepository(_scratch.At("repository"));
        await Assert.ThrowsAsync<DeniedException>(() => Backup(repository, address));
        shop.Server.Execute("grant process, binlog monitor on *.* to bk@localhost");
        await Assert.ThrowsAsync<DeniedException>(() => Backup(repository, address));
        Assert.Empty(await repository.Snapshots(SnapshotFilter.All, _ct));
        foreach (var finding in missing.Where(finding => finding.Code == "right")) shop.Server.Execute(finding.Remedy!);

        shop.Server.Execute("set global binlog_format = 'STATEMENT', global sync_binlog = 0, global innodb_flush_log_at_trx_commit = 0,"
            + "global binlog_expire_logs_seconds = 3600, global gtid_strict_mode = 0");
        var settings = await MariaDbPreflight.Run(address, "/proc", _ct);
        Assert.Equal(["binlog_expire_logs_seconds", "binlog_format", "gtid_strict_mode", "innodb_flush_log_at_trx_commit", "space",
            "sync_binlog"], settings.Select(finding => finding.Code).Order(StringComparer.Ordinal));
        foreach (var finding in settings.Where(finding => finding.Remedy!.StartsWith("SET", StringComparison.Ordinal)))
            shop.Server.Execute(finding.Remedy!.Split(';')[0]);
        Assert.Empty(await MariaDbPreflight.Run(address, null, _ct));

        var outside = _scratch.Folder("outside");
        if (Environment.IsPrivilegedProcess) Tool.Succeed("chown", "mysql", outside);
        Tool.Succeed("chmod", "711", _scratch.Path);
        shop.Server.Execute($"create table shop.out_of_it (id int) data directory = '{outside}'");
        Assert.Equal("data_directory", Assert.Single(await MariaDbPreflight.Run(address, null, _ct)).Code);
        shop.Server.Execute("drop table shop.out_of_it");
        Assert.True((await Backup(repository, address)).Run.IsComplete);
        Assert.Equal("client_program", (await MariaDbPreflight.Run(address with { Programs = "/proc" }, null, _ct))[0].Code);
        Assert.Equal("unreachable", Assert.Single(await MariaDbPreflight.Run(Root with { Host = "/nowhere" }, null, _ct)).Code);
    }
}
