using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Policies;

public sealed class StartTests(SchedulerDatabases databases)
{
    /// <summary>A policy with one item, backed up and proven once, and this schedule from now on.</summary>
    static async Task<(Fleet Fleet, HostId Host, PolicyId Policy)> Idle(SchedulerDatabases databases, ScheduleSpec schedule)
    {
        var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        await Edit(fleet, policy.Id, schedule);
        return (fleet, host, policy.Id);
    }

    static Task<Policy> Edit(Fleet fleet, PolicyId policy, ScheduleSpec schedule) => fleet.Get<EditPolicy>().Handle(TestNode.Admin,
        new EditPolicyRequest(policy, "Some policy", new PolicySpec { Schedule = schedule }), Fleet.NoStop);

    static Task<DateTimeOffset> Now(Fleet fleet) => fleet.Node.Db.Scalar<DateTimeOffset>("select clock()", [], Fleet.NoStop);

    static Task<RunsStarted> Fire(Fleet fleet, PolicyId policy, DateTimeOffset at)
        => fleet.Get<FirePolicy>().Handle(Caller.System("schedule"), policy, at, Fleet.NoStop);

    /// <summary>A window that opens and closes so many hours from now.</summary>
    static ScheduleSpec Window(double opens, double closes) => new()
    {
        Spread = TimeSpan.Zero,
        Windows = [new WindowSpec { From = Clock(opens), To = Clock(closes) }],
    };

    static string Clock(double hoursFromNow)
        => TimeProvider.System.GetUtcNow().AddHours(hoursFromNow).ToString("HH:mm", CultureInfo.InvariantCulture);

    [Fact]
    public async Task A_firing_outside_of_the_window_waits_for_it_and_later_ones_join_it()
    {
        var schedule = Window(2, 6);
        var (fleet, host, policy) = await Idle(databases, schedule);
        await using var _ = fleet;
        var nominal = await Now(fleet);

        var run = Assert.Single((await Fire(fleet, policy, nominal)).Runs);
        var waiting = await fleet.Show(run);
        var early = await fleet.Lease(host);
        var later = await Fire(fleet, policy, nominal.AddHours(1));
        await fleet.Node.PassTime(TimeSpan.FromHours(2));
        var taken = await fleet.Lease(host);

        Assert.Equal($"window {schedule.Windows[0].From} UTC", waiting.WaitsFor);
        Assert.InRange(waiting.NotBefore!.Value, nominal.AddHours(1.9), nominal.AddHours(2.1));
        Assert.Null(early);
        Assert.Empty(later.Runs);
        Assert.Equal(run, taken!.RunId);
        Assert.Single(await fleet.Log(run), line => line.Code == "run.coalesced");
        Assert.Null((await fleet.Show(run)).WaitsFor);
    }

    [Fact]
    public async Task A_run_whose_host_comes_back_after_the_closing_waits_for_the_next_opening()
    {
        var (fleet, host, policy) = await Idle(databases, Window(-1, 1));
        await using var _ = fleet;
        var run = Assert.Single((await Fire(fleet, policy, await Now(fleet))).Runs);

        await fleet.Node.PassTime(TimeSpan.FromHours(2));
        var closed = await fleet.Lease(host);
        var waiting = await fleet.Show(run);
        await fleet.Node.PassTime(TimeSpan.FromHours(22));
        var open = await fleet.Lease(host);

        Assert.Null(closed);
        Assert.StartsWith("window ", waiting.WaitsFor, StringComparison.Ordinal);
        Assert.Single(await fleet.Log(run), line => line.Code == "run.held");
        Assert.Equal(run, open!.RunId);
    }

    [Fact]
    public async Task What_an_agent_has_begun_goes_on_after_the_closing_also_on_the_next_try()
    {
        var (fleet, host, policy) = await Idle(databases, Window(-1, 1));
        await using var _ = fleet;
        var run = Assert.Single((await Fire(fleet, policy, await Now(fleet))).Runs);
        await fleet.Lease(host);

        await fleet.PassAndExpire(TimeSpan.FromHours(2));
        await fleet.Node.PassTime(TimeSpan.FromMinutes(3));
        var again = await fleet.Lease(host);

        Assert.Equal((run, 2), (again!.RunId, again.Epoch));
    }

    [Fact]
    public async Task A_person_may_start_a_run_inside_a_blackout_and_it_is_said()
    {
        var (fleet, host, policy) = await Idle(databases, Window(-1, 2) with
        {
            Blackouts = [new BlackoutSpec { From = Clock(-0.5), To = Clock(1), Why = "inventory" }],
        });
        await using var _ = fleet;

        var held = Assert.Single((await Fire(fleet, policy, await Now(fleet))).Runs);
        var started = await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy), Fleet.NoStop);
        var taken = await fleet.Lease(host);

        Assert.StartsWith("the end of the blackout 'inventory', ", (await fleet.Show(held)).WaitsFor, StringComparison.Ordinal);
        Assert.Contains("outside of the policy's hours", started.Note, StringComparison.Ordinal);
        Assert.Equal(Assert.Single(started.Runs), taken!.RunId);
        Assert.Equal(started.Note, (await fleet.Show(taken.RunId)).Note);
    }

    [Fact]
    public async Task Where_what_was_missed_is_skipped_a_late_run_ends_and_the_next_one_is_made()
    {
        var (fleet, host, policy) = await Idle(databases, new ScheduleSpec { Spread = TimeSpan.Zero, CatchUp = CatchUp.Skip });
        await using var _ = fleet;
        var now = await Now(fleet);

        var old = Assert.Single((await Fire(fleet, policy, now.AddHours(-3))).Runs);   // while no node ran
        var away = Assert.Single((await Fire(fleet, policy, now)).Runs);               // while the host is away
        await fleet.Node.PassTime(TimeSpan.FromHours(24));
        var next = Assert.Single((await Fire(fleet, policy, now.AddHours(24))).Runs);
        var taken = await fleet.Lease(host);

        foreach (var missed in (RunId[])[old, away])
        {
            var run = await fleet.Show(missed);
            Assert.Equal(RunState.Cancelled, run.State);
            Assert.StartsWith("Skipped: ", run.Note, StringComparison.Ordinal);
            Assert.Single(await fleet.Log(missed), line => line.Code == "run.skipped");
        }
        Assert.Equal(next, taken!.RunId);
    }

    [Fact]
    public async Task One_run_makes_up_for_what_a_host_missed_and_says_how_late_it_is()
    {
        var (fleet, host, policy) = await Idle(databases, new ScheduleSpec { Spread = TimeSpan.Zero });
        await using var _ = fleet;
        var now = await Now(fleet);
        var run = Assert.Single((await Fire(fleet, policy, now)).Runs);

        for (var day = 1; day <= 3; day++)
        {
            await fleet.Node.PassTime(TimeSpan.FromHours(24));
            Assert.Empty((await Fire(fleet, policy, now.AddDays(day))).Runs);
        }
        var taken = await fleet.Lease(host);

        Assert.Equal(run, taken!.RunId);
        Assert.StartsWith("Began 3 d late", (await fleet.Show(run)).Note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pausing_takes_what_waits_out_of_the_queue()
    {
        var (fleet, host, policy) = await Idle(databases, Window(2, 3));
        await using var _ = fleet;
        var run = Assert.Single((await Fire(fleet, policy, await Now(fleet))).Runs);

        await fleet.Get<PausePolicy>().Handle(TestNode.Admin, new PausePolicyRequest(policy, "the host moves"), Fleet.NoStop);
        await fleet.Node.PassTime(TimeSpan.FromHours(2.5));

        Assert.Null(await fleet.Lease(host));
        Assert.Equal(RunState.Cancelled, (await fleet.Show(run)).State);
    }

    [Fact]
    public async Task Another_schedule_gives_what_waits_another_start()
    {
        var (fleet, host, policy) = await Idle(databases, Window(2, 3));
        await using var _ = fleet;
        var run = Assert.Single((await Fire(fleet, policy, await Now(fleet))).Runs);

        await Edit(fleet, policy, new ScheduleSpec { Spread = TimeSpan.Zero });

        Assert.Equal(run, (await fleet.Lease(host))!.RunId);
    }

    [Fact]
    public async Task Items_start_at_their_own_places_in_the_spread_which_the_run_says()
    {
        var (fleet, host, policy) = await Idle(databases, new ScheduleSpec { Spread = TimeSpan.FromHours(12) });
        await using var _ = fleet;
        var nominal = (await Now(fleet)).AddMinutes(1);
        var item = (await fleet.OnlyItem()).Id;

        var run = await fleet.Show(Assert.Single((await Fire(fleet, policy, nominal)).Runs));

        Assert.Equal(nominal + BackupDr.Contracts.Rules.Calendar.StartTimes.Shift(item, TimeSpan.FromHours(12)), run.NotBefore);
        Assert.Contains("spreads its starts over 12 h", run.WaitsFor, StringComparison.Ordinal);
        Assert.Null(await fleet.Lease(host));
    }

    [Theory]
    [InlineData("windows", "22:00", "22:00-24:00")]
    [InlineData("windows", "25:00", "")]
    public async Task Hours_that_cannot_be_are_refused_with_their_field(string field, string from, string blackout)
    {
        var (fleet, _, policy) = await Idle(databases, new ScheduleSpec());
        await using var _1 = fleet;

        var e = await Assert.ThrowsAsync<BadInputException>(() => Edit(fleet, policy, new ScheduleSpec
        {
            Windows = [new WindowSpec { From = from, To = "23:00" }],
            Blackouts = blackout.Length == 0 ? [] : [BackupDr.Contracts.Rules.Calendar.HoursText.Blackout(blackout)],
        }));

        Assert.Equal(field, e.Field);
        Assert.NotNull(e.Hint);
    }
}
