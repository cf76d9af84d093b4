using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runs;

public sealed class LeaseTests(SchedulerDatabases databases)
{
    static readonly TimeSpan PastLease = TimeSpan.FromSeconds(31);
    static readonly TimeSpan PastPause = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task A_backup_waits_until_its_repository_was_made()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.Protect(host, "/srv/data");

        var init = await fleet.Lease(host);
        var early = await fleet.Lease(host);
        var waiting = Assert.Single(await fleet.Runs(JobKind.Backup));
        await fleet.Complete(host, init!, new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        var backup = await fleet.Lease(host);

        Assert.Equal(JobKind.Init, init!.Job.Kind);
        Assert.Null(early);
        Assert.Equal("its repository to be made", waiting.WaitsFor);
        Assert.Equal(JobKind.Backup, backup!.Job.Kind);
        Assert.Equal(new string('c', 64), backup.Job.Repository.ConfigId);
        Assert.Equal(init.Job.Repository.Password, backup.Job.Repository.Password);
    }

    [Fact]
    public async Task Eight_agents_that_ask_at_once_get_eight_different_runs()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, [.. Enumerable.Range(0, 8).Select(number => $"/srv/{number}")]);

        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => fleet.Lease(host)));

        Assert.Equal(8, runs.Select(run => run!.RunId).Distinct().Count());
        Assert.All(runs, run => Assert.Equal(1, run!.Epoch));
        Assert.Null(await fleet.Lease(host));
    }

    [Fact]
    public async Task Of_one_item_only_one_backup_runs_at_a_time_however_many_ask()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);

        var runs = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => fleet.Lease(host)));

        Assert.Single(runs, run => run is not null);
        var waiting = Assert.Single(await fleet.Runs(JobKind.Backup), run => run.State == RunState.Queued);
        Assert.Equal("another backup of the same item to end", waiting.WaitsFor);
    }

    [Fact]
    public async Task After_a_lost_lease_the_old_epoch_can_write_nothing_more()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var old = await fleet.Lease(host);

        Assert.Equal(1, await fleet.PassAndExpire(PastLease));
        Assert.Null(await fleet.Lease(host));   // the pause
        await fleet.Node.PassTime(PastPause);
        var now = await fleet.Lease(host);

        Assert.Equal((old!.RunId, 2), (now!.RunId, now.Epoch));
        await RefusedAsLost(() => fleet.Report(host, old));
        await RefusedAsLost(() => fleet.Complete(host, old, Fleet.Backup()));
        Assert.Equal(RunState.Leased, (await fleet.Show(now.RunId)).State);
        await fleet.Complete(host, now, Fleet.Backup());
        await RefusedAsLost(() => fleet.Report(host, old));
        await RefusedAsLost(() => fleet.Complete(host, old, Fleet.Backup()));
        Assert.Equal(RunState.Complete, (await fleet.Show(now.RunId)).State);
    }

    [Fact]
    public async Task A_lease_that_ended_is_refused_also_before_the_loop_has_seen_it()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = await fleet.Lease(host);

        await fleet.Node.PassTime(PastLease);

        await RefusedAsLost(() => fleet.Report(host, run!));
        await RefusedAsLost(() => fleet.Complete(host, run!, Fleet.Backup()));
    }

    [Fact]
    public async Task Another_host_cannot_write_to_a_run_that_is_not_its_own()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, other) = (await fleet.AddHost(), await fleet.AddHost("web-2"));
        await fleet.ProtectReady(host, "/srv/data");
        var run = await fleet.Lease(host);

        await Assert.ThrowsAsync<DeniedException>(() => fleet.Report(other, run!));
        await Assert.ThrowsAsync<DeniedException>(() => fleet.Complete(other, run!, Fleet.Backup()));

        Assert.Null(await fleet.Lease(other));
    }

    [Fact]
    public async Task Reports_keep_a_lease_for_longer_than_it_lasts()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = await fleet.Lease(host);

        for (var seq = 1; seq <= 3; seq++)
        {
            await fleet.Report(host, run!, seq);
            Assert.Equal(0, await fleet.PassAndExpire(TimeSpan.FromSeconds(20)));
        }

        Assert.Equal(RunState.Running, (await fleet.Show(run!.RunId)).State);
    }

    [Fact]
    public async Task The_fifth_lost_lease_ends_the_run_as_failed()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = default(RunId);

        for (var lease = 1; lease <= 5; lease++)
        {
            var leased = await fleet.Lease(host);
            Assert.Equal(lease, leased!.Epoch);
            run = leased.RunId;
            await fleet.PassAndExpire(PastLease);
            await fleet.Node.PassTime(PastPause);
        }

        var ended = await fleet.Show(run);
        Assert.Equal((RunState.Failed, "run.attempts"), (ended.State, ended.Result!.Error!.Code));
        Assert.Null(await fleet.Lease(host));
    }

    [Fact]
    public async Task A_repository_whose_making_was_given_up_says_so_to_those_who_wait_for_it()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.Protect(host, "/srv/data");

        for (var lease = 1; lease <= 5; lease++)
        {
            Assert.NotNull(await fleet.Lease(host));
            await fleet.PassAndExpire(PastLease);
            await fleet.Node.PassTime(PastPause);
        }
        await fleet.Lease(host);

        var waiting = Assert.Single(await fleet.Runs(JobKind.Backup));
        Assert.Equal("its repository, which could not be made", waiting.WaitsFor);
    }

    [Fact]
    public async Task A_result_told_twice_counts_once_and_another_result_is_refused()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = await fleet.Lease(host);
        var result = Fleet.Backup();

        await fleet.Complete(host, run!, result);
        await fleet.Complete(host, run!, result);

        await RefusedAsLost(() => fleet.Complete(host, run!, Fleet.Backup(JobOutcome.Incomplete)));
        Assert.Equal(1, (await fleet.OnlyItem()).RecoveryPoints);
    }

    [Fact]
    public async Task A_report_told_twice_writes_its_lines_once()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = await fleet.Lease(host);

        await fleet.Report(host, run!, 1, "one");
        await fleet.Report(host, run!, 1, "one");
        await fleet.Report(host, run!, 2, "two");

        Assert.Equal(["one", "two"], (await fleet.Log(run!.RunId)).Where(line => line.Code == "test.line").Select(line => line.Text));
    }

    [Fact]
    public async Task A_waiting_poll_is_woken_by_new_work()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var poll = fleet.Lease(host, 30);

        await fleet.Protect(host, "/srv/data");

        Assert.Equal(JobKind.Init, (await poll)!.Job.Kind);
    }

    internal static async Task RefusedAsLost(Func<Task> act)
        => Assert.Equal("run.lease_lost", (await Assert.ThrowsAsync<ConflictException>(act)).Code);
}
