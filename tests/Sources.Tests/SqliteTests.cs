using System.Diagnostics;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.Sqlite;
using BackupDr.Storage;
using BackupDr.TestKit;
using Microsoft.Data.Sqlite;

namespace BackupDr.Sources.Tests;

/// <summary>Database files that are written while they are backed up: stored, restored by us and by the stock program, proven.</summary>
public sealed class SqliteTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    string Database => _scratch.At("app/data.db");

    async Task<Repository> NewRepository()
    {
        using var password = Secret.FromText("twelve characters");
        return await Repository.Init(StoreFactory.Open(_scratch.At("repository")), password,
            new RepositoryOptions { HostName = "here", UserName = "tester", Workers = 2, Kdf = new KdfCost(1024, 8, 1) }, _ct);
    }

    Task<SqliteBackupSummary> Backup(Repository repository, string? database = null)
        => SqliteBackup.Run(repository, database ?? Database, new SqliteBackupOptions { HostName = "here", Scratch = Room }, null, _ct);

    string Room
    {
        get
        {
            Directory.CreateDirectory(_scratch.At("room"));
            return _scratch.At("room");
        }
    }

    SqliteConnection Open(string? path = null)
    {
        Directory.CreateDirectory(_scratch.At("app"));
        var connection = new SqliteConnection($"Data Source={path ?? Database};Pooling=False");
        connection.Open();
        return connection;
    }

    static object? Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    /// <summary>Two tables whose sums are equal after every transaction.</summary>
    SqliteConnection Prepared(string journal = "wal", int rows = 20_000)
    {
        var connection = Open();
        Run(connection, $"pragma journal_mode = {journal}");
        Run(connection, "create table t (id integer primary key, v text); create table a (x int); create table b (x int);"
            + $"with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows}) insert into t (v) select "
            + "hex(randomblob(40)) from n");
        return connection;
    }

    [Theory]
    [InlineData("wal")]
    [InlineData("delete")]
    public async Task A_database_that_is_written_all_the_time_is_stored_as_it_was_at_one_moment(string journal)
    {
        using var connection = Prepared(journal);
        using var repository = await NewRepository();
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(() =>
        {
            using var other = Open();
            Run(other, "pragma busy_timeout = 60000");
            for (var i = 0; !stop.IsCancellationRequested; i++)
                Run(other, $"begin immediate; insert into a values ({i}); update t set v = v || 'x' where id % 997 = {i % 997};"
                    + $"insert into b values ({i}); commit");
        }, _ct);

        var taken = await Backup(repository);
        var second = await Backup(repository);
        await stop.CancelAsync();
        await writing;

        Assert.True(taken.Run.IsComplete, string.Join('\n', taken.Run.Missing));
        Assert.Equal((journal, 20_000L), (taken.Manifest.JournalMode, taken.Manifest.Rows["t"]));
        Assert.True(second.Run.BytesStored < taken.Run.BytesStored, "only what changed is new");
        Assert.Empty(Directory.GetFileSystemEntries(Room));
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
        var target = _scratch.At("back/data.db");
        var restored = await SqliteRestore.Run(repository, new SqliteRestoreOptions { Target = target }, null, _ct);
        using var copy = Open(target);
        Assert.Equal("ok", Run(copy, "pragma integrity_check"));
        Assert.Equal(Run(copy, "select coalesce(sum(x), 0) from a"), Run(copy, "select coalesce(sum(x), 0) from b"));
        Assert.Equal(restored.Manifest.Rows["a"], Run(copy, "select count(*) from a"));
        Assert.Equal(File.GetUnixFileMode(Database), File.GetUnixFileMode(target));
        Assert.Equal(["data.db"], Directory.GetFileSystemEntries(_scratch.At("back")).Select(Path.GetFileName)
            .Where(name => !name!.EndsWith("-wal", StringComparison.Ordinal) && !name.EndsWith("-shm", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_is_only_in_the_log_is_stored_too_and_the_stock_program_restores_it_in_its_place()
    {
        using var connection = Prepared(rows: 100);
        using var repository = await NewRepository();
        await Backup(repository);
        Run(connection, "pragma wal_autocheckpoint = 0; insert into a values (42)");   // the file itself does not change

        await Backup(repository);

        var restic = new ResticCli(_scratch.At("repository"), "twelve characters", _scratch.At("cache"));
        var result = restic.Run("restore", "latest", "--target", _scratch.At("stock"));
        Assert.True(result.ExitCode == 0, result.Errors);
        using var copy = Open(_scratch.At("stock") + Database);
        Assert.Equal(42L, Run(copy, "select x from a"));
    }

    [Fact]
    public async Task A_row_that_changed_costs_a_few_chunks()
    {
        using var connection = Prepared(rows: 200_000);
        using var repository = await NewRepository();
        var first = await Backup(repository);
        Run(connection, "update t set v = hex(randomblob(40)) where id = 100000");

        var second = await Backup(repository);

        Assert.True(first.Manifest.Pages * first.Manifest.PageBytes > 16 << 20);
        Assert.InRange(second.Run.BytesStored, 1, 256 << 10);
    }

    [Fact]
    public async Task A_broken_page_makes_the_backup_incomplete_and_says_where()
    {
        using (Prepared("delete")) { }
        using (var file = File.OpenWrite(Database))
        {
            file.Position = 4096 * 20 + 1;
            file.Write(new byte[2000]);
        }
        using var repository = await NewRepository();

        var taken = await Backup(repository);

        Assert.False(taken.Run.IsComplete);
        Assert.NotEmpty(taken.Manifest.Broken);
        Assert.Contains("broken in the database itself", taken.Run.Missing[0].Message, StringComparison.Ordinal);
        Assert.False((await SqliteProof.Run(repository, new SqliteProofOptions { Scratch = Room }, null, _ct)).IsProven);
    }

    [Fact]
    public async Task A_test_restore_looks_through_all_and_asks_what_it_is_told_to()
    {
        using var connection = Prepared();
        using var repository = await NewRepository();
        await Backup(repository);
        async Task<ProofReport> Prove(params string[] assertions)
            => await SqliteProof.Run(repository, new SqliteProofOptions { Scratch = Room, Assertions = assertions }, null, _ct);

        var proven = await Prove("select count(*) = 20000 from t");
        var failed = await Prove("select count(*) > 0 from a", "select x from nowhere");

        Assert.True(proven.IsProven, string.Join('\n', proven.Checks));
        Assert.Equal(["restore", "integrity_check", "rows", "select count(*) = 20000 from t"], proven.Checks.Select(check => check.Name));
        Assert.Equal([true, true, true, false, false], failed.Checks.Select(check => check.Passed));
        Assert.True(failed.Checks[4].Detail.Contains("no such table: nowhere", StringComparison.Ordinal), failed.Checks[4].Detail);
        Assert.Empty(Directory.GetFileSystemEntries(Room));
    }

    [Fact]
    public async Task A_database_is_replaced_with_its_log_but_not_below_a_program_that_has_it_open()
    {
        using var repository = await NewRepository();
        using (Prepared(rows: 10)) await Backup(repository);
        var over = new SqliteRestoreOptions { Target = Database, Over = true };
        using (var user = Open())
        {
            Run(user, "insert into a values (1)");
            using var holder = Process.Start(new ProcessStartInfo("bash", ["-c", $"exec 3<'{Database}'; echo open; read -r line"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!;
            Assert.Equal("open", await holder.StandardOutput.ReadLineAsync(_ct));
            await Assert.ThrowsAsync<ConflictException>(() => SqliteRestore.Run(repository, over, null, _ct));
            holder.StandardInput.Close();
            await holder.WaitForExitAsync(_ct);
        }
        File.WriteAllText(Database + "-wal", "of another database");
        await Assert.ThrowsAsync<BadInputException>(() => SqliteRestore.Run(repository, over with { Over = false }, null, _ct));

        await SqliteRestore.Run(repository, over, null, _ct);

        using var back = Open();
        Assert.Equal(0L, Run(back, "select count(*) from a"));
        Assert.Equal("ok", Run(back, "pragma integrity_check"));
    }

    [Fact]
    public async Task What_is_no_database_is_refused_with_what_to_do()
    {
        using var repository = await NewRepository();
        _scratch.File("app/text", new string('x', 5000));
        File.CreateSymbolicLink(_scratch.At("app/link"), _scratch.At("app/text"));
        foreach (var (path, code) in ((string, string)[])[(_scratch.At("app/text"), "sqlite.not_a_database"),
            (_scratch.At("app/none"), "sqlite.missing"), (_scratch.At("app"), "sqlite.no_file"), ("data.db", "sqlite.path"),
            (_scratch.At("app/link"), "sqlite.link")])
        {
            var refused = await Assert.ThrowsAsync<SourceException>(() => Backup(repository, path));
            Assert.Equal(code, refused.Code);
            Assert.NotNull(refused.Hint);
        }
        await Assert.ThrowsAsync<NotFoundException>(()
            => SqliteRestore.Run(repository, new SqliteRestoreOptions { Target = _scratch.At("x") }, null, _ct));
    }

    [Fact]
    public async Task A_writer_that_does_not_let_go_is_told_and_nothing_is_left()
    {
        using var connection = Prepared("delete", rows: 10);
        using var repository = await NewRepository();
        Run(connection, "begin exclusive");

        var refused = await Assert.ThrowsAsync<SourceException>(() => SqliteBackup.Run(repository, Database,
            new SqliteBackupOptions { HostName = "here", Scratch = Room, Patience = TimeSpan.FromSeconds(1) }, null, _ct));

        Assert.Equal("sqlite.busy", refused.Code);
        Assert.Empty(Directory.GetFileSystemEntries(Room));
        Assert.Empty(await repository.Snapshots(SnapshotFilter.All, _ct));
    }

    [Fact]
    public async Task What_a_killed_run_left_is_removed_by_the_next_one()
    {
        using var connection = Prepared(rows: 10);
        using var repository = await NewRepository();
        Directory.CreateDirectory(Path.Combine(Room, "backupdr-scratch-0123456789abcdef"));
        File.WriteAllText(Path.Combine(Room, "backupdr-scratch-0123456789abcdef/copy"), "secret");

        await Backup(repository);

        Assert.Empty(Directory.GetFileSystemEntries(Room));
    }

    [Fact]
    public void Databases_that_programs_have_open_are_found()
    {
        using var connection = Prepared(rows: 10);

        Assert.Contains(SqliteFile.Find(), found => found.DataPath == Database && found.Engine == "sqlite");
        Assert.Empty(SqliteFile.Preflight(Database, Room));
        Run(connection, "pragma journal_mode = delete");
        Assert.Equal("pragma journal_mode = wal;", Assert.Single(SqliteFile.Preflight(Database, Room)).Remedy);
    }
}
