using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Retention;

/// <summary>What a change of the rules costs, before and after it is saved, and what a simulation promises.</summary>
public sealed class RetentionEditTests(SchedulerDatabases databases)
{
    static PolicySpec With(RetainedFleet one, RetentionSpec keep) => one.Policy.Spec with { Retention = keep };

    static Task Edit(RetainedFleet one, RetentionSpec keep, string? confirm) => one.Fleet.Get<EditPolicy>().Handle(TestNode.Admin,
        new EditPolicyRequest(one.Policy.Id, "Documents", With(one, keep), confirm), default);

    [Fact]
    public async Task A_change_that_loses_points_says_which_and_needs_the_typed_name_and_the_former_time_in_the_trash()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Days(3);   // four points, three kept
        var fewer = RetainedFleet.ThreeDays with { KeepDaily = 1, Trash = TimeSpan.FromDays(1) };

        var preview = await one.Fleet.Get<PreviewPolicy>().Handle(TestNode.Admin,
            new PreviewPolicyRequest(With(one, fewer), null, one.Policy.Id), default);
        var refused = await Assert.ThrowsAsync<BadInputException>(() => Edit(one, fewer, null));
        await Assert.ThrowsAsync<BadInputException>(() => Edit(one, fewer, "documents"));
        await one.Turn();

        var loss = preview.Retention!.Loss!;
        Assert.Equal((2, 20_000L, "/srv/data on web-1"), (loss.Points, loss.Bytes, Assert.Single(loss.Items)));
        Assert.InRange((loss.FirstGoesAt!.Value - await one.Now()).TotalDays, 1.9, 2);
        Assert.Equal(2, preview.Retention.Picture.Count(point => point.Change == PictureChange.Lost));
        Assert.Equal("confirm", refused.Field);
        Assert.StartsWith("2 recovery points of /srv/data on web-1 would go for good from ", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, (await one.Points()).Count(point => point.TrashUntil is not null));

        await Edit(one, fewer, " Documents ");
        await one.Turn();

        var points = await one.Points();
        Assert.Equal(3, points.Count(point => point.TrashUntil is not null));
        Assert.InRange((points[1].TrashUntil!.Value - await one.Now()).TotalDays, 1.9, 2);   // not one day
        await Edit(one, RetainedFleet.ThreeDays, null);   // taken back in time
        await one.Turn();
        Assert.Equal(1, (await one.Points()).Count(point => point.TrashUntil is not null));
    }

    [Fact]
    public async Task A_simulation_promises_what_the_real_retention_does_day_after_day()
    {
        var keep = new RetentionSpec
        {
            KeepHourly = 0,
            KeepLast = 2,
            KeepDaily = 5,
            KeepWeekly = 4,
            KeepMonthly = 6,
            KeepYearly = 1,
            Floor = 2,
            Trash = TimeSpan.FromDays(3),
        };
        await using var one = await RetainedFleet.Start(databases, keep);
        var days = Nightly.Or(120, 400);
        var promised = Assert.Single((await one.Fleet.Get<SimulatePolicy>().Handle(TestNode.Admin,
            new SimulatePolicyRequest { Policy = one.Policy.Id, Days = days }, default)).Items);
        var began = await one.Now();
        await one.Turn();

        for (var day = 1; day <= days; day++)
        {
            await one.Fleet.Node.PassTime(TimeSpan.FromDays(1));
            await Insert(one, promised.Points[day].ReceivedAt);
            await one.Turn();
            while (await one.Fleet.Lease(one.Host) is { } run)
                await one.Fleet.Complete(one.Host, run, run.Job.Kind == JobKind.Forget ? RetainedFleet.Done(run)
                    : new JobResult { Outcome = JobOutcome.Complete, Prune = new PruneResult() });
            var there = await one.Fleet.Node.Db.First("select count(*) filter (where trash_until is null), count(trash_until) from "
                + "recovery_point where gone_at is null", [], row => (Kept: (int)row.Long(0), Trash: (int)row.Long(1)), default);
            Assert.Equal((day, promised.Days[day].Kept, promised.Days[day].InTrash), (day, there.Kept, there.Trash));
        }

        var left = await one.Fleet.Node.Db.Query("select received_at, trash_until is not null from recovery_point where gone_at is null "
            + "order by 1", [], row => (At: row.Time(0), InTrash: row.Bool(1)), default);
        var wanted = promised.Points.Where(point => point.ForgottenAt is null).Select(point => (At: point.ReceivedAt,
            InTrash: point.DroppedAt is not null)).OrderBy(point => point.At).ToList();
        Assert.Equal(wanted.Select(point => point.InTrash), left.Select(point => point.InTrash));
        Assert.All(wanted.Zip(left), pair => Assert.InRange((pair.First.At - pair.Second.At).Duration().TotalSeconds, 0, 1));
        Assert.InRange((await one.Now() - began).TotalDays, days, days + 0.1);
    }

    /// <summary>A point as a run would make it, without the run.</summary>
    static Task Insert(RetainedFleet one, DateTimeOffset received) => one.Fleet.Node.Db.Execute("""
        insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, received_at, is_complete, backup)
        select gen_random_uuid(), $1, $2, gen_random_uuid(), encode(sha256(convert_to($3::text, 'UTF8')), 'hex'), $3, $3, true,
            '{"snapshotId": "", "takenAt": "2026-01-01T00:00:00+00:00"}'
        """, [one.Item, one.Repository, received], default);

    [Fact]
    public async Task A_simulation_without_a_policy_begins_with_nothing_and_refuses_what_cannot_be_played()
    {
        await using var one = await RetainedFleet.Start(databases);
        var simulate = one.Fleet.Get<SimulatePolicy>();

        var played = Assert.Single((await simulate.Handle(TestNode.Admin, new SimulatePolicyRequest { Spec = new PolicySpec(), Days = 40 },
            default)).Items);

        // Of hours that have a point: with one a day, 48 of them are 48 days.
        Assert.Equal((41, 40), (played.Days.Count, played.Days[^1].Kept));
        Assert.Contains(played.Points, point => point.Reasons.Contains(KeepReason.Monthly));
        await Assert.ThrowsAsync<BadInputException>(() => simulate.Handle(TestNode.Admin, new SimulatePolicyRequest(), default));
        await Assert.ThrowsAsync<BadInputException>(() => simulate.Handle(TestNode.Admin, new SimulatePolicyRequest
        {
            Spec = new PolicySpec { Rpo = TimeSpan.FromMinutes(1), Schedule = new ScheduleSpec { Every = TimeSpan.FromMinutes(1) } },
            Days = 4000,
        }, default));
    }
}
