using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runs;

public sealed class CapTests(SchedulerDatabases databases)
{
    /// <summary>Hosts that each back one folder up into one location, all waiting to start.</summary>
    static async Task<(LocationId Location, List<HostId> Hosts)> Shared(Fleet fleet, int hosts)
    {
        var location = await fleet.Get<CreateLocation>().Handle(TestNode.Admin,
            new CreateLocationRequest { Name = "Shared", Path = FilePath.FromText("/srv/shared") }, Fleet.NoStop);
        var all = new List<HostId>();
        for (var number = 0; number < hosts; number++)
        {
            var host = await fleet.AddHost($"web-{number}");
            all.Add(host);
            await fleet.Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
            {
                Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv")] } })],
                Location = location.Id,
                Spec = new PolicySpec { Proof = new ProofSpec { DrillAfterFirst = false } },
            }, Fleet.NoStop);
            await fleet.Finish(host, _ => new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        }
        return (location.Id, all);
    }

    static Task Cap(Fleet fleet, LocationId location, int? count) => fleet.Get<SetLocationBackupsAtOnce>().Handle(TestNode.Admin,
        new SetLocationBackupsAtOnceRequest(location, count), Fleet.NoStop);

    static async Task<LeasedRun?> Lease(TestNode node, HostId host) => (await node.Get<LeaseRun>().Handle(Caller.Agent(host),
        new LeaseRequest { Slots = 1, WaitSeconds = 0 }, Fleet.NoStop)).Run;

    [Fact]
    public async Task Two_nodes_that_hand_out_runs_at_once_never_exceed_the_cap_of_a_location()
    {
        const int Most = 3, Hosts = 12;
        await using var fleet = await Fleet.Start(databases);
        await using var second = await TestNode.Start(databases, shared: fleet.Node);
        var (location, hosts) = await Shared(fleet, Hosts);
        await Cap(fleet, location, Most);

        var (done, rounds) = (0, 0);
        for (; done < Hosts && rounds < 40; rounds++)
        {
            var leases = await Task.WhenAll(hosts.Select(async (host, at) => (Host: host,
                Run: await Lease(at % 2 == 0 ? fleet.Node : second, host))));
            var taken = leases.Where(lease => lease.Run is not null).ToList();
            Assert.InRange(taken.Count, 0, Most);
            foreach (var (host, run) in taken) await fleet.Complete(host, run!, Fleet.Backup());
            done += taken.Count;
        }

        Assert.Equal(Hosts, done);
    }

    [Fact]
    public async Task What_waits_for_a_cap_says_so_and_its_host_is_woken_when_there_is_room()
    {
        await using var fleet = await Fleet.Start(databases);
        var (location, hosts) = await Shared(fleet, 3);
        await Cap(fleet, location, 1);
        var first = await fleet.Lease(hosts[0]);

        var none = await fleet.Lease(hosts[1]);
        var waiting = Assert.Single(await fleet.Runs(JobKind.Backup), run => run.Host == hosts[1]);
        using var told = fleet.Get<BackupDr.Scheduler.Database.Notifications>().ListenHost(hosts[1]);
        await fleet.Complete(hosts[0], first!, Fleet.Backup());
        await told.Wait(TimeSpan.FromSeconds(60), Fleet.NoStop);

        Assert.Null(none);
        Assert.Equal("room in Shared: 1 run already writes there; the cap is 1", waiting.WaitsFor);
        Assert.NotNull(await fleet.Lease(hosts[1]));
        await Cap(fleet, location, null);
        Assert.NotNull(await fleet.Lease(hosts[2]));
    }

    [Fact]
    public async Task A_host_with_a_cap_of_one_takes_one_backup_at_a_time()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/a", "/srv/b");
        await fleet.Get<SetHostBackupsAtOnce>().Handle(TestNode.Admin, new SetHostBackupsAtOnceRequest(host, 1), Fleet.NoStop);

        var leases = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => fleet.Lease(host)));
        var waiting = Assert.Single(await fleet.Runs(JobKind.Backup), run => run.State == RunState.Queued);

        Assert.Single(leases, lease => lease is not null);
        Assert.Equal("a backup on web-1 to end: 1 is under way there; the cap is 1", waiting.WaitsFor);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task A_number_that_no_agent_could_reach_is_refused(int count)
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();

        var e = await Assert.ThrowsAsync<BadInputException>(() => fleet.Get<SetHostBackupsAtOnce>().Handle(TestNode.Admin,
            new SetHostBackupsAtOnceRequest(host, count), Fleet.NoStop));

        Assert.Equal(("count", "Write 1 or 2."), (e.Field, e.Hint));
    }
}
