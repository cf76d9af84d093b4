using BackupDr.Contracts;
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
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = (await fleet.Lease(host))!;
        var server = new NpgsqlConnectionStringBuilder(fleet.Node.ConnectionString);
        var isAway = true;
        await using var cutter = new CommitCutter(server.Host!, server.Port, () => isAway ? Cut.Before : null);
        server.Port = cutter.Port;
        await using var source = DataSource.Open(server.ConnectionString, "test");
        var clock = new SteppedTime();
        var expiry = new LeaseExpiry(new Postgres(source), clock);

        Assert.True(Outage.Is((await Record.ExceptionAsync(() => expiry.Run(Fleet.NoStop)))!));
        var early = Assert.Throws<UnavailableException>(expiry.MustKnow);
        await fleet.Node.PassTime(PastLease);
        clock.Advance(LongAway);
        isAway = false;
        var ended = await expiry.Run(Fleet.NoStop);
        expiry.MustKnow();
        await fleet.Report(host, run);
        await fleet.Node.PassTime(PastLease);
        var endedLater = await expiry.Run(Fleet.NoStop);

        Assert.Equal("database.unavailable", early.Code);
        Assert.Equal((0, 1), (ended, endedLater));
        Assert.Contains(await fleet.Log(run.RunId), line => line.Code == "run.lease_paused");
    }

    [Fact]
    public async Task A_lease_that_ended_before_the_outage_is_not_prolonged()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = (await fleet.Lease(host))!;
        var server = new NpgsqlConnectionStringBuilder(fleet.Node.ConnectionString);
        var isAway = true;
        await using var cutter = new CommitCutter(server.Host!, server.Port, () => isAway ? Cut.Before : null);
        server.Port = cutter.Port;
        await using var source = DataSource.Open(server.ConnectionString, "test");
        var clock = new SteppedTime();
        var expiry = new LeaseExpiry(new Postgres(source), clock);

        await fleet.Node.PassTime(PastLease + TimeSpan.FromMinutes(1));
        Assert.NotNull(await Record.ExceptionAsync(() => expiry.Run(Fleet.NoStop)));
        clock.Advance(TimeSpan.FromSeconds(10));
        isAway = false;

        Assert.Equal(1, await expiry.Run(Fleet.NoStop));
        Assert.Equal(RunState.Queued, (await fleet.Show(run.RunId)).State);
    }
}
