using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Health;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Health;

/// <summary>What each day was like is written while it lasts, and what was achieved is read from it.</summary>
public sealed class ItemDaysTests(SchedulerDatabases databases)
{
    static Task<int> Look(Fleet fleet) => fleet.Get<ItemDays>().Run(Fleet.NoStop);

    static async Task<ItemDay> Today(Fleet fleet)
        => (await fleet.Get<ListItemDays>().Handle(TestNode.Admin, new ListItemDaysRequest(), Fleet.NoStop))[^1];

    static async Task PassAndBeSeen(Fleet fleet, TimeSpan time)
    {
        await fleet.Node.PassTime(time);
        await fleet.Node.Db.Execute("update host set last_seen_at = clock()", [], Fleet.NoStop);
    }

    static async Task BackUp(Fleet fleet, HostId host, Policy policy, char snapshot)
    {
        await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
        var taken = await fleet.Node.Db.Scalar<DateTimeOffset>("select clock()", [], Fleet.NoStop);
        await fleet.Finish(host, _ => Fleet.Backup(snapshot: snapshot) with
        {
            Backup = Fleet.Backup(snapshot: snapshot).Backup! with { TakenAt = taken },
        });
    }

    [Fact]
    public async Task A_day_keeps_its_worst_state_and_its_longest_gap_and_the_item_the_worst_of_30()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        Assert.Equal(1, await Look(fleet));
        Assert.Equal(0, await Look(fleet));   // another node just did
        Assert.Equal((ItemState.Proven, null), ((await Today(fleet)).State, (await Today(fleet)).Gap));

        await PassAndBeSeen(fleet, TimeSpan.FromHours(30));
        await Look(fleet);
        Assert.Equal(ItemState.Overdue, (await Today(fleet)).State);
        var waiting = await fleet.OnlyItem();
        Assert.InRange(waiting.AchievedRpo!.Value.TotalHours, 30, 30.1);   // the wait that lasts counts

        await BackUp(fleet, host, policy, 'b');
        await PassAndBeSeen(fleet, TimeSpan.FromMinutes(2));
        await Look(fleet);
        var day = await Today(fleet);
        Assert.Equal(ItemState.Overdue, day.State);   // it was, and stays so until midnight
        Assert.StartsWith("The newest complete recovery point is 30 h old", day.Reason, StringComparison.Ordinal);
        Assert.InRange(day.Gap!.Value.TotalHours, 30, 30.1);
        Assert.Equal(ItemState.Proven, (await fleet.OnlyItem()).State);

        await PassAndBeSeen(fleet, TimeSpan.FromDays(29));
        await BackUp(fleet, host, policy, 'c');
        await Look(fleet);
        Assert.InRange((await fleet.OnlyItem()).AchievedRpo!.Value.TotalDays, 29, 29.1);
        await PassAndBeSeen(fleet, TimeSpan.FromDays(31));
        await BackUp(fleet, host, policy, 'd');
        Assert.InRange((await fleet.OnlyItem()).AchievedRpo!.Value.TotalHours, 0, 0.1);   // what is older than 30 days is forgotten, and
        await PassAndBeSeen(fleet, TimeSpan.FromMinutes(2));
        await Look(fleet);                                                                 // the gap that just ended is counted
        Assert.InRange((await fleet.OnlyItem()).AchievedRpo!.Value.TotalDays, 31, 31.1);
    }

    [Fact]
    public async Task What_was_received_before_anybody_looked_is_counted_at_the_first_look()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Node.Db.Execute("""
            insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, received_at, is_complete, backup,
                gone_at)
            select gen_random_uuid(), item_id, repository_id, gen_random_uuid(), repeat(n::text, 3), at, at, true, backup, clock()
            from recovery_point, generate_series(1, 5) n, lateral (select received_at - n * n * interval '1 day' as at) t
            """, [], Fleet.NoStop);

        await Look(fleet);

        var item = (await fleet.OnlyItem()).Id;
        var days = await fleet.Get<ListItemDays>().Handle(TestNode.Admin, new ListItemDaysRequest(item), Fleet.NoStop);
        Assert.Equal([9, 7, 5, 3, 1], days.Select(day => (int)Math.Round(day.Gap!.Value.TotalDays)));
        Assert.Equal([null, null, null, null, ItemState.Unproven], days.Select(day => day.State));
        Assert.Equal(9, Math.Round((await fleet.OnlyItem()).AchievedRpo!.Value.TotalDays));
    }

    [Fact]
    public async Task An_estimate_names_its_drill_and_where_there_is_none_says_why()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        Assert.Equal((null, NoEstimate.NeverDrilled), ((await fleet.OnlyItem()).RestoreEstimate, (await fleet.OnlyItem()).NoEstimate));
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Failed));
        Assert.Equal(NoEstimate.DrillFailed, (await fleet.OnlyItem()).NoEstimate);

        var drill = (await fleet.Runs(JobKind.Drill))[0].Id;
        await fleet.Node.Db.Execute("update recovery_point set proof = 'Proven', proof_restore_seconds = 240, backup = "
            + "jsonb_set(backup, '{bytes}', '1000000')", [], Fleet.NoStop);

        var estimate = (await fleet.OnlyItem()).RestoreEstimate!;
        Assert.Equal((TimeSpan.FromMinutes(4), 1_000_000, false, drill), (estimate.Time, estimate.DrilledBytes, estimate.IsScaled,
            estimate.Drill!.Value));
        Assert.Contains("ago on web-1. The newest recovery point is", (await fleet.OnlyItem()).StateReason, StringComparison.Ordinal);
    }
}
