using System.Diagnostics;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Sources.PostgreSql;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Sources.Tests;

/// <summary>Point in time recovery of a real server: a witness table says what must be there at each moment.</summary>
public sealed class WalReceiverTests : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;
    readonly List<WalEvent> _events = [];
    WalProgress? _at;

    public void Dispose() => _scratch.Dispose();

    async Task<Repository> NewRepository()
    {
        using var password = Secret.FromText("twelve characters");
        return await Repository.Init(StoreFactory.Open(_scratch.At("repository")), password,
            new RepositoryOptions { HostName = "here", UserName = "tester", Workers = 2, Kdf = new KdfCost(1024, 8, 1) }, _ct);
    }

    static ServerAddress Of(PostgresCluster cluster) => new() { Host = cluster.Sockets, Port = cluster.Port, User = "postgres" };

    WalReceiverOptions Options => new()
    {
        HostName = "here",
        Journal = _scratch.At("journal"),
        FlushEvery = TimeSpan.FromMilliseconds(200),
        PublishEvery = TimeSpan.FromSeconds(2),
        NoteEvery = TimeSpan.FromSeconds(1),
        SegmentsOfSnapshot = 3,
    };

    async Task<T> While<T>(Repository repository, PostgresCluster cluster, Func<Task<T>> body, WalReceiverOptions? options = null)
    {
        using var stop = new CancellationTokenSource();
        var receiving = WalReceiver.Run(repository, Of(cluster), options ?? Options, new Direct(this), stop.Token);
        var done = body();
        await Task.WhenAny(receiving, done);
        if (receiving.IsFaulted) await receiving;
        var result = await done;
        await stop.CancelAsync();
        await receiving;
        return result;
    }

    /// <summary>Commits rows until told to stop, each in a transaction of its own, with some noise; survives a killed server.</summary>
    static async Task Write(PostgresCluster cluster, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await cluster.Execute("insert into witness (after) values (pg_current_wal_insert_lsn())");
                await cluster.Execute("update noise set v = repeat(md5(random()::text), 60) where id % 7 = (random() * 7)::int");
            }
            catch (Npgsql.NpgsqlException) { await Task.Delay(50, CancellationToken.None); }
        }
    }

    static Task Prepare(PostgresCluster cluster) => cluster.Execute("create table witness (id bigserial primary key, after pg_lsn);"
        + "create table noise (id int primary key, v text); insert into noise select g, repeat(md5(g::text), 60) from "
            + "generate_series(1, 800) g");

    static async Task<List<(long Id, DateTimeOffset At)>> Witness(PostgresCluster cluster)
    {
        await using var connection = new Npgsql.NpgsqlConnection(cluster.Connection());
        await connection.OpenAsync();
        await using var command = new Npgsql.NpgsqlCommand("select id, pg_xact_commit_timestamp(xmin) from witness order by id",
            connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<(long, DateTimeOffset)>();
        while (await reader.ReadAsync()) rows.Add((reader.GetInt64(0), reader.GetFieldValue<DateTimeOffset>(1)));
        return rows;
    }

    async Task<List<long>> RestoredIds(Repository repository, RecoveryTarget target, bool check = false)
    {
        await using var copy = PostgresCluster.Prepare();
        await ClusterRestore.Run(repository, new ClusterRestoreOptions
        {
            Folder = copy.Data,
            Port = copy.Port,
            SocketFolder = copy.Sockets,
            Target = target,
            IsDurable = false,
        }, null, _ct);
        copy.Start();
        await copy.AwaitPromotion();
        if (check)
            copy.As("pg_amcheck", "-h", copy.Sockets, "-p", $"{copy.Port}", "-U", "postgres", "-d", "postgres", "--install-missing",
                "--heapallindexed");
        return [.. (await Witness(copy)).Select(row => row.Id)];
    }

    async Task Until(Func<Task<bool>> isSo, string what)
    {
        for (var begun = Stopwatch.GetTimestamp(); !await isSo(); await Task.Delay(50, _ct))
            if (Stopwatch.GetElapsedTime(begun) > Patience)
                Assert.Fail($"Not within {Patience}: {what}. {_at}\n{string.Join('\n', _events.TakeLast(10))}");
    }

    /// <summary>Until the writer has committed a good many rows more.</summary>
    async Task UntilMoreRows(PostgresCluster cluster)
    {
        const string count = "select count(*) from witness";
        var enough = await cluster.Ask<long>(count) + 100;
        await Until(async () => await cluster.Ask<long>(count) >= enough, "a hundred more rows are committed");
    }

    Task UntilStored(PostgresCluster cluster) => Until(async ()
        => _at is { } at && at.Stored >= Lsn.Parse(await cluster.Ask<string>("select pg_current_wal_flush_lsn()::text")), "all is stored");

    [Fact]
    public async Task Every_moment_between_the_base_backup_and_now_comes_back_exactly()
    {
        await using var cluster = PostgresCluster.Start("track_commit_timestamp = on", "checkpoint_timeout = 30s");
        await Prepare(cluster);
        using var repository = await NewRepository();
        using var stop = new CancellationTokenSource();
        var (stoppedAt, seen) = await While(repository, cluster, async () =>
        {
            var writing = Write(cluster, stop.Token);
            var backup = await ClusterBackup.Run(repository, Of(cluster), new ClusterBackupOptions { HostName = "here" }, null, _ct);
            await UntilMoreRows(cluster);
            cluster.Kill();
            cluster.Start();
            await ClusterBackup.Run(repository, Of(cluster), new ClusterBackupOptions { HostName = "here" }, null, _ct);
            await UntilMoreRows(cluster);
            await stop.CancelAsync();
            await writing;
            // An idle time: nothing is committed any more, and restoring to a moment in it is right all the same.
            var end = await cluster.Ask<DateTime>("select clock_timestamp()");
            await UntilStored(cluster);
            await Until(async () => (await RecoverySet.Load(repository, null, _ct)).Seen is { } seen && seen.At > end, "idleness is noted");
            return (backup.Manifest.StoppedAt, (DateTimeOffset)end);
        });
        var rows = await Witness(cluster);
        var random = new Random(20_261_122);
        var later = rows.Where(row => row.At > stoppedAt).ToList();
        Assert.True(later.Count > 20, $"{later.Count} of {rows.Count} rows came after the base backup");
        var targets = Enumerable.Range(0, Nightly.Or(1, 20)).Select(_ => later[random.Next(later.Count)]).ToList();

        Assert.Equal(rows.Select(row => row.Id), await RestoredIds(repository, RecoveryTarget.Latest, check: true));
        Assert.Equal(rows.Select(row => row.Id), await RestoredIds(repository, RecoveryTarget.At(seen)));
        Assert.Equal(rows.Where(row => row.At <= stoppedAt).Select(row => row.Id),
            await RestoredIds(repository, RecoveryTarget.At(stoppedAt)));
        foreach (var (id, at) in targets)
        {
            Assert.Equal(rows.Where(row => row.At <= at).Select(row => row.Id), await RestoredIds(repository, RecoveryTarget.At(at)));
            Assert.Equal(rows.Where(row => row.At < at).Select(row => row.Id),
                await RestoredIds(repository, RecoveryTarget.At(at) with { IsInclusive = false }));
            var after = Lsn.Parse(await cluster.Ask<string>($"select after::text from witness where id = {id}"));
            Assert.Equal(rows.Where(row => row.Id < id).Select(row => row.Id), await RestoredIds(repository, RecoveryTarget.At(after)));
        }
        var early = await Assert.ThrowsAsync<SourceException>(()
            => RestoredIds(repository, RecoveryTarget.At(stoppedAt - TimeSpan.FromHours(1))));
        var late = await Assert.ThrowsAsync<SourceException>(() => RestoredIds(repository, RecoveryTarget.At(seen
            + TimeSpan.FromHours(1))));
        Assert.Equal(("postgres.unreachable_target", "postgres.unreachable_target"), (early.Code, late.Code));
    }

    [Fact]
    public async Task A_named_point_and_a_transaction_are_found_and_a_promotion_is_followed()
    {
        await using var cluster = PostgresCluster.Start("track_commit_timestamp = on");
        await Prepare(cluster);
        using var repository = await NewRepository();
        await While(repository, cluster, async () =>
        {
            await ClusterBackup.Run(repository, Of(cluster), new ClusterBackupOptions { HostName = "here" }, null, _ct);
            await cluster.Execute("insert into witness (id) values (101)");
            await cluster.Execute("select pg_create_restore_point('before the change')");
            await cluster.Execute("select pg_switch_wal()");
            await cluster.Execute("insert into witness (id) values (102)");
            await cluster.Execute("select pg_switch_wal()");
            await UntilStored(cluster);
            // The cluster becomes a standby of nobody, and is promoted: its log goes on on a new timeline.
            cluster.Stop();
            File.WriteAllText(Path.Combine(cluster.Data, "standby.signal"), "");
            cluster.Start();
            cluster.Promote();
            await cluster.Execute("insert into witness (id) values (103)");
            await Until(() => Task.FromResult(_at?.Timeline == 2), "the second timeline is received");
            await UntilStored(cluster);
            return true;
        });
        var xid = await cluster.Ask<long>("select xmin::text::bigint from witness where id = 102");

        Assert.Equal([101, 102, 103], await RestoredIds(repository, RecoveryTarget.Latest));
        Assert.Equal([101], await RestoredIds(repository, RecoveryTarget.Named("before the change")));
        Assert.Equal([101, 102], await RestoredIds(repository, RecoveryTarget.Of((uint)xid)));
        Assert.Equal([101], await RestoredIds(repository, RecoveryTarget.Of((uint)xid) with { IsInclusive = false }));
        var unknown = await Assert.ThrowsAsync<SourceException>(() => RestoredIds(repository, RecoveryTarget.Named("never made")));
        Assert.Equal("postgres.unreachable_target", unknown.Code);
        await ASegmentThatIsDeletedShrinksWhatCanBeRestored(repository);
    }

    async Task ASegmentThatIsDeletedShrinksWhatCanBeRestored(Repository repository)
    {
        static RecoverableRange Range(RecoverySet set) => RecoveryPlanner.RangeOf(set.Bases[0], set.Log)!;
        var before = await RecoverySet.Load(repository, null, _ct);
        var names = Range(before).Segments.Where(segment => segment.Start(16 << 20) > Range(before).Base.Stop)
            .Select(segment => segment.Name(16 << 20)).ToList();
        var first = (await repository.Snapshots(new SnapshotFilter { Tags = [ClusterManifest.WalTag] }, _ct))
            .First(snapshot => snapshot.Tags.Any(tag => names.Any(name => tag.Contains(name, StringComparison.Ordinal))));
        await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Snapshots, first.Id), _ct);
        var after = await RecoverySet.Load(repository, null, _ct);

        Assert.False(Range(before).HasGap);
        Assert.True(Range(after).HasGap);
        Assert.True(Range(after).End < Range(before).End, $"{Range(after).End} is not before {Range(before).End}");
        var refused = await Assert.ThrowsAsync<SourceException>(()
            => RestoredIds(repository, RecoveryTarget.At(Range(before).End)));
        Assert.Contains("there is a gap behind it", refused.Message, StringComparison.Ordinal);
        await using var place = PostgresCluster.Prepare();
        var proof = await ClusterProof.Run(repository, new ClusterProofOptions
        {
            Folder = Path.Combine(place.Folder, "proof"),
            ChecksRelations = false,
        }, null, _ct);
        var lost = WalSegment.Of(Range(after).Timeline, Range(after).End, 16 << 20).Name(16 << 20);
        Assert.StartsWith($"Segment {lost} of the stored log is missing, and no base backup was taken since",
            proof.Checks.Single(check => !check.Passed).Detail, StringComparison.Ordinal);
    }

    /// <summary>An agent is killed when a segment is whole in its journal and nothing of it is stored: the next one goes on behind it.
    /// </summary>
    [Fact]
    public async Task What_only_the_journal_holds_is_stored_before_the_server_is_told_that_it_is()
    {
        await using var cluster = PostgresCluster.Start("track_commit_timestamp = on");
        await Prepare(cluster);
        using var repository = await NewRepository();
        await While(repository, cluster, ()
            => ClusterBackup.Run(repository, Of(cluster), new ClusterBackupOptions { HostName = "here" }, null, _ct));
        using (var password = Secret.FromText("twelve characters"))
        using (var away = await Repository.Open(new FaultyStore(StoreFactory.Open(_scratch.At("repository")))
        {
            Before = (verb, _, _) => verb == StoreVerb.Put ? new StoreException(StoreFault.Unavailable, "away") : null,
        }, password, repository.Options, _ct))
            await While(away, cluster, async () =>
            {
                await cluster.Execute("insert into witness (id) values (101)");
                var end = Lsn.Parse(await cluster.Ask<string>("select pg_switch_wal()::text"));
                await Until(() => Task.FromResult(Directory.EnumerateFiles(_scratch.At("journal"), "0*")
                    .Any(file => !file.EndsWith(".partial", StringComparison.Ordinal))), $"the segment of {end} is whole in the journal");
                return true;
            });

        // Nothing is published meanwhile, so what is told as stored has to be there in pieces.
        var ids = await While(repository, cluster, async () =>
        {
            await UntilStored(cluster);
            return await RestoredIds(repository, RecoveryTarget.Latest);
        }, Options with { PublishEvery = TimeSpan.FromHours(1), SegmentsOfSnapshot = 100 });

        Assert.Equal([101], ids);
    }

    [Theory]
    [InlineData(SlotLimitAction.Alarm)]
    [InlineData(SlotLimitAction.Stop)]
    [InlineData(SlotLimitAction.DropSlot)]
    public async Task A_slot_over_its_limit_is_treated_as_configured(SlotLimitAction action)
    {
        await using var cluster = PostgresCluster.Start();
        await Prepare(cluster);
        using var repository = await NewRepository();
        // Nothing is stored within the test, so the slot holds everything back.
        var options = Options with { FlushEvery = TimeSpan.FromMilliseconds(300), SlotLimitBytes = 1, OnSlotLimit = action };
        var run = While(repository, cluster, async () =>
        {
            for (var begun = Stopwatch.GetTimestamp(); !_events.Any(e => e.IsAlarm) && Stopwatch.GetElapsedTime(begun) < Patience;)
                await cluster.Execute("update noise set v = md5(random()::text)");
            return true;
        }, options);

        if (action == SlotLimitAction.Alarm) Assert.True(await run);
        else Assert.Equal("postgres.slot_limit", (await Assert.ThrowsAsync<SourceException>(() => run)).Code);

        if (action == SlotLimitAction.Alarm) Assert.Contains(_events, e => e is { Code: "wal.slot_limit", IsAlarm: true });
        Assert.Equal(action == SlotLimitAction.DropSlot ? 0 : 1, await cluster.Ask<long>("select count(*) from pg_replication_slots"));
    }

    sealed class Direct(WalReceiverTests test) : IProgress<WalProgress>
    {
        public void Report(WalProgress value)
        {
            test._at = value;
            if (value.Event is not { } told) return;
            lock (test._events) test._events.Add(told);
        }
    }
}
