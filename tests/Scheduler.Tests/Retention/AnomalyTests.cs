using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Retention;

public sealed class AnomalyTests(SchedulerDatabases databases)
{
    [Fact]
    public async Task A_point_unlike_those_before_it_stops_retention_until_a_person_has_looked()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Days(4);
        Assert.Equal(2, (await one.Points()).Count(point => point.TrashUntil is not null));

        var odd = await one.Backup(result => result with { Files = 20, Bytes = 10 });

        var retention = await one.Retention();
        Assert.Equal(("system", odd.Id), (retention.Hold!.By, retention.Hold.Point));
        Assert.StartsWith("It has 20 files, and the point before had 100.", retention.Hold.Reason, StringComparison.Ordinal);
        Assert.All(await one.Points(), point => Assert.Null(point.TrashUntil));
        Assert.Contains(await one.Fleet.Log(odd.Run), line => line.Code == "retention.held");
        Assert.Equal(1, await one.Fleet.Node.Db.Scalar<long>("select count(*) from evidence where kind = 'hold'", [], default));
        var alert = Assert.Single(await Alerts(one));
        Assert.Equal((AlertKind.RetentionHeld, $"/items/{one.Item}#retention"), (alert.Kind, alert.ActionUrl));
        await one.Fleet.Get<AlertLook>().Run(default);
        Assert.Contains(await Alerts(one), open => open.Kind == AlertKind.RetentionHeld);   // no look ends it, only a person
        await one.Days(5);   // small points, day after day
        Assert.All(await one.Points(), point => Assert.Null(point.TrashUntil));

        await one.Fleet.Get<LiftItemHold>().Handle(TestNode.Admin, new LiftItemHoldRequest(one.Item, "moved to another host"), default);
        await one.Turn();
        Assert.Null((await one.Retention()).Hold);
        Assert.DoesNotContain(await Alerts(one), open => open.Kind == AlertKind.RetentionHeld);
        Assert.Contains(await one.Points(), point => point.TrashUntil is not null);
    }

    static Task<IReadOnlyList<Alert>> Alerts(RetainedFleet one)
        => one.Fleet.Get<ListAlerts>().Handle(TestNode.Admin, new ListAlertsRequest(), default);
}
