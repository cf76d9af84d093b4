using System.Diagnostics;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Crypto;
using BackupDr.Sources.PostgreSql;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

/// <summary>Tables and databases as they were at a moment, out of a base backup and its log; the server has lost them since.</summary>
public sealed class TableExtractTests : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(Nightly.Or(1, 15));

    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;
    readonly string _below = Directory.CreateTempSubdirectory("bdr-below-").FullName;

    public TableExtractTests() => File.SetUnixFileMode(_below, (UnixFileMode)0x1ED);   // 0755: the server's user enters it

    public void Dispose()
    {
        Tool.Run("rm", ["-rf", "--", _below]);
        _scratch.Dispose();
    }

    static ServerAddress Of(PostgresCluster cluster, string user = "postgres")
        => new() { Host = cluster.Sockets, Port = cluster.Port, User = user };

    TemporaryClusterOptions At(DateTimeOffset moment) => new() { Below = _below, Target = RecoveryTarget.At(moment) };

    /// <summary>A shop with everything that hangs on a table; then somebody deletes half of it.</summary>
    async Task<DateTimeOffset> ShopAndMishap(PostgresCluster cluster, Repository repository)
    {
        await cluster.Execute("create role clerk");
        await cluster.Execute("create database shop");
        await cluster.Execute($$"""
            create type state as enum ('new', 'paid');
            create table customer (id int primary key, name text not null);
            insert into customer select g, 'customer ' || g from generate_series(1, 1000) g;
            create table orders (id bigserial primary key, customer int not null references customer, state state default 'new',
                note text check (length(note) > 3), unique (customer, id));
            create index on orders (state) where state = 'paid';
            comment on table orders is 'what was ordered'; comment on column orders.note is 'a note';
            grant select on orders to clerk;
            insert into orders (customer, note) select 1 + g % 1000, repeat(md5(g::text), 4)
                from generate_series(1, {{Nightly.Or(5_000, 9_000_000)}}) g;
            create table event (at date not null, what text, primary key (at, what)) partition by range (at);
            create table event_2025 partition of event for values from ('2025-01-01') to ('2026-01-01');
            create schema old; create table old.event_2024 partition of event for values from ('2024-01-01') to ('2025-01-01');
            insert into event select date '2024-01-01' + g, 'e' || g from generate_series(0, 700) g;
            create table "odd.""name" (v int); insert into "odd.""name" values (7);
            create materialized view totals as select state, count(*) from orders group by state;
            """, "shop");
        using var stop = new CancellationTokenSource();
        WalProgress? at = null;
        var receiving = WalReceiver.Run(repository, Of(cluster), new WalReceiverOptions
        {
            HostName = "here",
            Journal = _scratch.At("journal"),
            FlushEvery = TimeSpan.FromMilliseconds(200),
            NoteEvery = TimeSpan.FromSeconds(1),
        }, new Direct(now => at = now), stop.Token);
        await ClusterBackup.Run(repository, Of(cluster), new ClusterBackupOptions { HostName = "here" }, null, _ct);
        await cluster.Execute("insert into orders (customer, note) select g, 'after the base backup' from generate_series(1, 500) g",
            "shop");
        var moment = new DateTimeOffset(await cluster.Ask<DateTime>("select clock_timestamp()"));
        await cluster.Execute("delete from orders where id % 2 = 0; drop table event; drop table \"odd.\"\"name\"", "shop");
        var end = Lsn.Parse(await cluster.Ask<string>("select pg_current_wal_flush_lsn()::text"));
        for (var begun = Stopwatch.GetTimestamp(); at is null || at.Stored < end; await Task.Delay(50, _ct))
        {
            if (receiving.IsFaulted) await receiving;
            if (Stopwatch.GetElapsedTime(begun) > Patience) Assert.Fail($"The log is not stored: {at}");
        }
        await stop.CancelAsync();
        await receiving;
        return moment;
    }

    async Task<Repository> NewRepository()
    {
        using var password = Secret.FromText("twelve characters");
        return await Repository.Init(StoreFactory.Open(_scratch.At("repository")), password,
            new RepositoryOptions { HostName = "here", UserName = "tester", Workers = 2, Kdf = new KdfCost(1024, 8, 1) }, _ct);
    }

    [Fact]
    public async Task What_was_deleted_comes_back_beside_with_all_that_belongs_to_it_and_nothing_is_left_behind()
    {
        await using var cluster = PostgresCluster.Start("max_wal_size = 4GB");
        using var repository = await NewRepository();
        var moment = await ShopAndMishap(cluster, repository);
        var rows = Nightly.Or(5_000, 9_000_000) + 500L;

        await IsSeen(repository, moment, rows);
        await TablesComeBackBeside(cluster, repository, moment, rows);
        await AFileHoldsThem(cluster, repository, moment, rows);
        if (!Nightly.IsOn) await ARoleWithoutRightsIsToldWhatItLacks(cluster, repository, moment);
        await ADatabaseComesBackBeside(cluster, repository, moment, rows);
        Assert.Empty(Directory.GetFileSystemEntries(_below));
    }

    async Task IsSeen(Repository repository, DateTimeOffset moment, long rows)
    {
        var report = await ClusterPeek.Run(repository, new ClusterPeekOptions
        {
            Cluster = At(moment),
            Database = "shop",
            Query = "select count(*), max(state) as state, null as nothing from orders",
        }, null, _ct);
        TestContext.Current.TestOutputHelper?.WriteLine($"peek: {report.RestoreTime} for {report.Restored.Files.Bytes >> 20} MiB");

        Assert.Equal([("customer", 1000L), ("event", 701L), ("odd.\"name", 1L), ("orders", rows), ("totals", 1L)],
            report.Tables.Select(table => (table.Table.Name, table.Rows!.Value)));
        Assert.Equal(["count", "state", "nothing"], report.Answer!.Columns);
        Assert.Equal([$"{rows}", "new", null], Assert.Single(report.Answer.Rows));
        Assert.Empty(Directory.GetFileSystemEntries(_below));
        if (Nightly.IsOn) return;
        foreach (var (query, words) in ((string, string)[])[("copy (select 1) to program 'touch /tmp/x'", "pg_execute_server_program"),
            ("select pg_sleep(60)", "statement timeout")])
        {
            var refused = await Assert.ThrowsAsync<SourceException>(() => ClusterPeek.Run(repository, new ClusterPeekOptions
            {
                Cluster = At(moment),
                Database = "shop",
                CountLimit = TimeSpan.Zero,
                Query = query,
                QueryLimit = TimeSpan.FromSeconds(1),
            }, null, _ct));
            Assert.Contains(words, refused.Message, StringComparison.Ordinal);
        }
    }

    async Task TablesComeBackBeside(PostgresCluster cluster, Repository repository, DateTimeOffset moment, long rows)
    {
        var options = new TableExtractOptions
        {
            Cluster = At(moment),
            Database = "shop",
            Tables = [.. ((string[])["shop.orders", "shop.event", "shop.\"odd.\"\"name\""]).Select(text => TableName.Parse(text, ""))],
            Live = Of(cluster),
            Into = "restored",
        };
        var left = await cluster.Ask<long>("select count(*) from orders", "shop");

        var done = await TableExtract.Run(repository, options, null, _ct);
        TestContext.Current.TestOutputHelper?.WriteLine($"tables: put up in {done.RestoreTime}");

        Assert.Equal([("shop.public.orders", rows, 3, "shop.restored.orders"), ("shop.public.event", 701L, 1, "shop.restored.event"),
            ("shop.public.odd.\"name", 1L, 0, "shop.restored.odd.\"name")],
            done.Tables.Select(table => (table.Table.ToString(), table.Rows, table.Indexes, table.LoadedAs!)));
        Assert.Contains("FOREIGN KEY (customer)", Assert.Single(done.Remarks), StringComparison.Ordinal);
        Assert.Equal((left, rows), (await cluster.Ask<long>("select count(*) from orders", "shop"),
            await cluster.Ask<long>("select count(*) from restored.orders", "shop")));
        Assert.Equal(["what was ordered", "a note", "restored.orders_id_seq", "p,u,c", "SELECT", "2"],
            (await cluster.Ask<string>("""
                select obj_description('restored.orders'::regclass) || '|' || col_description('restored.orders'::regclass, 4) || '|'
                    || pg_get_serial_sequence('restored.orders', 'id') || '|'
                    || (select string_agg(contype::text, ',' order by position(contype in 'puc')) from pg_constraint
                        where conrelid = 'restored.orders'::regclass) || '|'
                    || (select string_agg(privilege_type, ',') from information_schema.table_privileges
                        where table_schema = 'restored' and table_name = 'orders' and grantee = 'clerk') || '|'
                    || (select count(*) from pg_inherits where inhparent = 'restored.event'::regclass)
                """, "shop")).Split('|'));
        await cluster.Execute("insert into restored.orders (customer, note) values (1, 'goes on')", "shop");   // its sequence goes on too
        var again = await Assert.ThrowsAsync<ConflictException>(() => TableExtract.Run(repository, options, null, _ct));
        Assert.Contains("There is a table shop.restored.orders", again.Message, StringComparison.Ordinal);
        if (Nightly.IsOn) return;
        var named = await TableExtract.Run(repository, options with { Tables = [options.Tables[0]], Rename = "orders_then" }, null, _ct);
        Assert.Equal("shop.restored.orders_then", Assert.Single(named.Tables).LoadedAs);
        var unknown = await Assert.ThrowsAsync<NotFoundException>(() => TableExtract.Run(repository,
            options with { Tables = [new TableName("shop", "public", "order")], Into = "other" }, null, _ct));
        Assert.Contains("There were: ", unknown.Hint, StringComparison.Ordinal);
        Assert.False(await cluster.Ask<bool>("select exists (select from pg_namespace where nspname = 'other')", "shop"));
    }

    async Task AFileHoldsThem(PostgresCluster cluster, Repository repository, DateTimeOffset moment, long rows)
    {
        var options = new TableExtractOptions
        {
            Cluster = At(moment),
            Database = "shop",
            Tables = [new TableName("shop", "public", "orders")],
            File = _scratch.At("orders.dump"),
        };
        var done = await TableExtract.Run(repository, options, null, _ct);
        TestContext.Current.TestOutputHelper?.WriteLine($"file: put up in {done.RestoreTime}, {done.Bytes >> 20} MiB");

        Assert.Equal(rows, Assert.Single(done.Tables).Rows);
        Assert.Equal((UnixFileMode)0x180, File.GetUnixFileMode(options.File));
        var list = Tool.Succeed(Path.Combine(cluster.Programs, "pg_restore"), "-l", options.File);
        foreach (var what in (string[])["TABLE public orders", "TABLE DATA public orders", "SEQUENCE OWNED BY public orders_id_seq",
            "CONSTRAINT public orders orders_pkey", "INDEX public orders_state_idx", "FK CONSTRAINT public orders orders_customer_fkey",
            "ACL public TABLE orders", "COMMENT public TABLE orders"])
            Assert.Contains(what, list, StringComparison.Ordinal);
        await Assert.ThrowsAsync<BadInputException>(() => TableExtract.Run(repository, options, null, _ct));
    }

    async Task ARoleWithoutRightsIsToldWhatItLacks(PostgresCluster cluster, Repository repository, DateTimeOffset moment)
    {
        await cluster.Execute("create role weak login", "shop");
        var options = new TableExtractOptions
        {
            Cluster = At(moment),
            Database = "shop",
            Tables = [new TableName("shop", "public", "orders")],
            Live = Of(cluster, "weak"),
            Into = "mine",
        };
        var denied = await Assert.ThrowsAsync<DeniedException>(() => TableExtract.Run(repository, options, null, _ct));
        Assert.Equal("GRANT CREATE ON DATABASE \"shop\" TO \"weak\";", denied.Hint);
        await cluster.Execute(denied.Hint!, "shop");

        var done = await TableExtract.Run(repository, options, null, _ct);

        Assert.Contains(done.Remarks, remark => remark.Contains("Everything belongs to weak", StringComparison.Ordinal));
        Assert.Equal("weak", await cluster.Ask<string>("select tableowner::text from pg_tables where schemaname = 'mine'", "shop"));
    }

    async Task ADatabaseComesBackBeside(PostgresCluster cluster, Repository repository, DateTimeOffset moment, long rows)
    {
        var done = await TableExtract.Run(repository, new TableExtractOptions
        {
            Cluster = At(moment),
            Database = "shop",
            Live = Of(cluster),
            Into = "shop_then",
        }, null, _ct);
        TestContext.Current.TestOutputHelper?.WriteLine($"database: put up in {done.RestoreTime}");

        Assert.Equal(5, done.Tables.Count);
        Assert.Equal((rows, 701L), (await cluster.Ask<long>("select count(*) from orders", "shop_then"),
            await cluster.Ask<long>("select count(*) from event", "shop_then")));
    }

    [Theory]
    [InlineData("shop.orders", "shop", "public", "orders")]
    [InlineData("shop.old.orders", "shop", "old", "orders")]
    [InlineData("shop.\"a.b\"", "shop", "public", "a.b")]
    [InlineData("shop.\"a\"\"b\"", "shop", "public", "a\"b")]
    [InlineData("orders", null, null, null)]
    [InlineData("a.b.c.d", null, null, null)]
    [InlineData("shop.", null, null, null)]
    [InlineData("shop.\"orders", null, null, null)]
    public void Names_are_read_or_refused(string text, string? database, string? schema, string? name)
    {
        if (database is null) Assert.Throws<BadInputException>(() => TableName.Parse(text, "table"));
        else Assert.Equal(new TableName(database, schema!, name!), TableName.Parse(text, "table"));
    }

    sealed class Direct(Action<WalProgress> report) : IProgress<WalProgress>
    {
        public void Report(WalProgress value) => report(value);
    }
}
