using System.Globalization;
using BackupDr.Engine;
using BackupDr.Sources.MariaDb;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

/// <summary>A server whose binary log is received while it is written, with a table that says when each of its rows was
/// committed.</summary>
public sealed class BinlogTests : IAsyncLifetime
{
    readonly ScratchFolder _scratch = new();
    readonly MariaDbServer _server = MariaDbServer.Start("log-bin=bin");
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        Tool.Succeed("chmod", "711", _scratch.Path);
        _server.Execute("create database w; create table w.witness (id int auto_increment primary key, at datetime(6) not null);"
            + "create table w.load_i (id int auto_increment primary key, v varchar(200));"
            + "create table w.load_m (id int auto_increment primary key, v varchar(200)) engine=myisam;"
            + "create table w.load_a (id int auto_increment primary key, v varchar(200)) engine=aria;"
            + "create table w.dropped (id int primary key); insert into w.dropped values (1), (2), (3)");
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _scratch.Dispose();
    }

    MariaDbAddress Address => new() { Host = _server.Socket, User = "root" };

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>A receiver that runs until it is stopped, and what it told.</summary>
    sealed class Receiving(Repository repository, MariaDbAddress address, string journal) : IProgress<BinlogProgress>, IDisposable
    {
        readonly CancellationTokenSource _stop = new();
        readonly Lock _gate = new();
        readonly List<BinlogEvent> _events = [];
        Task _running = Task.CompletedTask;
        BinlogProgress? _last;

        public List<BinlogEvent> Events { get { lock (_gate) return [.. _events]; } }
        public BinlogProgress? Last { get { lock (_gate) return _last; } }

        public Receiving Start()
        {
            _running = BinlogReceiver.Run(repository, address, new BinlogReceiverOptions
            {
                HostName = "here",
                Journal = journal,
                FlushEvery = TimeSpan.FromMilliseconds(200),
                LookEvery = TimeSpan.FromMilliseconds(500),
                NoteEvery = TimeSpan.FromMilliseconds(500),
                PublishEvery = TimeSpan.FromSeconds(3),
            }, this, _stop.Token);
            return this;
        }

        public void Report(BinlogProgress value)
        {
            lock (_gate)
            {
                _last = value;
                if (value.Event is { } happened) _events.Add(happened);
            }
        }

        public async Task Await(Func<Receiving, bool> isSo, string what)
        {
            for (var begun = TimeProvider.System.GetTimestamp(); !isSo(this); await Task.Delay(50))
            {
                if (_running.IsFaulted) await _running;
                Assert.True(TimeProvider.System.GetElapsedTime(begun) < Patience, $"{what}; {string.Join('\n', Events)} {Last}");
            }
        }

        /// <summary>Waits until what the server has now is stored.</summary>
        public Task AwaitAll(MariaDbServer server)
        {
            var at = server.Ask("show master status").Split('\t');
            var position = long.Parse(at[1], CultureInfo.InvariantCulture);
            return Await(one => one.Last is { } last && (last.File == at[0] ? last.Stored >= position
                : BinlogFile.NumberOf(last.File) > BinlogFile.NumberOf(at[0])), $"{at[0]}:{at[1]} is not stored");
        }

        public async Task Stop()
        {
            await _stop.CancelAsync();
            await _running;
        }

        public void Dispose() => _stop.Dispose();
    }

    sealed class Load(MariaDbServer server) : IDisposable
    {
        readonly CancellationTokenSource _stop = new();
        Task _writing = Task.CompletedTask;

        public Load Start()
        {
            _writing = Task.Run(async () =>
            {
                await using var writer = server.Writer();
                for (var turn = 0; !_stop.IsCancellationRequested; turn++)
                {
                    await writer.Write("insert into w.witness (at) values (utc_timestamp(6))");
                    await writer.Write($"insert into w.load_{"ima"[turn % 3]} (v) values (md5({turn}))");
                    await writer.Write("start transaction; update w.load_i set v = md5(rand()) where id % 17 = 3; insert into w.load_i (v) "
                        + "values ('x'); commit");
                    if (turn % 400 == 399) await writer.Write("flush binary logs");
                    await Task.Delay(5);
                }
            });
            return this;
        }

        public async Task Stop()
        {
            await _stop.CancelAsync();
            await _writing;
        }

        public void Dispose() => _stop.Dispose();
    }

    Task<MariaDbBackupSummary> Backup(Repository repository)
        => MariaDbBackup.Run(repository, Address, new MariaDbBackupOptions { HostName = "here" }, null, _ct);

    async Task<MariaDbServer> Restored(Repository repository, BinlogTarget target)
    {
        var folder = _scratch.At("restored");
        await MariaDbRestore.Run(repository, new MariaDbRestoreOptions { Folder = folder, Target = target, IsDurable = false }, null, _ct);
        return MariaDbServer.StartIn(folder);
    }

    static List<(int Id, DateTimeOffset At)> Witnesses(MariaDbServer server) => [.. server.Ask("select id, at from w.witness order by id")
        .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')).Select(row => (
            int.Parse(row[0], CultureInfo.InvariantCulture),
            DateTimeOffset.Parse(row[1], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal)))];

    [Fact]
    public async Task Every_moment_of_the_log_is_restored_exactly()
    {
        using var repository = await MariaDbBackupTests.NewRepository(_scratch.At("repository"));
        using var receiving = new Receiving(repository, Address, _scratch.At("journal")).Start();
        using var load = new Load(_server).Start();
        await receiving.Await(one => one.Last is { Stored: > 4 }, "Nothing is stored");
        var first = await Backup(repository);
        // Seconds have to pass between the moments that are restored.
        await receiving.Await(_ => Witnesses(_server) is [.., var last] && last.At > first.Manifest.StoppedAt.AddSeconds(Nightly.Or(5, 12)),
            "No rows come");
        var dropped = DateTimeOffset.Parse(_server.Ask("select utc_timestamp(6); drop table w.dropped").Split('\n')[0],
            CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
        await receiving.Await(_ => Witnesses(_server) is [.., var last] && last.At > dropped.AddSeconds(2), "No rows come");
        await load.Stop();
        await receiving.AwaitAll(_server);
        await receiving.Await(one => one.Last is { Snapshots: > 2 }, "Nothing is published");
        await receiving.Stop();
        var all = Witnesses(_server);
        var random = new Random(4711);
        var from = first.Manifest.StoppedAt.AddSeconds(1);
        var moments = Enumerable.Range(0, Nightly.Or(1, 8)).Select(_
            => from.AddSeconds(random.NextDouble() * (dropped - from).TotalSeconds))
            .Prepend(dropped.AddSeconds(-1)).ToList();

        foreach (var moment in moments)
        {
            await using var copy = await Restored(repository, BinlogTarget.At(moment));
            var whole = DateTimeOffset.FromUnixTimeSeconds(moment.ToUnixTimeSeconds());
            Assert.Equal(all.Where(row => row.At < whole), Witnesses(copy));
            Assert.Equal("3", copy.Ask("select count(*) from w.dropped"));
        }
        await using (var copy = await Restored(repository, BinlogTarget.Latest))
        {
            Assert.Equal(all, Witnesses(copy));
            foreach (var table in (string[])["load_i", "load_m", "load_a", "witness"])
                Assert.Equal(_server.Ask($"checksum table w.{table}"), copy.Ask($"checksum table w.{table}"));
            Assert.Equal("0", copy.Ask("select count(*) from information_schema.tables where table_name = 'dropped'"));
            Assert.Equal(_server.Ask("select user, host from mysql.global_priv order by 1, 2"),
                copy.Ask("select user, host from mysql.global_priv order by 1, 2"));
        }
        var late = await Assert.ThrowsAsync<SourceException>(() => Restored(repository, BinlogTarget.At(all[^1].At.AddHours(1))));
        Assert.Equal("mariadb.unreachable_target", late.Code);
    }

    [Fact]
    public async Task A_killed_child_a_restarted_server_and_a_log_begun_anew_are_survived_and_named()
    {
        using var repository = await MariaDbBackupTests.NewRepository(_scratch.At("repository"));
        await Backup(repository);
        var journal = _scratch.At("journal");
        using var receiving = new Receiving(repository, Address, journal).Start();
        _server.Execute("create event w.e on schedule every 1 day do delete from w.load_i; create user later@localhost identified by 'x';"
            + "create procedure w.p() select 1; insert into w.witness (at) values (utc_timestamp(6))");
        await receiving.AwaitAll(_server);
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(folder => Path.GetFileName(folder).All(char.IsAsciiDigit)))
            if (File.Exists($"{process}/cmdline") && Read($"{process}/cmdline") is var line && line.Contains(journal,
                StringComparison.Ordinal)
                && line.StartsWith("/usr/bin/mariadb-binlog", StringComparison.Ordinal))
                Tool.Succeed("kill", "-KILL", Path.GetFileName(process));
        await receiving.Await(one => one.Events.Any(told => told.Code == "binlog.disconnected"), "Nobody noticed");
        _server.Execute("insert into w.witness (at) values (utc_timestamp(6)); flush binary logs; insert into w.witness (at) values "
            + "(utc_timestamp(6))");
        await receiving.AwaitAll(_server);
        await _server.Kill();
        _server.Start();
        _server.Execute("insert into w.witness (at) values (utc_timestamp(6))");
        await receiving.AwaitAll(_server);
        var gtid = _server.Ask("select @@gtid_binlog_pos");
        _server.Execute("insert into w.witness (at) values (utc_timestamp(6))");
        await receiving.AwaitAll(_server);
        Assert.DoesNotContain(receiving.Events, told => told.IsAlarm);
        var count = Witnesses(_server).Count;

        _server.Execute("reset master; insert into w.witness (at) values (utc_timestamp(6))");
        await receiving.Await(one => one.Events.Any(told => told.Code == "binlog.reset"), "Nobody noticed");
        await receiving.AwaitAll(_server);
        await receiving.Stop();

        var set = await MariaDbRecoverySet.Load(repository, null, _ct);
        Assert.True(BinlogPlanner.RangeOf(Assert.Single(set.Bases), set.Log).EndsInGap);
        await using (var copy = await Restored(repository, BinlogTarget.Latest))
        {
            Assert.Equal(count, Witnesses(copy).Count);
            Assert.Equal("1", copy.Ask("select count(*) from mysql.global_priv where user = 'later'"));
            Assert.Equal("e", copy.Ask("select name from mysql.event"));
        }
        Assert.True(Gtid.TryParse(gtid, out var last));
        await using (var copy = await Restored(repository, BinlogTarget.Of(last))) Assert.Equal(count - 1, Witnesses(copy).Count);

        // A receiver that comes back to a log of which the server has removed a part.
        await Backup(repository);
        _server.Execute("flush binary logs; insert into w.witness (at) values (utc_timestamp(6)); flush binary logs");
        _server.Execute($"purge binary logs to '{_server.Ask("show master status").Split('\t')[0]}'");
        using var again = new Receiving(repository, Address, journal).Start();
        await again.Await(one => one.Events.Any(told => told is { Code: "binlog.gap", IsAlarm: true }), "Nobody noticed");
        await again.AwaitAll(_server);
        await again.Stop();
        set = await MariaDbRecoverySet.Load(repository, null, _ct);
        Assert.All(set.Bases, from => Assert.True(BinlogPlanner.RangeOf(from, set.Log).EndsInGap));
    }

    static string Read(string path)
    {
        try { return File.ReadAllText(path); }
        catch (IOException) { return ""; }   // it ended
    }
}
