using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Fixtures;
using Npgsql;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>Executions go on whoever dies, and what a step does counts once.</summary>
public sealed class TakeOverTests(SchedulerDatabases databases)
{
    static readonly TimeSpan LeaseIsOver = ActivityTable.Lease + TimeSpan.FromSeconds(1);

    static StepSpec[] Shop =>
    [
        Books.Step("fence", kind: StepKind.ServiceStop), Books.Step("db", "fence"), Books.Step("files", "fence"),
        Books.Step("app", "db files"), Books.Step("tell", "app") with { IsAlways = true },
    ];

    static async Task<List<string>> Reported(Books books, ExecutionId id) => [.. (await books.Events(id))
        .Where(line => line.Event?.Kind == ExecutionEventKind.Reported).Select(line => $"{line.Event!.Step}/{line.Event.Attempt}")];

    [Fact]
    public async Task A_node_that_dies_at_any_boundary_is_followed_by_another_and_every_step_is_told_once()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Shop);
        for (var boundary = 0; boundary < Shop.Length * 3; boundary++)
        {
            books.Target.Calls.Clear();
            var id = await books.Execute(runbook.Id);

            Assert.False(await books.Carry(dieAt: boundary));
            Assert.True(await books.Carry());   // its lease still holds: nobody does that one again
            await books.Pass(LeaseIsOver);
            Assert.True(await books.Carry());

            var view = await books.Show(id);
            Assert.Equal((boundary, ExecutionPhase.Ended, ExecutionOutcome.Succeeded), (boundary, view.State.Phase, view.State.Outcome));
            Assert.Equal(["app/1", "db/1", "fence/1", "files/1", "tell/1"], (await Reported(books, id)).Order(StringComparer.Ordinal));
            // Done again only where nobody knows whether it was done, and then under the same name.
            Assert.Equal(5, books.Target.Calls.Select(call => call.Key).Distinct().Count());
            Assert.Equal(boundary % 3 == 1 ? 6 : 5, books.Target.Calls.Count);
            Assert.Empty(view.AtWork);
        }
    }

    [Fact]
    public async Task What_may_not_be_done_twice_is_not_done_again_and_two_persons_answer_for_it()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("move", kind: StepKind.Script), Books.Step("app", "move"));
        var id = await books.Execute(runbook.Id, ExecutionMode.Disaster);
        // As kinds do that can tell whether somebody was there before: it is the same attempt.
        books.Target.Answer = (work, _) => Task.FromResult(books.Target.Of(work.Step.Name).Count > 1
            ? StepResult.Unknown("A node that is gone began it.") : StepResult.Done("So."));
        await books.Carry(dieAt: 1);
        await books.Pass(LeaseIsOver);

        await books.Carry();

        Assert.Equal(["1", "1"], books.Target.Of("move"));
        var view = await books.Show(id);
        Assert.Equal((ExecutionPhase.Paused, true), (view.State.Phase, view.State.Steps[0].IsOpen));
        Assert.Contains("look before it is done again", view.State.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_report_of_who_lost_the_lease_counts_for_nothing()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("app"));
        var id = await books.Execute(runbook.Id);
        var late = Assert.Single(await books.Get<ActivityTable>().Claim("one", 1, Books.NoStop));
        await books.Pass(LeaseIsOver);
        var other = Assert.Single(await books.Get<ActivityTable>().Claim("two", 1, Books.NoStop));

        await books.Get<ActivityWork>().Take(id, [ActivityWork.ReportOf(late, StepResult.Failed("It is late."))], Books.NoStop);
        Assert.Equal(StepPhase.Running, (await books.State(id, "app")).Phase);
        await books.Get<ActivityWork>().Take(id, [ActivityWork.ReportOf(other, StepResult.Done("So."))], Books.NoStop);
        await books.Get<ActivityWork>().Take(id, [ActivityWork.ReportOf(other, StepResult.Done("So."))], Books.NoStop);

        Assert.Equal(ExecutionOutcome.Succeeded, (await books.Show(id)).State.Outcome);
        Assert.Equal((late.Attempt, 2), (other.Attempt, other.Takes));
        Assert.Single(await Reported(books, id));
    }

    [Fact]
    public async Task Two_nodes_share_an_execution_and_one_that_stops_gives_back_what_it_had()
    {
        var target = new Target();
        await using var calm = await Books.Start(databases, target);
        var runbook = await calm.Make("shop", [.. Enumerable.Range(0, 12).Select(number => Books.Step($"s{number}",
            number < 4 ? "" : $"s{number - 4}"))]);
        var isHeld = true;
        target.Answer = async (work, ct) =>
        {
            if (work.Step.Name == "s1" && Volatile.Read(ref isHeld)) await Task.Delay(Timeout.Infinite, ct);
            return StepResult.Done("So.");
        };
        var one = await Books.Start(databases, target, calm.Node, "one", loops: true);
        var id = await calm.Execute(runbook.Id);
        await Books.Until(async () => (await calm.State(id, "s10")).Phase == StepPhase.Done && target.Of("s1").Count == 1);

        Volatile.Write(ref isHeld, false);
        await using var two = await Books.Start(databases, target, calm.Node, "two", loops: true);
        await one.Node.App.StopAsync();
        await one.DisposeAsync();
        var view = await calm.Ended(id);

        Assert.Equal(ExecutionOutcome.Succeeded, view.State.Outcome);
        Assert.Equal(["1", "1"], target.Of("s1"));   // the same attempt, by another node
        Assert.All(Enumerable.Range(0, 12).Where(number => number != 1), number => Assert.Single(target.Of($"s{number}")));
        Assert.Equal(12, (await Reported(calm, id)).Distinct().Count());
    }

    [Fact]
    public async Task Time_ends_what_takes_too_long_and_its_answer_counts_no_more()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("app") with { Retries = 1 });
        var id = await books.Execute(runbook.Id);
        var first = Assert.Single(await books.Get<ActivityTable>().Claim("one", 1, Books.NoStop));

        await books.Pass(TimeSpan.FromMinutes(5));
        Assert.Empty((await books.Show(id)).AtWork);
        await books.Get<ActivityWork>().Take(id, [ActivityWork.ReportOf(first, StepResult.Done("Late."))], Books.NoStop);
        await books.Pass(TimeSpan.FromSeconds(5));
        Assert.Equal(2, (await books.State(id, "app")).Attempt);
        await books.Pass(TimeSpan.FromMinutes(5));

        var view = await books.Show(id);
        Assert.Equal((ExecutionPhase.Paused, true), (view.State.Phase, view.State.Steps[0].IsOpen));
        Assert.Empty(await Reported(books, id));
        Assert.Equal(0, await books.Get<ActivityWork>().Due(Books.NoStop));   // nothing waits for time any more
    }

    [Fact]
    public async Task A_database_that_fails_over_in_the_middle_of_a_step_is_no_failure_of_the_step()
    {
        await using var books = await Books.Start(databases);
        books.Target.Answer = (work, _) => books.Target.Of("move").Count == 1 ? throw new NpgsqlException("The server is gone.")
            : Task.FromResult(StepResult.Done("So."));
        var runbook = await books.Make("shop", Books.Step("move", kind: StepKind.Script));
        var id = await books.Execute(runbook.Id, ExecutionMode.Disaster);
        var claimed = Assert.Single(await books.Get<ActivityTable>().Claim("one", 1, Books.NoStop));

        await Assert.ThrowsAsync<NpgsqlException>(() => books.Get<CarryOut>().Do(claimed, Books.NoStop));
        await books.Pass(LeaseIsOver);
        await books.Carry();

        Assert.Equal(ExecutionOutcome.Succeeded, (await books.Show(id)).State.Outcome);
        Assert.Equal(["1", "1"], books.Target.Of("move"));   // under the same name: what it talks to can tell
    }

    [Fact]
    public async Task An_agent_that_is_lost_in_the_middle_is_asked_until_the_time_ends_and_what_may_not_be_done_twice_waits_for_a_person()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("move", kind: StepKind.Script) with { Retries = 3 });
        var id = await books.Execute(runbook.Id, ExecutionMode.Disaster);
        var asked = Assert.Single(await books.Get<ActivityTable>().Claim("one", 1, Books.NoStop));

        await books.Pass(TimeSpan.FromMinutes(5));
        await books.Pass(TimeSpan.FromMinutes(5));
        await books.Get<ActivityWork>().Take(id, [ActivityWork.ReportOf(asked, StepResult.Done("It came back."))], Books.NoStop);

        var view = await books.Show(id);
        Assert.Equal((ExecutionPhase.Paused, 1, true), (view.State.Phase, view.State.Steps[0].Attempt, view.State.Steps[0].IsOpen));
        Assert.Contains("It did not end within 00:05:00. Nobody knows whether it was done", view.State.Reason, StringComparison.Ordinal);
        await books.Act(TestNode.Admin, id, ExecutionAction.Retry, "move");   // a person looked, and takes it on himself
        await books.Carry();
        Assert.Equal((ExecutionOutcome.Succeeded, "2"), ((await books.Show(id)).State.Outcome, Assert.Single(books.Target.Of("move"))));
    }

    [Fact]
    public async Task An_outputs_value_reaches_the_steps_behind_it()
    {
        await using var books = await Books.Start(databases);
        var seen = new List<string?>();
        books.Target.Answer = (work, _) =>
        {
            seen.Add(work.Step.Title);
            return Task.FromResult(StepResult.Done("So.", new Dictionary<string, string> { ["host"] = "db-2" }));
        };
        var runbook = await books.Make("shop", Books.Step("db"), Books.Step("app", "db") with { Title = "on ${db.host}" },
            Books.Step("web", "db app") with { Title = "on ${db.port}" });
        var id = await books.Execute(runbook.Id);

        await books.Carry();

        Assert.Equal([null, "on db-2"], seen);
        Assert.Contains("did not give 'port'", (await books.State(id, "web")).Reason, StringComparison.Ordinal);
    }
}
