using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Placement;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runs;

/// <summary>Repository work goes to movers, where any machine can do it.</summary>
public sealed class PlacementTests(SchedulerDatabases databases)
{
    static async Task<HostId> AddMover(Fleet fleet, string name)
    {
        var host = await fleet.AddHost(name);
        await fleet.Node.Db.Execute("update host set is_mover = true where id = $1", [host], Fleet.NoStop);
        return host;
    }

    /// <summary>A repository in a bucket, as far as the database knows, with checks that wait.</summary>
    static async Task<HostId> ProtectInBucket(Fleet fleet, int number)
    {
        var host = await fleet.AddHost($"web-{number}");
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup(snapshot: (char)('a' + number)));
        while (await fleet.Lease(host) is { } other) await fleet.Complete(host, other, Fleet.Drill(ProofResult.Proven));
        return host;
    }

    static Task InBucket(Fleet fleet) => fleet.Node.Db.Execute("update location set kind = 'Gateway'", [], Fleet.NoStop);

    static async Task Check(Fleet fleet)
    {
        foreach (var repository in await fleet.Node.Db.Query("select id from repository order by id", [], row => row.Id<RepositoryId>(0),
            Fleet.NoStop))
            await fleet.Get<StartUpkeep>().Handle(TestNode.Admin, new StartUpkeepRequest(repository, JobKind.Check),
                Fleet.NoStop);
    }

    static JobResult Checked => new() { Outcome = JobOutcome.Complete, Check = new CheckResult { Errors = [] } };

    [Fact]
    public async Task Checks_are_shared_by_the_movers_and_stay_where_only_one_machine_can_make_them()
    {
        await using var fleet = await Fleet.Start(databases);
        var hosts = new List<HostId>();
        for (var number = 1; number <= 4; number++) hosts.Add(await ProtectInBucket(fleet, number));
        var (one, two) = (await AddMover(fleet, "mover-1"), await AddMover(fleet, "mover-2"));
        await Check(fleet);

        Assert.Null(await fleet.Lease(one));   // folders: each host's own
        await InBucket(fleet);
        var first = new[] { await fleet.Lease(one), await fleet.Lease(one) };
        var second = new[] { await fleet.Lease(two), await fleet.Lease(two) };

        Assert.All(first.Concat(second), run => Assert.Equal(JobKind.Check, run!.Job.Kind));
        Assert.Equal(4, first.Concat(second).Select(run => run!.RunId).Distinct().Count());
        foreach (var host in hosts) Assert.Null(await fleet.Lease(host));
        Assert.Contains(await fleet.Log(first[0]!.RunId), line => line.Code == "run.placed");
    }

    [Fact]
    public async Task A_host_leaves_its_repository_work_to_a_mover_that_is_free_and_does_what_is_more()
    {
        await using var fleet = await Fleet.Start(databases);
        var hosts = new List<HostId>();
        for (var number = 1; number <= MoverPlacement.MostHeld + 1; number++) hosts.Add(await ProtectInBucket(fleet, number));
        await InBucket(fleet);
        var mover = await AddMover(fleet, "mover-1");
        Assert.Null(await fleet.Lease(mover));   // it is there, and has nothing to do
        await Check(fleet);

        foreach (var host in hosts.Take(MoverPlacement.MostHeld)) Assert.Null(await fleet.Lease(host));
        Assert.Equal(JobKind.Check, (await fleet.Lease(hosts[^1]))?.Job.Kind);
        for (var at = 0; at < MoverPlacement.MostHeld; at++) Assert.Equal(JobKind.Check, (await fleet.Lease(mover))?.Job.Kind);
        Assert.Null(await fleet.Lease(mover));
    }

    [Fact]
    public async Task What_a_mover_had_that_fell_silent_goes_to_another_and_without_movers_hosts_do_their_own()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await ProtectInBucket(fleet, 1);
        await InBucket(fleet);
        await Check(fleet);
        var own = (await fleet.Lease(host))!;
        Assert.Equal(JobKind.Check, own.Job.Kind);
        await fleet.Complete(host, own, Checked);

        var (one, two) = (await AddMover(fleet, "mover-1"), await AddMover(fleet, "mover-2"));
        await Check(fleet);
        await fleet.Node.Db.Execute("update run set host_id = $1 where state = 'Queued'", [one], Fleet.NoStop);
        Assert.Null(await fleet.Lease(two));   // the other one is well, and will take it
        await fleet.Node.PassTime(MoverPlacement.Out + TimeSpan.FromSeconds(1));

        Assert.Equal(JobKind.Check, (await fleet.Lease(two))?.Job.Kind);
    }

    [Fact]
    public async Task What_movers_had_goes_back_to_the_hosts_when_the_last_of_them_left()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, other) = (await ProtectInBucket(fleet, 1), await ProtectInBucket(fleet, 2));
        await InBucket(fleet);
        var (one, two) = (await AddMover(fleet, "mover-1"), await AddMover(fleet, "mover-2"));
        await Check(fleet);
        await fleet.Node.Db.Execute("update run set host_id = $1 where state = 'Queued'", [one], Fleet.NoStop);
        await fleet.Node.PassTime(MoverPlacement.Out + TimeSpan.FromSeconds(1));
        await fleet.Node.Db.Execute("update host set last_seen_at = clock() where id = $1", [two], Fleet.NoStop);

        Assert.Null(await fleet.Lease(host));   // another mover is there, and will take it
        await fleet.Node.Db.Execute("update host set retired_at = clock() where id = $1", [two], Fleet.NoStop);
        var (own, others) = (await fleet.Lease(host), await fleet.Lease(other));

        Assert.Equal((JobKind.Check, JobKind.Check), (own?.Job.Kind, others?.Job.Kind));
        Assert.NotEqual(own!.RunId, others!.RunId);
        Assert.Contains(await fleet.Log(own.RunId),
            line => line.Code == "run.placed" && line.Text.Contains("no mover", StringComparison.Ordinal));
        Assert.Null(await fleet.Lease(host));
    }
}
