using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Policies;

public sealed class FiringTests(SchedulerDatabases databases)
{
    static readonly DateTimeOffset Nominal = new(2026, 11, 21, 2, 30, 0, TimeSpan.Zero);

    static Task<RunsStarted> Fire(Fleet fleet, PolicyId policy, DateTimeOffset at)
        => fleet.Get<FirePolicy>().Handle(Caller.System("schedule"), policy, at, Fleet.NoStop);

    static async Task<(Fleet Fleet, HostId Host, Policy Policy)> Idle(SchedulerDatabases databases)
    {
        var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        return (fleet, host, policy);
    }

    [Fact]
    public async Task A_firing_that_comes_on_several_nodes_at_once_and_again_later_makes_one_run()
    {
        var (fleet, host, policy) = await Idle(databases);
        await using var _ = fleet;

        var fired = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Fire(fleet, policy.Id, Nominal)));
        await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'b'));
        var late = await Fire(fleet, policy.Id, Nominal);

        Assert.Single(fired.SelectMany(started => started.Runs));
        Assert.Empty(late.Runs);
        Assert.Single(await fleet.Runs(JobKind.Backup), run => run.NominalAt == Nominal);
    }

    [Fact]
    public async Task A_firing_during_an_unfinished_backup_makes_no_run_and_says_so_in_its_log()
    {
        var (fleet, _, policy) = await Idle(databases);
        await using var _ = fleet;
        var busy = Assert.Single((await Fire(fleet, policy.Id, Nominal)).Runs);

        var next = await Fire(fleet, policy.Id, Nominal.AddDays(1));
        await Fire(fleet, policy.Id, Nominal);   // its own firing again says nothing

        Assert.Empty(next.Runs);
        Assert.Single(await fleet.Log(busy), line => line.Code == "run.coalesced");
    }

    [Fact]
    public async Task A_paused_policy_fires_nothing_until_it_is_resumed()
    {
        var (fleet, _, policy) = await Idle(databases);
        await using var _ = fleet;

        await fleet.Get<PausePolicy>().Handle(TestNode.Admin, new PausePolicyRequest(policy.Id, "the host moves"), Fleet.NoStop);
        var paused = await Fire(fleet, policy.Id, Nominal);
        await fleet.Get<ResumePolicy>().Handle(TestNode.Admin, new ResumePolicyRequest(policy.Id), Fleet.NoStop);
        var resumed = await Fire(fleet, policy.Id, Nominal);

        Assert.Empty(paused.Runs);
        Assert.Single(resumed.Runs);
    }

    [Fact]
    public async Task A_removed_policy_fires_nothing_and_its_points_stay()
    {
        var (fleet, _, policy) = await Idle(databases);
        await using var _ = fleet;

        await fleet.Get<RemovePolicy>().Handle(TestNode.Admin, new RemovePolicyRequest(policy.Id), Fleet.NoStop);

        Assert.Empty((await Fire(fleet, policy.Id, Nominal)).Runs);
        Assert.Equal(1, await fleet.Node.Db.Scalar<long>("select count(*) from recovery_point", [], Fleet.NoStop));
    }

    [Fact]
    public async Task A_policy_asked_for_twice_with_one_id_is_made_once()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var first = await fleet.Protect(host, "/srv/data");
        var request = new CreatePolicyRequest { Id = first.Id, Items = [new NewItem(host, first.Items[0].Source)] };

        var second = await fleet.Get<CreatePolicy>().Handle(TestNode.Admin, request, Fleet.NoStop);

        Assert.Equal((first.Id, first.Items[0].Id), (second.Id, Assert.Single(second.Items).Id));
        Assert.Single(await fleet.Runs(JobKind.Backup));
    }
}
