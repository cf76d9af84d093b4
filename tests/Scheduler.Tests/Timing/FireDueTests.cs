using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.Scheduler.Timing;

namespace BackupDr.Scheduler.Tests.Timing;

public sealed class FireDueTests(SchedulerDatabases databases)
{
    static async Task<(Fleet Fleet, PolicyId Policy)> Hourly(SchedulerDatabases databases)
    {
        var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        var minute = (await Now(fleet)).Minute;
        await fleet.Node.PassTime(TimeSpan.FromMinutes((90 - minute) % 60));   // half past
        await fleet.Get<EditPolicy>().Handle(TestNode.Admin, new EditPolicyRequest(policy.Id, "Hourly", new PolicySpec
        {
            Schedule = new ScheduleSpec { Every = TimeSpan.FromHours(1), Spread = TimeSpan.Zero },
        }), Fleet.NoStop);
        return (fleet, policy.Id);
    }

    static Task<int> Look(Fleet fleet) => fleet.Get<FireDue>().Run(Fleet.NoStop);

    static Task<DateTimeOffset> Now(Fleet fleet) => fleet.Node.Db.Scalar<DateTimeOffset>("select clock()", [], Fleet.NoStop);

    static Task<List<DateTimeOffset>> Fired(Fleet fleet)
        => fleet.Node.Db.Query("select nominal_at from firing order by nominal_at", [], row => row.Time(0), Fleet.NoStop);

    [Fact]
    public async Task A_policy_fires_nothing_of_the_time_before_its_schedule_and_one_run_for_all_that_passed_since()
    {
        var (fleet, _) = await Hourly(databases);
        await using var _1 = fleet;

        var fresh = await Look(fleet);
        await fleet.Node.PassTime(TimeSpan.FromHours(5));
        var looks = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Look(fleet)));
        var again = await Look(fleet);

        Assert.Equal((0, 0), (fresh, again));
        Assert.Contains(1, looks);
        var run = Assert.Single(await fleet.Runs(JobKind.Backup), run => run.NominalAt is not null);
        Assert.StartsWith("Makes up for 5 times", run.Note, StringComparison.Ordinal);
        Assert.Single(await Fired(fleet));
    }

    [Fact]
    public async Task A_clock_that_jumps_forward_and_back_fires_each_time_once_and_loses_none()
    {
        var (fleet, _) = await Hourly(databases);
        await using var _1 = fleet;
        var first = await Now(fleet);

        double[] steps = [1, 1, 3, -3, 0.3, -0.2, 0.9, 1, -1, 1, 1, 1, 1];
        foreach (var hours in steps)
        {
            await fleet.Node.PassTime(TimeSpan.FromHours(hours));
            await Look(fleet);
        }

        var hour = TimeSpan.FromHours(1);
        var next = new DateTimeOffset(first.UtcTicks - first.UtcTicks % hour.Ticks, TimeSpan.Zero) + hour;
        var wanted = new List<DateTimeOffset>();
        for (var at = next; at <= await Now(fleet); at += hour) wanted.Add(at);
        Assert.Equal(wanted, await Fired(fleet));
    }

    [Fact]
    public async Task A_node_whose_clock_is_far_ahead_is_not_believed_and_one_that_is_a_little_ahead_is()
    {
        var (fleet, policy) = await Hourly(databases);
        await using var _ = fleet;
        var hour = TimeSpan.FromHours(1);
        var now = await Now(fleet);
        var next = new DateTimeOffset(now.UtcTicks - now.UtcTicks % hour.Ticks, TimeSpan.Zero) + hour;
        await fleet.Node.PassTime(next - now - TimeSpan.FromSeconds(25));

        await fleet.Get<FireDue>().Tell(policy, next.AddMinutes(2), Fleet.NoStop);
        var unbelieved = await Fired(fleet);
        await fleet.Get<FireDue>().Tell(policy, next, Fleet.NoStop);

        Assert.Empty(unbelieved);
        Assert.Equal([next], await Fired(fleet));
    }

    [Fact]
    public async Task Neither_a_pause_nor_a_new_interval_is_made_up_for()
    {
        var (fleet, policy) = await Hourly(databases);
        await using var _ = fleet;
        await fleet.Get<PausePolicy>().Handle(TestNode.Admin, new PausePolicyRequest(policy, "a test"), Fleet.NoStop);
        await fleet.Node.PassTime(TimeSpan.FromHours(5));
        var paused = await Look(fleet);

        await fleet.Get<ResumePolicy>().Handle(TestNode.Admin, new ResumePolicyRequest(policy), Fleet.NoStop);
        var resumed = await Look(fleet);
        await fleet.Get<EditPolicy>().Handle(TestNode.Admin, new EditPolicyRequest(policy, "Hourly", new PolicySpec
        {
            Schedule = new ScheduleSpec { Every = TimeSpan.FromMinutes(15) },
        }), Fleet.NoStop);
        var edited = await Look(fleet);

        Assert.Equal((0, 0, 0), (paused, resumed, edited));
    }
}
