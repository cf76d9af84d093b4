using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.PostgreSql;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

/// <summary>Base backups of a real server: taken, restored, started, looked through.</summary>
public sealed class ClusterBackupTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    async Task<Repository> NewRepository()
    {
        using var password = Secret.FromText("twelve characters");
        return await Repository.Init(StoreFactory.Open(_scratch.At("repository")), password,
            new RepositoryOptions { HostName = "here", UserName = "tester", Workers = 2, Kdf = new KdfCost(1024, 8, 1) }, _ct);
    }

    static ServerAddress Of(PostgresCluster cluster)
        => new() { Host = cluster.Sockets, Port = cluster.Port, User = "postgres" };

    Task<ClusterBackupSummary> Backup(Repository repository, PostgresCluster cluster)
        => ClusterBackup.Run(repository, Of(cluster), new ClusterBackupOptions { HostName = "here" }, null, _ct);

    async Task<PostgresCluster> Restored(Repository repository, ClusterRestoreOptions? options = null,
        Action<ClusterRestoreSummary>? look = null)
    {
        var copy = PostgresCluster.Prepare();
        var restored = await ClusterRestore.Run(repository, (options ?? new ClusterRestoreOptions { Folder = "" }) with
        {
            Folder = copy.Data,
            Port = copy.Port,
            SocketFolder = copy.Sockets,
            IsDurable = false,
        }, null, _ct);
        look?.Invoke(restored);
        copy.Start();
        await copy.AwaitPromotion();
        return copy;
    }

    [Fact]
    public async Task A_base_backup_taken_under_load_is_restored_started_and_sound()
    {
        await using var cluster = PostgresCluster.Start();
        var spaceFolder = PostgresCluster.Make(Path.Combine(cluster.Folder, "space"));
        await cluster.Execute($"create tablespace fast location '{spaceFolder}'");
        await cluster.Execute("create table t (id serial primary key, v text); create table f (id int) tablespace fast;"
            + "create unlogged table u (id int); insert into u select generate_series(1, 1000);"
            + "insert into t (v) select md5(g::text) from generate_series(1, 20000) g; insert into f select generate_series(1, 5000)");
        Tool.Succeed("find", cluster.Data, "-type", "f", "-exec", "touch", "-c", "-d", "2020-01-01", "{}", "+");
        using var repository = await NewRepository();
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await cluster.Execute("insert into t (v) select md5(random()::text) from generate_series(1, 500); update t set v = v || "
                    + "'x' "
                    + "where id % 97 = 3");
                await cluster.Execute("vacuum t");
            }
        }, _ct);

        var first = await Backup(repository, cluster);
        var second = await Backup(repository, cluster);
        await stop.CancelAsync();
        await writing;
        var rows = await cluster.Ask<long>("select count(*) from t");

        Assert.True(first.Run.IsComplete && second.Run.IsComplete, string.Join('\n', second.Run.Missing));
        Assert.Empty(second.Remarks);
        Assert.True(second.Run.FilesUnmodified > 100, $"{second.Run.FilesUnmodified} of {second.Run.Files} files were not read again");
        Assert.True(first.Manifest.PagesChecked > 500);
        Assert.Equal((16 << 10, "fast"), (second.Manifest.ChunkBytes, Assert.Single(second.Manifest.Tablespaces).Name));
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
        await using var copy = await Restored(repository);
        Assert.InRange(await copy.Ask<long>("select count(*) from t"), 20_000, rows);
        Assert.Equal(5000, await copy.Ask<long>("select count(*) from f"));
        Assert.Equal(0, await copy.Ask<long>("select count(*) from u"));
        Assert.StartsWith(copy.Data + ".tablespaces/", await copy.Ask<string>("select pg_tablespace_location(oid) from pg_tablespace "
            + "where spcname = 'fast'"), StringComparison.Ordinal);
        copy.As("pg_amcheck", "-h", copy.Sockets, "-p", $"{copy.Port}", "-U", "postgres", "--all", "--install-missing", "--heapallindexed");
        Tool.Run("rm", ["-rf", copy.Data + ".tablespaces"]);
    }

    [Fact]
    public async Task Stock_restic_restores_a_folder_that_a_server_starts_in()
    {
        await using var cluster = PostgresCluster.Start();
        await cluster.Execute("create table t as select generate_series(1, 1000) g");
        using (var repository = await NewRepository()) await Backup(repository, cluster);
        cluster.Stop();
        await using var copy = PostgresCluster.Prepare();
        var restic = new ResticCli(_scratch.At("repository"), "twelve characters", _scratch.At("cache"));

        restic.Check();
        restic.Succeed("restore", "latest", "--target", copy.Folder, "--include", "/data");
        copy.Start($"-p {copy.Port} -k {copy.Sockets}");

        Assert.Equal(1000, await copy.Ask<long>("select count(*) from t"));
        copy.As("pg_amcheck", "-h", copy.Sockets, "-p", $"{copy.Port}", "-U", "postgres", "--all", "--install-missing");
    }

    [Fact]
    public async Task A_broken_page_is_named_and_found_again_and_the_backup_is_not_complete()
    {
        await using var cluster = PostgresCluster.Start();
        await cluster.Execute("create table broken (id int); insert into broken select generate_series(1, 5000); checkpoint");
        var file = await cluster.Ask<string>("select pg_relation_filepath('broken')");
        cluster.Stop();
        using (var bytes = File.OpenWrite(Path.Combine(cluster.Data, file)))
        {
            bytes.Position = 3 * 8192 + 5000;
            bytes.Write([0xBA, 0xD0]);
        }
        File.SetLastWriteTimeUtc(Path.Combine(cluster.Data, file), new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        cluster.Start();
        using var repository = await NewRepository();

        var first = await Backup(repository, cluster);
        var second = await Backup(repository, cluster);

        foreach (var run in (ClusterBackupSummary[])[first, second])
        {
            var page = Assert.Single(run.Manifest.BrokenPages);
            Assert.Equal((file, 3u, "postgres: broken"), (page.File, page.Block, page.Relation));
            Assert.Contains("page 3 of postgres: broken", Assert.Single(run.Run.Missing).Message, StringComparison.Ordinal);
            Assert.False(run.Run.IsComplete);
        }
    }

    [Fact]
    public async Task A_session_that_ends_amid_the_backup_publishes_nothing()
    {
        await using var cluster = PostgresCluster.Start();
        await cluster.Execute("create table t as select md5(random()::text) v from generate_series(1, 300000) g");
        using var repository = await NewRepository();
        using var done = new CancellationTokenSource();
        var cutting = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested && await cluster.Ask<long>("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                + "where application_name = 'backupdr' and query like 'select count(*) from pg_roles%'") == 0) await Task.Yield();
        }, _ct);

        var failure = await Assert.ThrowsAnyAsync<BackupDrException>(() => Backup(repository, cluster));
        await done.CancelAsync();
        await cutting;

        Assert.Contains(failure.Code, (string[])["postgres.session_lost", "postgres.unreachable", "postgres.refused"]);
        Assert.Empty(await repository.Snapshots(SnapshotFilter.All, _ct));
    }

    [Fact]
    public async Task A_test_restore_starts_the_server_checks_it_and_leaves_nothing()
    {
        await using var cluster = PostgresCluster.Start();
        await cluster.Execute("create table t as select generate_series(1, 1000) g");
        using var repository = await NewRepository();
        // What in a copy of production would call somewhere: it does in production, and does not in the copy.
        await cluster.Execute("create function reaches(port int) returns boolean language plpgsql as $$ begin create temp table x (l text);"
            + "execute format('copy x from program %L', 'bash -c \"exec 3<>/dev/tcp/127.0.0.1/' || port || '\"'); return true;"
            + "exception when others then return false; end $$");
        Assert.True(await cluster.Ask<bool>($"select reaches({cluster.Port})"));
        await Backup(repository, cluster);
        var folder = Path.Combine(cluster.Folder, "proof");

        var report = await ClusterProof.Run(repository, new ClusterProofOptions
        {
            Folder = folder,
            Target = RecoveryTarget.EndOfBackup,
            Programs = cluster.Programs,
            Assertions = ["postgres: select count(*) = 1000 from t", $"postgres: select not reaches({cluster.Port})",
                "postgres: select count(*) = 0 from pg_ls_dir('/run')"],
            Look = async (variables, _, _) =>
            {
                var copy = new ServerAddress { Host = variables["PGHOST"], Port = 5432, User = variables["PGUSER"] };
                await using var session = await ServerSession.Open(copy, _ct);
                var rows = await session.Text("select count(*)::text from t", _ct);
                return new ProofCheck("program", rows == "1000", variables["BACKUPDR_COPY"]);
            },
        }, null, _ct);

        Assert.True(report.IsProven, string.Join('\n', report.Checks));
        Assert.Equal(["restore", "recovery", "identity", "catalog", "relations", "assertion", "assertion", "assertion", "program", "stop"],
            report.Checks.Select(check => check.Name));
        Assert.True(report.IsIsolated);
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public async Task A_restore_over_an_old_folder_writes_what_differs_and_removes_what_does_not_belong()
    {
        await using var cluster = PostgresCluster.Start();
        await cluster.Execute("create table t as select generate_series(1, 100000) g");
        using var repository = await NewRepository();
        await Backup(repository, cluster);
        await cluster.Execute("update t set g = -g; create table later as select 1 x; checkpoint");
        var stray = Path.Combine(cluster.Data, "base", "stray");
        File.WriteAllText(stray, "x");
        var options = new ClusterRestoreOptions { Folder = cluster.Data, Over = true, KeepsSettings = true };
        var refused = await Assert.ThrowsAsync<ConflictException>(() => ClusterRestore.Run(repository, options, null, _ct));
        cluster.Stop();

        var restored = await ClusterRestore.Run(repository, options, null, _ct);
        cluster.Start();
        await cluster.AwaitPromotion();

        Assert.Equal("postgres.running", refused.Code);
        Assert.False(File.Exists(stray));
        Assert.True(restored.Files.FilesUnchanged > 500, $"{restored.Files.FilesUnchanged} files were right already");
        Assert.Equal(5000050000, await cluster.Ask<long>("select sum(g) from t"));
        Assert.Equal("", await cluster.Ask<string>("select coalesce(to_regclass('later')::text, '')"));
    }
}
