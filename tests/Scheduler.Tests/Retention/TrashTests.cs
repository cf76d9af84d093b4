using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Retention;

/// <summary>From the rules by way of the trash to the run that removes.</summary>
public sealed class TrashTests(SchedulerDatabases databases)
{
    [Fact]
    public async Task What_no_rule_keeps_lies_in_the_trash_until_a_run_has_removed_it_and_then_reads_as_forgotten()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Days(4);   // five points, three days kept

        var points = await one.Points();
        Assert.Equal([false, false, false, true, true], points.Select(point => point.TrashUntil is not null));
        Assert.InRange((points[^1].TrashUntil!.Value - await one.Now()).TotalDays, 1.9, 2);
        Assert.All(points, point => RecoveryPointTable.MustBeThere(point));   // all of them can be restored
        Assert.Null(await one.Fleet.Lease(one.Host));
        var shown = await one.Retention();
        Assert.Equal([KeepReason.Daily, KeepReason.NewestComplete], shown.Points[0].Reasons);
        Assert.StartsWith("kept by daily, goes ", shown.Points[1].Words, StringComparison.Ordinal);
        Assert.StartsWith("in the trash until ", shown.Points[^1].Words, StringComparison.Ordinal);

        await one.Fleet.Node.PassTime(TimeSpan.FromDays(2));
        await one.Turn();
        await one.Turn();   // makes no second run
        var run = await one.Lease(JobKind.Forget);
        Assert.Equal(points.TakeLast(2).Select(point => point.SnapshotId).Order(), run.Job.Forget!.Snapshots.Order());
        var busy = await Assert.ThrowsAsync<ConflictException>(() => one.Fleet.Get<HoldPoint>().Handle(TestNode.Admin,
            new HoldPointRequest(points[^1].Id, "too late"), default));
        Assert.Equal("point.being_forgotten", busy.Code);
        Assert.Null(await one.Fleet.Lease(one.Host));
        await one.Fleet.Complete(one.Host, run, RetainedFleet.Done(run));

        points = await one.Points();
        Assert.Equal([false, false, false, true, true], points.Select(point => point.ForgottenAt is not null));
        Assert.Equal("point.forgotten", Assert.Throws<ConflictException>(() => RecoveryPointTable.MustBeThere(points[^1])).Code);
        Assert.Equal((3, ItemState.Overdue), ((await one.Fleet.OnlyItem()).RecoveryPoints, (await one.Fleet.OnlyItem()).State));
        Assert.Equal(1, await one.Fleet.Node.Db.Scalar<long>("select count(*) from evidence where kind = 'forget'", [], default));

        await one.Turn();   // its space comes back
        var prune = await one.Lease(JobKind.Prune);
        await one.Fleet.Complete(one.Host, prune, new JobResult
        {
            Outcome = JobOutcome.Complete,
            Prune = new PruneResult { RemovedPacks = 1, RemovedBytes = 5, LockedBytes = 7, LockedFirst = (await one.Now()).AddDays(3) },
        });
        var garbage = Assert.Single(await Repositories(one)).Garbage!;
        Assert.Equal((0, 5, null), (garbage.InTrash, garbage.LastResult!.RemovedBytes, garbage.Removing));
        Assert.InRange((garbage.DueAt!.Value - await one.Now()).TotalDays, 2.9, 3.1);   // when the lock is over
        Assert.Equal(0, await one.Turn());
    }

    [Fact]
    public async Task A_point_can_be_held_and_taken_out_and_both_are_decided_anew_when_the_run_is_leased()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Days(5);
        var points = await one.Points();
        await one.Fleet.Node.PassTime(TimeSpan.FromDays(2));
        await one.Turn();   // the run is queued

        await one.Fleet.Get<HoldPoint>().Handle(TestNode.Admin, new HoldPointRequest(points[^1].Id, " case 2026-17 "), default);
        await one.Fleet.Get<TakeOutPoint>().Handle(TestNode.Admin, new TakeOutPointRequest(points[^2].Id), default);

        var run = await one.Lease(JobKind.Forget);
        Assert.Equal([points[^3].SnapshotId], run.Job.Forget!.Snapshots);
        await one.Fleet.Complete(one.Host, run, RetainedFleet.Done(run));
        points = await one.Points();
        Assert.Equal(("case 2026-17", "key:test"), (points[^1].Hold!.Reason, points[^1].Hold!.By));
        Assert.Null(points[^1].TrashUntil);
        Assert.InRange((points[^2].TakenOutUntil!.Value - await one.Now()).TotalDays, 29.9, 30);
        Assert.Equal([KeepReason.TakenOut], (await one.Retention()).Points[^2].Reasons);
        Assert.Equal([KeepReason.LegalHold], (await one.Retention()).Points[^1].Reasons);
        Assert.Equal("point.not_in_trash", (await Assert.ThrowsAsync<ConflictException>(() => one.Fleet.Get<TakeOutPoint>().Handle(
            TestNode.Admin, new TakeOutPointRequest(points[^2].Id), default))).Code);
        await Assert.ThrowsAsync<BadInputException>(() => one.Fleet.Get<LiftPointHold>().Handle(TestNode.Admin,
            new LiftPointHoldRequest(points[^1].Id, ""), default));

        await one.Fleet.Get<LiftPointHold>().Handle(TestNode.Admin, new LiftPointHoldRequest(points[^1].Id, "case closed"), default);
        await one.Fleet.Node.PassTime(TimeSpan.FromDays(1));
        await one.Turn();
        Assert.NotNull((await one.Points())[^1].TrashUntil);
        Assert.Equal(["point.hold", "point.lift", "point.take_out"], await one.Fleet.Node.Db.Query(
            "select action from audit where action like 'point.%' order by 1", [], row => row.Text(0), default));
    }

    [Fact]
    public async Task A_run_whose_agent_died_is_handed_the_same_snapshots_again_and_nothing_calls_them_lost_meanwhile()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Days(4);
        await one.Fleet.Node.PassTime(TimeSpan.FromDays(2));
        await one.Turn();
        var first = await one.Lease(JobKind.Forget);

        await one.Fleet.PassAndExpire(TimeSpan.FromMinutes(2));
        await one.Fleet.Node.PassTime(TimeSpan.FromMinutes(5));
        var second = await one.Lease(JobKind.Forget);

        Assert.Equal((first.RunId, 2), (second.RunId, second.Epoch));
        Assert.Equal(first.Job.Forget!.Snapshots.Order(), second.Job.Forget!.Snapshots.Order());
        await one.Fleet.Node.Db.Execute("delete from recovery_point_place where point_id in (select id from recovery_point where "
            + "forget_run_id is not null)", [], default);
        await one.Fleet.Node.Db.InTransaction(tx => RecoveryPointTable.Placed(tx, one.Repository, second.RunId, default), default);
        Assert.All(await one.Points(), point => Assert.Null(point.GoneAt));
        await one.Fleet.Complete(one.Host, second, RetainedFleet.Done(second));
        Assert.Equal(2, (await one.Points()).Count(point => point.ForgottenAt is not null));
    }

    [Fact]
    public async Task A_run_that_was_cancelled_is_not_made_again_at_once_and_may_be_retried()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Days(4);
        await one.Fleet.Node.PassTime(TimeSpan.FromDays(2));
        await one.Turn();
        var run = Assert.Single(await one.Fleet.Runs(JobKind.Forget));

        await one.Fleet.Get<Scheduler.Runs.CancelRun>().Handle(TestNode.Admin, new CancelRunRequest(run.Id), default);

        Assert.Equal(0, await one.Turn());
        await one.Fleet.Get<Scheduler.Runs.RetryRun>().Handle(TestNode.Admin, new RetryRunRequest(run.Id), default);
        Assert.Equal("repository.busy", (await Assert.ThrowsAsync<ConflictException>(() => one.Fleet.Get<Scheduler.Runs.RetryRun>()
            .Handle(TestNode.Admin, new RetryRunRequest(run.Id), default))).Code);
        Assert.Equal(2, (await one.Lease(JobKind.Forget)).Job.Forget!.Snapshots.Count);
    }

    [Fact]
    public async Task Where_nobody_may_remove_nothing_goes_into_the_trash_and_the_reason_is_said()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Fleet.Node.Db.Execute("update repository set upkeep_allowed = false", [], default);
        await one.Days(4);

        Assert.All(await one.Points(), point => Assert.Null(point.TrashUntil));
        Assert.StartsWith("Its repository was adopted", (await one.Retention()).Problem, StringComparison.Ordinal);
        await one.Fleet.Node.Db.Execute("update repository set upkeep_allowed = true", [], default);
        await one.Fleet.Node.Db.Execute("update location set kind = 'Gateway'", [], default);
        await one.Fleet.Node.PassTime(TimeSpan.FromDays(1));
        await one.Turn();
        Assert.Contains("through it agents add and never remove", (await one.Retention()).Problem, StringComparison.Ordinal);
        var refused = await Assert.ThrowsAsync<ConflictException>(() => one.Fleet.Get<StartUpkeep>().Handle(TestNode.Admin,
            new StartUpkeepRequest(one.Repository, JobKind.Prune), default));
        Assert.Equal("repository.no_prune", refused.Code);

        await one.Fleet.Node.Db.Execute("update location set kind = 'Folder'", [], default);
        await one.Fleet.Node.PassTime(TimeSpan.FromDays(1));
        await one.Turn();
        Assert.Equal(2, (await one.Points()).Count(point => point.TrashUntil is not null));
    }

    [Fact]
    public async Task A_hold_on_an_item_empties_its_trash_and_a_person_lifts_it_with_a_reason()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Days(4);

        await one.Fleet.Get<HoldItem>().Handle(TestNode.Admin, new HoldItemRequest(one.Item, "broken into?"), default);

        Assert.All(await one.Points(), point => Assert.Null(point.TrashUntil));
        Assert.Equal(("broken into?", "key:test"), ((await one.Retention()).Hold!.Reason, (await one.Retention()).Hold!.By));
        Assert.Contains(KeepReason.ItemHold, (await one.Retention()).Points[^1].Reasons);
        Assert.Equal("item.held", (await Assert.ThrowsAsync<ConflictException>(() => one.Fleet.Get<HoldItem>().Handle(TestNode.Admin,
            new HoldItemRequest(one.Item, "again"), default))).Code);
        await one.Days(3);
        Assert.All(await one.Points(), point => Assert.Null(point.TrashUntil));

        await one.Fleet.Get<LiftItemHold>().Handle(TestNode.Admin, new LiftItemHoldRequest(one.Item, "it was a drill"), default);
        await one.Turn();
        Assert.Equal(5, (await one.Points()).Count(point => point.TrashUntil is not null));
    }

    [Fact]
    public async Task Points_of_a_policy_that_is_removed_stay()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Days(4);

        await one.Fleet.Get<RemovePolicy>().Handle(TestNode.Admin, new RemovePolicyRequest(one.Policy.Id), default);

        await one.Fleet.Node.PassTime(TimeSpan.FromDays(30));
        Assert.Equal(0, await one.Turn());
        Assert.All(await one.Points(), point => Assert.Null(point.TrashUntil));
    }

    static Task<IReadOnlyList<RepositorySummary>> Repositories(RetainedFleet one)
        => one.Fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), default);
}
