using System.Globalization;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>Executions on nodes whose clocks are minutes apart: the database's is the one that counts.</summary>
public sealed class ClockTests(SchedulerDatabases databases)
{
    static readonly TimeSpan Off = TimeSpan.FromMinutes(12), Wait = TimeSpan.FromMinutes(30), Second = TimeSpan.FromSeconds(1);

    static Task<DateTimeOffset> DatabaseTime(Books books) => books.Node.Db.Scalar<DateTimeOffset>("select clock()", [], Books.NoStop);

    /// <summary>One node's clock is ahead of the database's, the other's behind; a wait, an approval and a step that takes too long go from
    /// one to the other.</summary>
    [Fact]
    public async Task Time_ends_what_it_is_to_end_by_the_databases_clock_on_whichever_node()
    {
        var left = new List<TimeSpan>();
        var target = new Target();
        await using var ahead = await Books.Start(databases, target, clock: new ShiftedTime(Off));
        await using var behind = await Books.Start(databases, target, ahead.Node, "two", clock: new ShiftedTime(-Off));
        target.Answer = (work, _) =>
        {
            foreach (var books in new[] { ahead, behind }) left.Add(work.Until - work.Now(books.Get<TimeProvider>()));
            return Task.FromResult(StepResult.Done("So."));
        };
        var runbook = await ahead.Make("shop", Books.Step("wait", kind: StepKind.Wait) with
        {
            For = Wait,
            Timeout = Wait
        }, Books.Step("go", "wait", StepKind.Approval) with
        {
            OnFailure = OnStepFailure.Continue
        }, Books.Step("slow", "go") with { Retries = 1 });
        var from = await DatabaseTime(ahead);
        var id = await ahead.Execute(runbook.Id, ExecutionMode.Disaster);

        foreach (var (step, length) in new[] { ("wait", Wait), ("go", TimeSpan.FromMinutes(5)),
            ("slow", TimeSpan.FromMinutes(5)) })
        {
            var begun = (await ahead.State(id, step)).ActivityBeganAt!.Value;
            foreach (var books in new[] { ahead, behind })
            {
                Assert.Equal(0, await books.Get<ActivityWork>().Due(Books.NoStop));
                Assert.Equal(begun, (await books.State(id, step)).ActivityBeganAt);
            }
            await ahead.Node.PassTime(begun + length - await DatabaseTime(ahead) + Second);
            await behind.Get<ActivityWork>().Due(Books.NoStop);
            Assert.NotEqual(begun, (await ahead.State(id, step)).ActivityBeganAt);   // its time is over, and that is seen at once
        }
        await behind.Pass(TimeSpan.FromSeconds(5));
        await behind.Carry();
        var view = await ahead.Show(id);

        Assert.Equal((ExecutionPhase.Ended, 2), (view.State.Phase, view.State.Steps[2].Attempt));
        Assert.Equal(2, left.Count);
        Assert.All(left, one => Assert.InRange(one, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(5)));
        var until = await DatabaseTime(ahead);
        var proof = Assert.Single((await ahead.Get<ListEvidence>().Handle(TestNode.Admin, new ListEvidenceRequest { Kind = "execution" },
            Books.NoStop)).Entries).Body;
        var told = proof.Steps!.SelectMany(step => new[] { step.StartedAt, step.EndedAt }).Append(proof.StartedAt!)
            .Append(proof.FinishedAt!).Select(at => DateTimeOffset.Parse(at, CultureInfo.InvariantCulture));
        Assert.All(told, at => Assert.InRange(at, from - Second, until + Second));
    }

    /// <summary>What a step found out of moments is told by the same clock as everything else.</summary>
    [Fact]
    public async Task A_node_whose_clock_is_behind_waits_for_health_no_longer_and_tells_when_it_was_well()
    {
        var clock = new ShiftedTime(-Off);
        using var server = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        server.Start();
        var work = Steps.StepBench.Work(Steps.StepBench.Step(StepKind.HealthWait, step => step with
        {
            Health = new HealthSpec { Tcp = server.LocalEndpoint.ToString()! },
        })) with
        { Left = new TimeLeft(TimeSpan.FromMinutes(4), clock) };

        var result = await new HealthWait(new Steps.StepBench(), clock).CarryOut(work, Books.NoStop);

        Assert.Equal(ActivityOutcome.Succeeded, result.Outcome);
        Assert.InRange(DateTimeOffset.Parse(result.Outputs!["okSince"], CultureInfo.InvariantCulture), work.Until - TimeSpan.FromMinutes(5),
            work.Until);
    }

    /// <summary>A restore whose time is over is ended on its host, by a node that thinks that there is time left; one that a node gives up,
    /// which thinks that its time is over, goes on.</summary>
    [Fact]
    public async Task Only_the_end_of_its_own_time_ends_a_restore()
    {
        await using var fleet = await Fleet.Start(databases);
        var (_, item) = await RestoreStepTests.Proven(fleet);
        var step = new StepSpec
        {
            Name = "files",
            Kind = StepKind.RestoreFiles,
            Timeout = TimeSpan.FromMinutes(4),
            Restore = new RestoreStep { Item = item.Id }
        };

        async Task<RunState> Given(TimeSpan off, TimeSpan left, int attempt)
        {
            var clock = new ShiftedTime(off);
            await using var books = await Books.Start(databases, shared: fleet.Node, clock: clock);
            using var stop = new CancellationTokenSource();
            var work = books.Get<StepExecutors>().Of(StepKind.RestoreFiles)!.CarryOut(Steps.StepBench.Work(step, attempt: attempt) with
            {
                Left = new TimeLeft(left, clock)
            }, stop.Token);
            await Books.Until(async () => (await fleet.Runs(JobKind.Restore)).Count == attempt);
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => work);
            return (await fleet.Runs(JobKind.Restore)).MaxBy(run => run.CreatedAt)!.State;
        }

        Assert.Equal(RunState.Cancelled, await Given(-Off, TimeSpan.Zero, 1));
        Assert.Equal(RunState.Queued, await Given(Off, TimeSpan.FromMinutes(4), 2));
    }
}
