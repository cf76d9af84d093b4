using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Health;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runs;

/// <summary>What the end of a run brings about.</summary>
public sealed class EffectTests(SchedulerDatabases databases)
{
    static Task<Safety> Safety(Fleet fleet) => fleet.Get<ShowSafety>().Handle(TestNode.Admin, new ShowSafetyRequest(), Fleet.NoStop);

    [Fact]
    public async Task The_first_backup_is_drilled_at_once_and_its_proof_makes_the_answer_yes()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        var before = await Safety(fleet);

        var drill = await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));

        Assert.Equal((JobKind.Drill, new string('a', 64)), (drill.Job.Kind, drill.Job.Drill!.SnapshotId));
        Assert.Equal(SafetyAnswer.Mostly, before.Answer);
        Assert.Equal((SafetyAnswer.Yes, 1), ((await Safety(fleet)).Answer, (await Safety(fleet)).Proven));
        Assert.Equal(TimeSpan.FromSeconds(1.5), (await fleet.OnlyItem()).MeasuredRto);
        Assert.Equal(1, await fleet.Node.Db.Scalar<long>("select count(*) from evidence where kind = 'drill'", [], Fleet.NoStop));
        await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
        await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'b'));
        Assert.Null(await fleet.Lease(host));   // the second one is not
    }

    [Theory]
    [InlineData(JobOutcome.Complete)]
    [InlineData(JobOutcome.Failed)]
    public async Task A_drill_that_fails_makes_the_answer_no(JobOutcome outcome)
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());

        var failed = new JobResult { Outcome = outcome, Error = new JobError("pack.damaged", "A pack is damaged.", null, false) };
        await fleet.Finish(host, _ => outcome == JobOutcome.Failed ? failed : Fleet.Drill(ProofResult.Failed));

        Assert.Equal(ItemState.Failed, (await fleet.OnlyItem()).State);
        Assert.Equal(SafetyAnswer.No, (await Safety(fleet)).Answer);
    }

    [Fact]
    public async Task An_incomplete_backup_makes_a_recovery_point_that_does_not_count_for_the_objective()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");

        var run = await fleet.Finish(host, _ => Fleet.Backup(JobOutcome.Incomplete));

        var item = await fleet.OnlyItem();
        Assert.Equal(RunState.Incomplete, (await fleet.Show(run.RunId)).State);
        Assert.Equal((1, ItemState.Overdue), (item.RecoveryPoints, item.State));
        Assert.Null(item.LastPointAt);
    }

    [Fact]
    public async Task A_failed_backup_makes_no_recovery_point()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");

        var run = await fleet.Finish(host, _ => Fleet.NoSpace);

        Assert.Equal(0, (await fleet.OnlyItem()).RecoveryPoints);
        Assert.Contains(await fleet.Log(run.RunId), line => line.Code == "store.full");
    }
}
