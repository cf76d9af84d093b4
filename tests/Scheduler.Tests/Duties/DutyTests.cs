using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Duties;

/// <summary>The receiving of a log: who does it, what is told of it, and what can be restored then.</summary>
public sealed class DutyTests(SchedulerDatabases databases)
{
    const string System = "7571234567890123456";
    static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    static async Task<(Fleet Fleet, HostId Host, ItemId Item)> Start(SchedulerDatabases databases)
    {
        var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await Protect(fleet, host);
        var init = await fleet.Lease(host);
        await fleet.Complete(host, init!, new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        await Base(fleet, host, 'a', "0/2000100", Now.AddHours(-5));
        return (fleet, host, (await fleet.OnlyItem()).Id);
    }

    static Task<Policy> Protect(Fleet fleet, HostId host) => fleet.Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
    {
        Items = [new NewItem(host, new SourceSpec { Kind = SourceKind.PostgreSql, PostgreSql = new PostgreSqlSpec { Log = new() } })],
        Spec = new PolicySpec { Rpo = TimeSpan.FromMinutes(5), Proof = new ProofSpec { DrillAfterFirst = false } },
    }, Fleet.NoStop);

    static Task Base(Fleet fleet, HostId host, char snapshot, string stop, DateTimeOffset at) => fleet.Finish(host, _ =>
    {
        var backup = Fleet.Backup(snapshot: snapshot);
        return backup with
        {
            Backup = backup.Backup! with
            {
                Cluster = new ClusterPoint
                {
                    SystemIdentifier = System,
                    ServerVersion = 150_000,
                    Timeline = 1,
                    StartLsn = stop,
                    StopLsn = stop,
                    StartedAt = at,
                    StoppedAt = at,
                    DataFolder = FilePath.FromText("/pg")
                },
            },
        };
    });

    static Task<DutiesAnswer> Ask(Fleet fleet, HostId host, string process, params DutyReport[] reports) => fleet.Get<TellDuties>().Handle(
        Caller.Agent(host), new DutiesRequest { Process = process, Reports = reports }, Fleet.NoStop);

    static LogReport Log(string begin, string stored, DateTimeOffset settled) => new()
    {
        IsReceiving = true,
        Slot = "backupdr_1",
        SystemIdentifier = System,
        Timeline = 1,
        Begin = begin,
        Received = stored,
        Stored = stored,
        SettledAt = settled,
    };

    static Task<ItemLog> Show(Fleet fleet, ItemId item)
        => fleet.Get<ShowItemLog>().Handle(TestNode.Admin, new ShowItemLogRequest(item), Fleet.NoStop);

    [Fact]
    public async Task One_process_at_a_time_has_a_duty_and_a_former_one_is_not_believed()
    {
        var (fleet, host, item) = await Start(databases);
        await using var ends = fleet;

        var first = Assert.Single((await Ask(fleet, host, "one")).Duties);
        Assert.NotNull(first.Repository?.Password);
        Assert.Empty((await Ask(fleet, host, "two")).Duties);
        var again = Assert.Single((await Ask(fleet, host, "one", new DutyReport(item, first.Epoch, first.Version))).Duties);
        Assert.Equal((first.Epoch, null, null), (again.Epoch, again.Repository, again.Source));   // a password crosses the wire once
        await fleet.Node.PassTime(TimeSpan.FromMinutes(1));
        var second = Assert.Single((await Ask(fleet, host, "two")).Duties);
        Assert.Equal(first.Epoch + 1, second.Epoch);
        await Ask(fleet, host, "one", new DutyReport(item, first.Epoch, first.Version, Log("0/2000000", "0/9000000", Now)));
        Assert.Empty((await Show(fleet, item)).Stretches);
        await Ask(fleet, host, "two", new DutyReport(item, second.Epoch, second.Version, Log("0/2000000", "0/3000000", Now)));
        Assert.Equal("0/3000000", Assert.Single((await Show(fleet, item)).Stretches).ToPosition);
    }

    [Fact]
    public async Task A_gap_is_kept_shown_and_closed_by_a_base_backup()
    {
        var (fleet, host, item) = await Start(databases);
        await using var ends = fleet;
        var duty = Assert.Single((await Ask(fleet, host, "one")).Duties);
        Task Tell(LogReport log) => Ask(fleet, host, "one", new DutyReport(item, duty.Epoch, duty.Version, log));

        await Tell(Log("0/2000000", "0/3000000", Now.AddHours(-4)));
        await Tell(Log("0/2000000", "0/5000000", Now.AddHours(-3)));
        await Tell(Log("0/4000000", "0/4800000", Now.AddHours(-4)));   // an agent that began again: nothing goes back
        Assert.Empty(await Waiting(fleet));
        Assert.Equal(Now.AddHours(-3), (await fleet.OnlyItem()).LogUntil!.Value, TimeSpan.FromMilliseconds(1));
        await Tell(Log("0/8000000", "0/9000000", Now.AddMinutes(-1)));
        Assert.Single(await Waiting(fleet));
        // Nothing leads into the new stretch yet.
        Assert.Equal(Now.AddHours(-3), (await fleet.OnlyItem()).LogUntil!.Value, TimeSpan.FromMilliseconds(1));
        await Base(fleet, host, 'b', "0/8800000", Now.AddHours(-1));

        var log = await Show(fleet, item);
        Assert.Equal([("0/5000000", false), ("0/9000000", true)], log.Stretches.Select(stretch => (stretch.ToPosition, stretch.IsOpen)));
        Assert.Equal(ItemState.Unproven, (await fleet.OnlyItem()).State);
        var refused = await Assert.ThrowsAsync<BadInputException>(() => Restore(fleet, item, Now.AddHours(-2)));
        Assert.Contains("lies in a gap of the log", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<BadInputException>(() => Restore(fleet, item, Now.AddHours(-6)));
        await Assert.ThrowsAsync<BadInputException>(() => Restore(fleet, item, Now));
        await Restore(fleet, item, Now.AddMinutes(-30));
        var run = await fleet.Lease(host);
        Assert.Equal((JobKind.Restore, System), (run!.Job.Kind, run.Job.Restore!.Cluster!.SystemIdentifier));
    }

    [Fact]
    public async Task The_log_of_a_MariaDB_server_goes_on_from_file_to_file_until_they_are_numbered_anew()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
        {
            Items = [new NewItem(host, new SourceSpec { Kind = SourceKind.MariaDb, MariaDb = new MariaDbSpec { Log = new() } })],
            Spec = new PolicySpec { Rpo = TimeSpan.FromMinutes(5), Proof = new ProofSpec { DrillAfterFirst = false } },
        }, Fleet.NoStop);
        await fleet.Complete(host, (await fleet.Lease(host))!,
            new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        await MariaDbBase(fleet, host, 'a', "bin.000001.1763700000:900", Now.AddHours(-5));
        var item = (await fleet.OnlyItem()).Id;
        var duty = Assert.Single((await Ask(fleet, host, "one")).Duties);
        Task Tell(string begin, string stored, DateTimeOffset settled) => Ask(fleet, host, "one", new DutyReport(item, duty.Epoch,
            duty.Version, Log(begin, stored, settled) with { SystemIdentifier = "db1:3306", Slot = "", Timeline = 0 }));

        await Tell("bin.000001.1763700000:4", "bin.000001.1763700000:1000", Now.AddHours(-4));
        await Tell("bin.000001.1763700000:4", "bin.000010.1763700100:200", Now.AddHours(-3));
        Assert.Empty(await Waiting(fleet));
        await Tell("bin.000001.1763700900:4", "bin.000001.1763700900:500", Now.AddMinutes(-10));   // RESET MASTER
        Assert.Single(await Waiting(fleet));
        await MariaDbBase(fleet, host, 'b', "bin.000001.1763700900:400", Now.AddHours(-1));

        Assert.Equal(["bin.000010.1763700100:200", "bin.000001.1763700900:500"], (await Show(fleet, item)).Stretches.Select(stretch
            => stretch.ToPosition));
        await Assert.ThrowsAsync<BadInputException>(() => Restore(fleet, item, Now.AddHours(-2)));
        var at = Now.AddMinutes(-30);
        await Restore(fleet, item, at);
        var job = (await fleet.Lease(host))!.Job.Restore!.MariaDb!;
        Assert.Equal(("db1:3306", DateTimeOffset.FromUnixTimeSeconds(at.ToUnixTimeSeconds())), (job.Server, job.Moment!.Time));
        foreach (var moment in (Moment[])[new() { Kind = MomentKind.Position, Position = "0/4140DE0" },
            new() { Kind = MomentKind.Transaction, Transaction = 7 }, new() { Kind = MomentKind.Gtid, Gtid = "0-1" }])
            await Assert.ThrowsAsync<BadInputException>(() => fleet.Get<RestoreMoment>().Handle(TestNode.Admin,
                new RestoreMomentRequest { Item = item, Moment = moment }, Fleet.NoStop));
        await Assert.ThrowsAsync<BadInputException>(() => fleet.Get<RestoreMoment>().Handle(TestNode.Admin, new RestoreMomentRequest
        {
            Item = item,
            Moment = new Moment { Kind = MomentKind.Latest },
            Table = new DatabaseTable("shop", ""),
        }, Fleet.NoStop));
    }

    static Task MariaDbBase(Fleet fleet, HostId host, char snapshot, string position, DateTimeOffset at) => fleet.Finish(host, _ =>
    {
        var backup = Fleet.Backup(snapshot: snapshot);
        return backup with
        {
            Backup = backup.Backup! with
            {
                MariaDb = new MariaDbPoint
                {
                    Server = "db1:3306",
                    ServerVersion = "10.11.19-MariaDB-log",
                    DataFolder = FilePath.FromText("/var/lib/mysql"),
                    StartedAt = at,
                    StoppedAt = at,
                    Position = position,
                },
            },
        };
    });

    [Fact]
    public async Task What_is_retired_is_to_be_ended_until_it_was()
    {
        var (fleet, host, item) = await Start(databases);
        await using var ends = fleet;
        await Ask(fleet, host, "one");
        var twice = await Assert.ThrowsAsync<ConflictException>(() => Protect(fleet, host));
        Assert.Equal("policy.log_received", twice.Code);
        await fleet.Get<RemovePolicy>().Handle(TestNode.Admin, new RemovePolicyRequest((await fleet.OnlyItem()).Policy), Fleet.NoStop);

        var ending = Assert.Single((await Ask(fleet, host, "one")).Duties);
        Assert.Equal((true, null), (ending.IsEnding, ending.Repository));
        Assert.True(Assert.Single((await Ask(fleet, host, "one")).Duties).IsEnding);
        await fleet.Get<TellDuties>().Handle(Caller.Agent(host), new DutiesRequest { Process = "one", Ended = [item] }, Fleet.NoStop);
        Assert.Empty((await Ask(fleet, host, "one")).Duties);
    }

    static async Task<IReadOnlyList<Run>> Waiting(Fleet fleet)
        => [.. (await fleet.Runs(JobKind.Backup)).Where(run => run.State == RunState.Queued)];

    static Task<RunStarted> Restore(Fleet fleet, ItemId item, DateTimeOffset at) => fleet.Get<RestoreMoment>().Handle(TestNode.Admin,
        new RestoreMomentRequest { Item = item, Moment = new Moment { Kind = MomentKind.Time, Time = at } }, Fleet.NoStop);
}
