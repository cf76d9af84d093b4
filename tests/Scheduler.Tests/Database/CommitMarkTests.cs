using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit.Servers;
using Npgsql;

namespace BackupDr.Scheduler.Tests.Database;

/// <summary>A connection that is cut at a commit: the caller learns what became of it, and nothing is done twice or not at all.</summary>
public sealed class CommitMarkTests(SchedulerDatabases databases)
{
    static readonly CancellationToken NoStop = CancellationToken.None;

    /// <summary>A database that is reached through a cutter.</summary>
    static (CommitCutter Cutter, NpgsqlDataSource Source) Through(string connectionString, Func<Cut?> decide)
    {
        var server = new NpgsqlConnectionStringBuilder(connectionString);
        var cutter = new CommitCutter(server.Host!, server.Port, decide);
        (server.Port, server.HostRecheckSeconds) = (cutter.Port, 0);   // else a server counts as away for a second after each cut
        return (cutter, DataSource.Open(server.ConnectionString, "test"));
    }

    [Theory]
    [InlineData(Cut.After, true)]
    [InlineData(Cut.Before, false)]
    public async Task What_became_of_a_cut_commit_is_known(Cut where, bool tookPlace)
    {
        await using var database = await databases.New();
        await database.Postgres.Execute("create table effect (id int)", [], NoStop);
        var isArmed = true;
        var (cutter, source) = Through(database.ConnectionString, () => isArmed ? where : null);
        await using var _ = cutter;
        await using var __ = source;
        var db = new Postgres(source);

        var tx = await db.Begin(NoStop);
        await tx.Execute("insert into effect values (1)", [], NoStop);
        var failure = await Record.ExceptionAsync(() => tx.Commit(NoStop));
        await tx.DisposeAsync();
        isArmed = false;

        Assert.Equal(tookPlace, failure is null);
        if (failure is not null) Assert.True(Outage.Is(failure), failure.ToString());
        Assert.Equal(tookPlace ? 1L : 0L, await database.Postgres.Scalar<long>("select count(*) from effect", [], NoStop));
        Assert.Equal(1, cutter.Cuts);
    }

    [Fact]
    public async Task Two_hundred_changes_whose_commits_are_cut_take_place_once_each()
    {
        await using var database = await databases.New();
        await database.Postgres.Execute("create table counter (value int not null)", [], NoStop);
        await database.Postgres.Execute("create table effect (id int not null)", [], NoStop);
        await database.Postgres.Execute("insert into counter values (0)", [], NoStop);
        var random = new Random(1);
        var (cutter, source) = Through(database.ConnectionString, () => random.Next(4) switch
        {
            0 => Cut.Before,
            1 => Cut.During,
            2 => Cut.After,
            _ => null,
        });
        await using var _ = cutter;
        await using var __ = source;
        var db = new Postgres(source);

        for (var change = 1; change <= 200; change++)
        {
            while (true)
            {
                try
                {
                    await db.InTransaction(async tx =>
                    {
                        await tx.Execute("update counter set value = value + 1", [], NoStop);
                        await tx.Execute("insert into effect values ($1)", [change], NoStop);
                    }, NoStop);
                    break;
                }
                // It did not take place, so it is made again, as an agent or a person would.
                catch (Exception e) when (Outage.Is(e)) { continue; }
            }
        }

        Assert.Equal(200, await database.Postgres.Scalar<int>("select value from counter", [], NoStop));
        Assert.Equal(200L, await database.Postgres.Scalar<long>("select count(distinct id) from effect", [], NoStop));
        Assert.Equal(200L, await database.Postgres.Scalar<long>("select count(*) from effect", [], NoStop));
        Assert.True(cutter.Cuts > 100, $"{cutter.Cuts} cuts");
    }

    [Fact]
    public async Task A_commit_that_comes_late_is_refused_once_somebody_was_told_that_it_did_not_take_place()
    {
        await using var database = await databases.New();
        await database.Postgres.Execute("create table effect (id int)", [], NoStop);
        var mark = Guid.CreateVersion7();

        Assert.False(await CommitMark.TookPlace(database.Source, mark, new TimeoutException(), NoStop));
        await using var tx = await database.Postgres.Begin(NoStop);
        await tx.Execute("insert into effect values (1)", [], NoStop);

        await Assert.ThrowsAsync<PostgresException>(() => tx.Execute(CommitMark.Leave, [mark], NoStop));
        Assert.False(await CommitMark.TookPlace(database.Source, mark, new TimeoutException(), NoStop));   // asked again: as before
    }

    [Fact]
    public async Task Who_asks_while_the_commit_still_goes_on_waits_for_it()
    {
        await using var database = await databases.New();
        await database.Postgres.Execute("create table effect (id int)", [], NoStop);
        var mark = Guid.CreateVersion7();
        await using var connection = await database.Source.OpenConnectionAsync(NoStop);
        await using var transaction = await connection.BeginTransactionAsync(NoStop);
        await using (var write = new NpgsqlCommand("insert into effect values (1)", connection)) await write.ExecuteNonQueryAsync(NoStop);
        await using (var leave = new NpgsqlCommand(CommitMark.Leave, connection) { Parameters = { new() { Value = mark } } })
            await leave.ExecuteNonQueryAsync(NoStop);

        var asked = CommitMark.TookPlace(database.Source, mark, new TimeoutException(), NoStop);
        while (await database.Postgres.Scalar<long>("select count(*) from pg_locks where not granted", [], NoStop) == 0)
            Assert.False(asked.IsCompleted);
        await transaction.CommitAsync(NoStop);

        Assert.True(await asked);
    }

    [Fact]
    public async Task A_transaction_that_changed_nothing_leaves_no_mark()
    {
        await using var database = await databases.New();

        await database.Postgres.InTransaction(tx => tx.Scalar<int>("select 1", [], NoStop), NoStop);

        Assert.Equal(0L, await database.Postgres.Scalar<long>("select count(*) from commit_mark", [], NoStop));
    }

    [Theory]
    [InlineData("Host=/run/postgresql;Username=u", false)]
    [InlineData("Host=db1,db2;Username=u", true)]
    public void A_socket_of_this_machine_gets_no_options_of_a_network(string connectionString, bool expected)
    {
        using var source = DataSource.Open(connectionString, "n");

        Assert.Equal(expected, new NpgsqlConnectionStringBuilder(source.ConnectionString).TcpKeepAlive);
    }

    [Fact]
    public void Time_outs_that_the_settings_name_hold_and_others_are_short()
    {
        using var plain = DataSource.Open("Host=a,b;Username=u;Database=d", "n");
        using var asked = DataSource.Open("Host=a,b;Username=u;Database=d;Timeout=33;Command Timeout=44;Host Recheck Seconds=7", "n");

        var (ours, theirs) = (new NpgsqlConnectionStringBuilder(plain.ConnectionString),
            new NpgsqlConnectionStringBuilder(asked.ConnectionString));
        Assert.Equal((5, 20, 1), (ours.Timeout, ours.CommandTimeout, ours.HostRecheckSeconds));
        Assert.Equal((33, 44, 7), (theirs.Timeout, theirs.CommandTimeout, theirs.HostRecheckSeconds));
    }
}
