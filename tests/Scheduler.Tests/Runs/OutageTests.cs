using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using Npgsql;

namespace BackupDr.Scheduler.Tests.Runs;

/// <summary>A database that is away pauses leases, it does not end them.</summary>
public sealed class OutageTests(SchedulerDatabases databases)
{
    static readonly TimeSpan PastLease = TimeSpan.FromSeconds(31), LongAway = TimeSpan.FromSeconds(40);

    [Fact]
    public async Task A_lease_that_would_have_ended_during_an_outage_gets_its_time_once_more()
    {
        await using var away = await DatabaseAway.Begin(databases);

        Assert.True(Outage.Is((await Record.ExceptionAsync(() => away.Expiry.Run(Fleet.NoStop)))!));
        var early = Assert.Throws<UnavailableException>(away.Expiry.MustKnow);
        await away.Fleet.Node.PassTime(PastLease);
        away.End(after: LongAway);
        var ended = await away.Expiry.Run(Fleet.NoStop);
        away.Expiry.MustKnow();
        await away.Fleet.Report(away.Host, away.Run);
        await away.Fleet.Node.PassTime(PastLease);
        var endedLater = await away.Expiry.Run(Fleet.NoStop);

        Assert.Equal("database.unavailable", early.Code);
        Assert.Equal((0, 1), (ended, endedLater));
        Assert.Contains(await away.Fleet.Log(away.Run.RunId), line => line.Code == "run.lease_paused");
    }

    [Fact]
    public async Task A_lease_that_ended_before_the_outage_is_not_prolonged()
    {
        await using var away = await DatabaseAway.Begin(databases);

        await away.Fleet.Node.PassTime(PastLease + TimeSpan.FromMinutes(1));
        Assert.NotNull(await Record.ExceptionAsync(() => away.Expiry.Run(Fleet.NoStop)));
        away.End(after: TimeSpan.FromSeconds(10));

        Assert.Equal(1, await away.Expiry.Run(Fleet.NoStop));
        Assert.Equal(RunState.Queued, (await away.Fleet.Show(away.Run.RunId)).State);
    }

    /// <summary>A run under a lease, and the part of a node that ends leases, from which the database is away.</summary>
    sealed class DatabaseAway : IAsyncDisposable
    {
        readonly CommitCutter _cutter;
        readonly NpgsqlDataSource _source;
        readonly SteppedTime _clock = new();
        bool _isOver;

        DatabaseAway(Fleet fleet, HostId host, LeasedRun run)
        {
            (Fleet, Host, Run) = (fleet, host, run);
            var server = new NpgsqlConnectionStringBuilder(fleet.Node.ConnectionString);
            _cutter = new CommitCutter(server.Host!, server.Port, () => _isOver ? null : Cut.Before);
            server.Port = _cutter.Port;
            _source = DataSource.Open(server.ConnectionString, "test");
            Expiry = new LeaseExpiry(new Postgres(_source), _clock);
        }

        public Fleet Fleet { get; }
        public HostId Host { get; }
        public LeasedRun Run { get; }
        public LeaseExpiry Expiry { get; }

        public static async Task<DatabaseAway> Begin(SchedulerDatabases databases)
        {
            var fleet = await Fleet.Start(databases);
            var host = await fleet.AddHost();
            await fleet.ProtectReady(host, "/srv/data");
            return new DatabaseAway(fleet, host, (await fleet.Lease(host))!);
        }

        /// <summary>It is there again; the node's own clock went on meanwhile.</summary>
        public void End(TimeSpan after)
        {
            _clock.Advance(after);
            _isOver = true;
        }

        public async ValueTask DisposeAsync()
        {
            await _source.DisposeAsync();
            await _cutter.DisposeAsync();
            await Fleet.DisposeAsync();
        }
    }
}
