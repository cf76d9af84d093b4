using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Restores;

public sealed class RestoreTests(SchedulerDatabases databases)
{
    [Fact]
    public async Task The_plan_takes_the_newest_proven_point_and_a_new_folder_beside_the_source()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));

        var plan = await fleet.Get<PlanRestore>().Handle(TestNode.Admin, new PlanRestoreRequest((await fleet.OnlyItem()).Id), Fleet.NoStop);

        Assert.Equal(ProofResult.Proven, plan.Point!.Proof);
        Assert.Matches(@"^/srv/data\.restored-\d{8}-\d{6}$", plan.Target.ToString());
        Assert.Equal(TimeSpan.FromSeconds(1.5), plan.EstimatedTime);
    }

    [Fact]
    public async Task A_restore_asked_for_twice_with_one_id_is_made_once()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, point) = await WithPoint(fleet);
        var request = new RequestRestoreRequest { Id = RunId.New(TimeProvider.System), Point = point };

        var started = await Task.WhenAll(Enumerable.Range(0, 4)
            .Select(_ => fleet.Get<RequestRestore>().Handle(TestNode.Admin, request, Fleet.NoStop)));

        Assert.Equal(request.Id, Assert.Single(started.Select(answer => answer.Run).Distinct()));
        Assert.Single(await fleet.Runs(JobKind.Restore));
        var leased = await fleet.Lease(host);
        Assert.Equal((JobKind.Restore, request.Id), (leased!.Job.Kind, leased.RunId));   // before the drill that also waits
    }

    [Fact]
    public async Task A_restore_to_a_machine_that_has_not_the_repository_is_refused()
    {
        await using var fleet = await Fleet.Start(databases);
        var (_, point) = await WithPoint(fleet);
        var other = await fleet.AddHost("web-2");

        var e = await Assert.ThrowsAsync<BadInputException>(() => fleet.Get<RequestRestore>()
            .Handle(TestNode.Admin, new RequestRestoreRequest { Point = point, Host = other }, Fleet.NoStop));

        Assert.Contains("another machine", e.Message, StringComparison.Ordinal);
        Assert.Empty(await fleet.Runs(JobKind.Restore));
    }

    [Theory]
    [InlineData("srv/restored")]
    [InlineData("/srv/../etc")]
    public async Task A_target_that_is_not_absolute_or_climbs_is_refused(string target)
    {
        await using var fleet = await Fleet.Start(databases);
        var (_, point) = await WithPoint(fleet);

        var request = new RequestRestoreRequest { Point = point, Target = FilePath.FromText(target) };

        await Assert.ThrowsAsync<BadInputException>(() => fleet.Get<RequestRestore>().Handle(TestNode.Admin, request, Fleet.NoStop));
    }

    static async Task<(HostId Host, RecoveryPointId Point)> WithPoint(Fleet fleet)
    {
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = await fleet.Finish(host, _ => Fleet.Backup());
        return (host, (await fleet.Show(run.RunId)).RecoveryPoint!.Value);
    }
}
