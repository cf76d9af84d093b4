using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Restores;

/// <summary>A restore that meets archived packs: it says what a thaw would take, and waits for one without holding anything.</summary>
public sealed class ThawTests(SchedulerDatabases databases)
{
    static readonly ArchivedPacks Packs = new()
    {
        Packs = 420,
        Bytes = 6L << 30,
        Classes = ["GLACIER"],
        Time = "3 to 5 hours",
        Cost = 0.08,
        Words = "420 packs (6.0 GiB) in GLACIER",
    };

    static readonly JobResult Refused = new()
    {
        Outcome = JobOutcome.Failed,
        Error = new JobError("repository.archived", "It lies in an archive.", null, false),
        Archived = Packs,
    };

    static readonly JobResult Waits = new() { Outcome = JobOutcome.Waiting, Archived = Packs with { Thawing = 420 } };

    static JobResult Restored(LeasedRun run)
        => new() { Outcome = JobOutcome.Complete, Restore = new RestoreResult { Target = run.Job.Restore!.Target, Files = 3 } };

    static async Task<(HostId Host, RecoveryPointId Point)> WithPoint(Fleet fleet)
    {
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var run = await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        return (host, (await fleet.Show(run.RunId)).RecoveryPoint!.Value);
    }

    static Task<RunStarted> Restore(Fleet fleet, RecoveryPointId point, ThawConsent? thaw = null) => fleet.Get<RequestRestore>().Handle(
        TestNode.Admin, new RequestRestoreRequest { Point = point, Paths = [FilePath.FromText("/srv/data/a")], Thaw = thaw }, Fleet.NoStop);

    static Task<RunStarted> Thaw(Fleet fleet, RunId run, int days = 3)
        => fleet.Get<ThawAndRestore>().Handle(TestNode.Admin, new ThawAndRestoreRequest(run, days), Fleet.NoStop);

    [Fact]
    public async Task Without_consent_it_ends_and_says_what_a_thaw_takes_and_with_it_a_new_run_does_the_same_again()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, point) = await WithPoint(fleet);
        var first = (await Restore(fleet, point)).Run;
        var refused = await fleet.Finish(host, _ => Refused);

        var second = (await Thaw(fleet, first)).Run;
        var leased = await fleet.Finish(host, Restored);

        Assert.Null(refused.Job.Restore!.Thaw);
        var ended = await fleet.Show(first);
        Assert.Equal((RunState.Failed, 420), (ended.State, ended.Result!.Archived!.Packs));
        Assert.Equal((second, new ThawConsent(3)), (leased.RunId, leased.Job.Restore!.Thaw!));
        Assert.Equal((refused.Job.Restore.Target, "/srv/data/a"), (leased.Job.Restore.Target, leased.Job.Restore.Paths[0].ToString()));
        Assert.Equal("restore.not_archived", (await Assert.ThrowsAsync<ConflictException>(() => Thaw(fleet, second))).Code);
        Assert.Equal("days", (await Assert.ThrowsAsync<BadInputException>(() => Thaw(fleet, first, 0))).Field);
    }

    [Fact]
    public async Task While_it_waits_it_holds_no_lease_and_is_looked_at_again_ever_less_often()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, point) = await WithPoint(fleet);
        var id = (await Restore(fleet, point, new ThawConsent())).Run;
        var first = await fleet.Finish(host, _ => Waits);

        await fleet.Complete(host, first, Waits);   // told twice, because the answer was lost
        var waiting = await fleet.Show(id);
        Assert.Equal((RunState.Queued, 1, "the thaw of 420 packs (6.0 GiB) in GLACIER", 420),
            (waiting.State, waiting.Looks, waiting.WaitsFor, waiting.Thawing!.Thawing));
        Assert.Null(waiting.Result);
        Assert.Null(await fleet.Lease(host));

        var pauses = new List<double>();
        for (var look = 2; look <= 12; look++)   // many more than a run has tries
        {
            var before = (await fleet.Show(id)).NotBefore!.Value;
            pauses.Add((before - await fleet.Node.Db.Scalar<DateTimeOffset>("select clock()", [], default)).TotalSeconds);
            await fleet.Node.PassTime(TimeSpan.FromMinutes(15));
            await fleet.Finish(host, _ => Waits);
        }
        Assert.Equal([5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900], pauses.Select(pause => Math.Round(pause / 5) * 5));
        await fleet.Node.PassTime(TimeSpan.FromMinutes(15));
        await fleet.Finish(host, Restored);

        Assert.Equal(RunState.Complete, (await fleet.Show(id)).State);
        Assert.Null((await fleet.Show(id)).Thawing);
    }

    [Fact]
    public async Task Looks_are_no_failed_tries()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, point) = await WithPoint(fleet);
        var id = (await Restore(fleet, point, new ThawConsent())).Run;
        for (var look = 0; look < RunStates.MaximumLeases + 1; look++)
        {
            await fleet.Finish(host, _ => Waits);
            await fleet.Node.PassTime(TimeSpan.FromMinutes(15));
        }

        await fleet.Lease(host);
        await fleet.PassAndExpire(TimeSpan.FromMinutes(1));

        Assert.Equal(RunState.Queued, (await fleet.Show(id)).State);
    }

    [Fact]
    public async Task It_can_be_cancelled_while_it_waits_and_while_it_looks()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, point) = await WithPoint(fleet);
        Task Cancel(RunId run) => fleet.Get<CancelRun>().Handle(TestNode.Admin, new CancelRunRequest(run), Fleet.NoStop);
        var waits = (await Restore(fleet, point, new ThawConsent())).Run;
        await fleet.Finish(host, _ => Waits);

        await Cancel(waits);
        await fleet.Node.PassTime(TimeSpan.FromHours(1));
        var looks = (await Restore(fleet, point, new ThawConsent())).Run;
        var leased = await fleet.Lease(host);
        await Cancel(looks);
        await fleet.Complete(host, leased!, Waits);

        Assert.Equal(looks, leased!.RunId);
        Assert.Equal((RunState.Cancelled, RunState.Cancelled), ((await fleet.Show(waits)).State, (await fleet.Show(looks)).State));
        Assert.Null(await fleet.Lease(host));
    }

    [Fact]
    public async Task A_drill_that_met_archived_packs_proves_nothing_and_disproves_nothing()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var backup = await fleet.Finish(host, _ => Fleet.Backup());

        await fleet.Finish(host, _ => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Drill = new DrillResult { Result = ProofResult.Skipped, Reason = "420 packs lie in an archive." },
        });

        Assert.Null((await fleet.OnlyItem()).LastProvenPoint);
        Assert.Equal((await fleet.Show(backup.RunId)).RecoveryPoint, (await fleet.OnlyItem()).LastPoint);
    }
}
