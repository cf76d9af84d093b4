using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using BackupDr.Sources.PostgreSql;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>The long proof: a server that is written to all the time, whose receiver and which itself are killed at random, which is
/// promoted, and then idle. Restored to many moments it starts each time, is sound, and holds exactly the rows of that moment.</summary>
public sealed class PgLongProofTests(ITestOutputHelper output) : IDisposable
{
    const int Rounds = 12, BackupAt = 5, PromotionAt = 8;
    // The receiver stores every second; this machine may be busy with something else meanwhile.
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(3), MostLost = TimeSpan.FromMinutes(1);

    readonly ScratchFolder _scratch = new();
    readonly Random _random = new(20_261_122);
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;
    readonly List<TimeSpan> _lost = [];
    Process? _receiver;
    volatile string _stored = "0/0";
    string _last = "";

    public void Dispose()
    {
        _receiver?.Kill();
        _receiver?.WaitForExit();
        _receiver?.Dispose();
        _scratch.Dispose();
    }

    sealed record Row(long Id, DateTimeOffset At, Lsn After);

    static int IdleMinutes => int.TryParse(Environment.GetEnvironmentVariable("BACKUPDR_IDLE_MINUTES"), CultureInfo.InvariantCulture,
        out var minutes) ? minutes : 60;

    string[] Server(PostgresCluster cluster) => ["--repo", _scratch.At("repository"), "--pg-host", cluster.Sockets, "--pg-port",
        $"{cluster.Port}", "--pg-user", "postgres"];

    void Receive(PostgresCluster cluster)
    {
        var start = new ProcessStartInfo(PublishedProgram.Path, ["pg", "wal", .. Server(cluster), "--journal", _scratch.At("journal"),
            "--flush", "1s", "--json"])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        _receiver = Process.Start(start)!;
        _receiver.OutputDataReceived += (_, line) => Keep(line.Data);
        _receiver.ErrorDataReceived += (_, line) => _last = line.Data ?? _last;
        _receiver.BeginOutputReadLine();
        _receiver.BeginErrorReadLine();
    }

    void Keep(string? line)
    {
        if (line is null) return;
        _last = line;
        using var json = JsonDocument.Parse(line);
        if (json.RootElement.TryGetProperty("stored", out var stored)) _stored = stored.GetString()!;
    }

    void KillReceiver()
    {
        _receiver!.Kill();
        _receiver.WaitForExit();
        _receiver.Dispose();
        _receiver = null;
    }

    static async Task Write(PostgresCluster cluster, string sql, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try { await cluster.Execute(sql); }
            catch (Npgsql.NpgsqlException) { await Task.Delay(50, CancellationToken.None); }   // it was killed
        }
    }

    async Task Until(Func<Task<bool>> isSo, string what, TimeSpan? longest = null)
    {
        for (var begun = Stopwatch.GetTimestamp(); !await isSo(); await Task.Delay(100, _ct))
            if (Stopwatch.GetElapsedTime(begun) > (longest ?? Patience))
                Assert.Fail($"Not within {longest ?? Patience}: {what}. Stored {_stored}. {_last}");
    }

    async Task UntilMoreRows(PostgresCluster cluster, int rows)
    {
        var enough = await cluster.Ask<long>("select count(*) from witness") + rows;
        await Until(async () => await cluster.Ask<long>("select count(*) from witness") >= enough, $"{rows} rows more");
    }

    async Task UntilStored(PostgresCluster cluster)
    {
        var end = Lsn.Parse(await cluster.Ask<string>("select pg_current_wal_flush_lsn()::text"));
        await Until(() => Task.FromResult(Lsn.Parse(_stored) >= end), $"{end} is stored");
    }

    static async Task<List<Row>> Witness(PostgresCluster cluster)
    {
        await using var connection = new Npgsql.NpgsqlConnection(cluster.Connection());
        await connection.OpenAsync();
        await using var command = new Npgsql.NpgsqlCommand(
            "select id, pg_xact_commit_timestamp(xmin), after::text from witness order by id", connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<Row>();
        while (await reader.ReadAsync())
            rows.Add(new Row(reader.GetInt64(0), reader.GetFieldValue<DateTimeOffset>(1), Lsn.Parse(reader.GetString(2))));
        return rows;
    }

    /// <summary>What was committed and not stored when something was killed: a row is known to be stored where the next one began.
    /// </summary>
    async Task Lost(PostgresCluster cluster, DateTimeOffset killedAt, Lsn stored)
    {
        var rows = (await Witness(cluster)).Where(row => row.At <= killedAt).ToList();
        var first = Enumerable.Range(0, rows.Count).FirstOrDefault(at => at + 1 < rows.Count ? rows[at + 1].After > stored : true, -1);
        _lost.Add(first < 0 ? TimeSpan.Zero : killedAt - rows[first].At);
    }

    async Task Round(PostgresCluster cluster, int round)
    {
        await UntilMoreRows(cluster, _random.Next(50, 400));
        var (killsReceiver, killsServer) = (_random.Next(3) != 0, _random.Next(2) == 0);
        var (at, stored) = (DateTimeOffset.UtcNow, Lsn.Parse(_stored));
        if (round == PromotionAt)
        {
            cluster.Kill();
            File.WriteAllText(Path.Combine(cluster.Data, "standby.signal"), "");
            cluster.Start();
            cluster.Promote();
        }
        else if (killsServer)
        {
            if (killsReceiver) KillReceiver();
            cluster.Kill();
            cluster.Start();
        }
        else KillReceiver();
        await Lost(cluster, at, stored);
        if (_receiver is null) Receive(cluster);
        if (round == BackupAt) BackupdrProgram.Succeed(["pg", "backup", .. Server(cluster)]);
        await UntilStored(cluster);
    }

    [Fact]
    public async Task Random_moments_of_a_server_that_is_killed_promoted_and_idle_come_back_exactly()
    {
        Assert.SkipUnless(Nightly.IsOn, "runs with BACKUPDR_NIGHTLY=1");
        await using var cluster = PostgresCluster.Start("track_commit_timestamp = on", "checkpoint_timeout = 30s");
        BackupdrProgram.NewRepository(_scratch);
        await cluster.Execute("create table witness (id bigserial primary key, after pg_lsn); create table noise (id int primary key, "
            + "v text); insert into noise select g, repeat(md5(g::text), 60) from generate_series(1, 800) g");
        Receive(cluster);
        using var stop = new CancellationTokenSource();
        Task[] writing =
        [
            Write(cluster, "insert into witness (after) values (pg_current_wal_insert_lsn())", stop.Token),
            Write(cluster, "update noise set v = repeat(md5(random()::text), 60) where id % 7 = (random() * 7)::int", stop.Token),
        ];
        await UntilMoreRows(cluster, 100);
        var backup = JsonDocument.Parse(BackupdrProgram.Succeed(["pg", "backup", .. Server(cluster), "--json"])).RootElement;
        var stoppedAt = backup.GetProperty("stopped_at").GetDateTimeOffset();
        for (var round = 0; round < Rounds; round++) await Round(cluster, round);
        await stop.CancelAsync();
        await Task.WhenAll(writing);
        var idle = new DateTimeOffset(await cluster.Ask<DateTime>("select clock_timestamp()"));
        await Until(async () => await cluster.Ask<DateTime>("select clock_timestamp()") > idle.UtcDateTime.AddMinutes(IdleMinutes),
            "the idle time is over", TimeSpan.FromMinutes(IdleMinutes + 5));
        await cluster.Execute("insert into witness (after) values (pg_current_wal_insert_lsn())");
        await cluster.Execute("insert into witness (after) values (pg_current_wal_insert_lsn())");
        await UntilStored(cluster);
        output.WriteLine($"{_lost.Count} kills; committed and not stored at each: "
            + string.Join(", ", _lost.Select(one => $"{one.TotalSeconds:0.0} s")));
        await EachMomentComesBack(await Witness(cluster), stoppedAt, idle);
        Assert.All(_lost, one => Assert.InRange(one, TimeSpan.Zero, MostLost));
    }

    async Task EachMomentComesBack(List<Row> rows, DateTimeOffset stoppedAt, DateTimeOffset idle)
    {
        var later = rows.Where(row => row.At > stoppedAt).ToList();
        var (first, last) = (later[0], later[^3]);
        List<(string What, string[] Target, Func<Row, bool> IsIn)> moments =
        [
            ("right after the base backup", ["--to-time", Text(stoppedAt)], row => row.At <= stoppedAt),
            ("in the idle time", ["--to-time", Text(idle.AddMinutes(IdleMinutes / 2.0))], row => row.At <= idle),
            ("behind everything", [], _ => true),
        ];
        for (var turn = 0; turn < 20; turn++)
        {
            var row = later[_random.Next(later.Count - 2)];
            var time = first.At + (last.At - first.At) * _random.NextDouble();
            time = time.AddTicks(-(time.Ticks % 10));   // the server counts microseconds
            moments.Add((turn % 4) switch
            {
                0 => ("a time", ["--to-time", Text(time)], one => one.At <= time),
                1 => ("a commit, inclusive", ["--to-time", Text(row.At)], one => one.At <= row.At),
                2 => ("a commit, exclusive", ["--to-time", Text(row.At), "--exclusive"], one => one.At < row.At),
                _ => ("a position", ["--to-lsn", row.After.ToString()], one => one.Id < row.Id),
            });
        }
        var wrong = new List<string>();
        foreach (var (what, target, isIn) in moments)
        {
            var begun = Stopwatch.GetTimestamp();
            var (timeline, ids) = await Restored(target);
            var expected = rows.Where(isIn).Select(row => row.Id).ToList();
            var isRight = expected.SequenceEqual(ids);
            output.WriteLine($"{(isRight ? "right" : "WRONG")}: {what}, {string.Join(' ', target)}: {ids.Count} of {expected.Count} rows, "
                + $"timeline {timeline} after it, {Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s");
            if (!isRight) wrong.Add(what);
        }
        Assert.Empty(wrong);
    }

    static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture) + "+00";

    async Task<(int Timeline, List<long> Ids)> Restored(string[] target)
    {
        await using var copy = PostgresCluster.Prepare();
        BackupdrProgram.Succeed(["pg", "restore", "--repo", _scratch.At("repository"), "--target", copy.Data, "--port", $"{copy.Port}",
            "--socket-folder", copy.Sockets, .. target]);
        copy.Start();
        await copy.AwaitPromotion();
        copy.As("pg_amcheck", "-h", copy.Sockets, "-p", $"{copy.Port}", "-U", "postgres", "--all", "--install-missing", "--heapallindexed");
        return (await copy.Ask<int>("select timeline_id from pg_control_checkpoint()"), [.. (await Witness(copy)).Select(row => row.Id)]);
    }
}
