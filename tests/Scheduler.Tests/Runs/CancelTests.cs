using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runs;

public sealed class CancelTests(SchedulerDatabases databases)
{
    static Task Cancel(Fleet fleet, RunId run) => fleet.Get<CancelRun>().Handle(TestNode.Admin, new CancelRunRequest(run), Fleet.NoStop);

    [Fact]
    public async Task A_queued_run_is_cancelled_at_once_and_cannot_be_cancelled_again()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = Assert.Single(await fleet.Runs(JobKind.Backup));

        await Cancel(fleet, run.Id);

        Assert.Equal(RunState.Cancelled, (await fleet.Show(run.Id)).State);
        Assert.Null(await fleet.Lease(host));
        Assert.Equal("run.over", (await Assert.ThrowsAsync<ConflictException>(() => Cancel(fleet, run.Id))).Code);
    }

    [Fact]
    public async Task A_run_under_way_hears_it_in_its_next_report_and_ends_when_its_agent_says_so()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = await fleet.Lease(host);
        var before = await fleet.Report(host, run!);

        await Cancel(fleet, run!.RunId);
        var after = await fleet.Report(host, run, 2);
        var asked = await fleet.Show(run.RunId);
        await fleet.Complete(host, run, new JobResult { Outcome = JobOutcome.Cancelled });

        Assert.Equal((false, true), (before.Cancel, after.Cancel));
        Assert.Equal((RunState.Running, true), (asked.State, asked.CancelAsked));
        Assert.Equal(RunState.Cancelled, (await fleet.Show(run.RunId)).State);
    }

    [Fact]
    public async Task A_cancelled_run_whose_agent_is_silent_ends_with_its_lease_and_is_never_queued_again()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = await fleet.Lease(host);
        await Cancel(fleet, run!.RunId);

        await fleet.PassAndExpire(TimeSpan.FromSeconds(31));
        await fleet.Node.PassTime(TimeSpan.FromMinutes(5));

        Assert.Equal(RunState.Cancelled, (await fleet.Show(run.RunId)).State);
        Assert.Null(await fleet.Lease(host));
        await LeaseTests.RefusedAsLost(() => fleet.Complete(host, run, Fleet.Backup()));
    }

    [Fact]
    public async Task A_retry_makes_a_new_run_with_the_same_job()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var old = await fleet.Finish(host, _ => Fleet.NoSpace);

        var started = await fleet.Get<RetryRun>().Handle(TestNode.Admin, new RetryRunRequest(old.RunId), Fleet.NoStop);
        var again = await fleet.Lease(host);

        Assert.Equal(started.Run, again!.RunId);
        Assert.NotEqual(old.RunId, again.RunId);
        Assert.Equal(old.Job.Backup!.Source.Files!.Paths, again.Job.Backup!.Source.Files!.Paths);
    }
}
