using System.Collections.Concurrent;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>Runbooks that execute runbooks: in one mode, undone and ended together, and never twice.</summary>
public sealed class ChildRunbookTests(SchedulerDatabases databases)
{
    static StepSpec Child(string name, string runbook, string needs = "") => Books.Step(name, needs, StepKind.Runbook) with
    {
        Runbook = new ChildRunbookSpec { Name = runbook }
    };

    static async Task<ExecutionView> ChildOf(Books books, ExecutionId parent)
    {
        ExecutionSummary? found = null;
        await Books.Until(async () => (found = (await books.Get<ListExecutions>().Handle(TestNode.Admin, new ListExecutionsRequest(),
            Books.NoStop)).FirstOrDefault(one => one.Parent == parent)) is not null);
        return await books.Show(found!.Id);
    }

    static Task Phase(Books books, ExecutionId id, ExecutionPhase phase)
        => Books.Until(async () => (await books.Show(id)).State.Phase == phase);

    static async Task<List<EvidenceEntry>> Proofs(Books books) => [.. (await books.Get<ListEvidence>().Handle(TestNode.Admin,
        new ListEvidenceRequest { Kind = "execution" }, Books.NoStop)).Entries];

    [Fact]
    public async Task A_child_is_executed_once_whichever_node_waits_for_it_and_is_part_of_the_evidence()
    {
        var target = new Target();
        var held = new ConcurrentDictionary<string, bool> { ["db"] = true };
        target.Answer = async (work, ct) =>
        {
            while (held.ContainsKey(work.Step.Name)) await Task.Delay(TimeSpan.FromMilliseconds(50), ct);
            return StepResult.Done("So.", new Dictionary<string, string> { ["takenAt"] = "2026-01-01T00:00:00Z" });
        };
        await using var calm = await Books.Start(databases, target);
        await calm.Make("shop-db", Books.Step("db"), Books.Step("never", "db") with { Modes = [ExecutionMode.Failback] });
        var site = await calm.Make("site", Child("shop", "shop-db"), Books.Step("web", "shop"));
        Assert.Empty(site.Problems);
        var one = await Books.Start(databases, target, calm.Node, "one", loops: true);
        var id = await calm.Execute(site.Id, ExecutionMode.Disaster);
        var child = await ChildOf(calm, id);
        await Books.Until(() => Task.FromResult(target.Of("db").Count == 1));

        await using var two = await Books.Start(databases, target, calm.Node, "two", loops: true);
        await one.Node.App.StopAsync();
        await one.DisposeAsync();
        held.Clear();
        var view = await calm.Ended(id);
        var below = await calm.Ended(child.Summary.Id);

        Assert.Equal((ExecutionOutcome.Succeeded, ExecutionOutcome.Succeeded), (view.State.Outcome, below.State.Outcome));
        Assert.Equal((ExecutionMode.Disaster, id, "site", 1), (below.Summary.Mode, below.Summary.Parent, view.Summary.RunbookName,
            view.Summary.Parts!.Count));
        Assert.Equal(2, (await calm.Get<ListExecutions>().Handle(TestNode.Admin, new ListExecutionsRequest(), Books.NoStop)).Count);
        Assert.True(below.State.EndedAt >= view.State.EndedAt, "the child ended before its parent, and could not be undone any more");
        Assert.Equal($"{child.Summary.Id}", view.State.Steps[0].Outputs["execution"]);
        var proofs = await Proofs(calm);
        var (above, part) = (proofs.Single(one => one.Body.PartOf is null).Body, proofs.Single(one => one.Body.PartOf == $"{id}").Body);
        Assert.Equal(("shop", $"{child.Summary.Id}", "shop-db", "Succeeded"), Assert.Single(above.Parts!) is var told
            ? (told.Step, told.Execution, told.Runbook, told.Outcome) : default);
        Assert.Contains(above.NotDone!, one => one is { Name: "shop/never", Why: "It is not done in disaster mode." });
        Assert.Equal("shop-db", part.Runbook);
        Assert.Equal(0, await calm.Node.Db.Scalar<long>("select count(*) from execution_item", [], Books.NoStop));
    }

    [Fact]
    public async Task What_a_child_did_is_undone_with_the_rest()
    {
        var target = new Target
        {
            Answer = (work, _) => Task.FromResult(work is { Step.Name: "web", Activity: StepActivity.Execute }
                ? StepResult.Failed("No route.") : StepResult.Done("So.")),
        };
        await using var books = await Books.Start(databases, target, loops: true);
        await books.Make("db", Books.Step("db"));
        await books.Make("shop", Child("inner", "db"), Books.Step("app", "inner"));
        var site = await books.Make("site", Child("shop", "shop"), Books.Step("web", "shop") with { OnFailure = OnStepFailure.RollBack });

        var view = await books.Ended(await books.Execute(site.Id));

        Assert.Equal((ExecutionOutcome.RolledBack, AfterwardsState.Done, false), (view.State.Outcome, view.State.Steps[0].Undone,
            view.State.HasLeftovers));
        Assert.Equal(["web", "app", "db"], target.Calls.Where(call => call.Activity == StepActivity.Compensate)
            .Select(call => call.Key.Split('/')[1]));
        Assert.All(await books.Get<ListExecutions>().Handle(TestNode.Admin, new ListExecutionsRequest(), Books.NoStop),
            one => Assert.Equal((ExecutionPhase.Ended, ExecutionOutcome.RolledBack), (one.Phase, one.Outcome)));
        Assert.Equal(["shop", "shop/inner"], (await Proofs(books)).Single(one => one.Body.PartOf is null).Body.Parts!
            .Select(one => one.Step));
    }

    [Fact]
    public async Task What_a_person_does_goes_down_and_what_fails_below_fails_above()
    {
        var target = new Target();
        var held = new ConcurrentDictionary<string, bool> { ["db"] = true };
        target.Answer = async (work, ct) =>
        {
            while (held.ContainsKey(work.Step.Name)) await Task.Delay(TimeSpan.FromMilliseconds(50), ct);
            return StepResult.Done("So.");
        };
        await using var books = await Books.Start(databases, target, loops: true);
        await books.Make("db", Books.Step("db"), Books.Step("app", "db"));
        var site = await books.Make("site", Child("shop", "db"));
        var id = await books.Execute(site.Id);
        var child = (await ChildOf(books, id)).Summary.Id;

        await books.Act(TestNode.Admin, id, ExecutionAction.Pause);
        await Phase(books, child, ExecutionPhase.Paused);
        await books.Act(TestNode.Admin, id, ExecutionAction.Resume);
        await Phase(books, child, ExecutionPhase.Running);
        await Assert.ThrowsAsync<ConflictException>(() => books.Act(TestNode.Admin, child, ExecutionAction.Commit));
        await books.Act(TestNode.Admin, child, ExecutionAction.Stop, text: "Not this one.");
        held.Clear();
        await Phase(books, id, ExecutionPhase.Paused);

        var view = await books.Show(id);
        Assert.True(view.State.Steps[0].IsOpen);
        Assert.Contains("'db' did not succeed (Stopped): ", view.State.Reason, StringComparison.Ordinal);
        Assert.Contains("stopped it: Not this one.", view.State.Reason, StringComparison.Ordinal);
        held["db"] = true;
        await books.Act(TestNode.Admin, id, ExecutionAction.Retry, "shop");
        await Phase(books, child, ExecutionPhase.Ended);   // the former try makes room
        await Books.Until(() => Task.FromResult(target.Of("db").Count == 2));
        await books.Act(TestNode.Admin, id, ExecutionAction.Stop, text: "Enough.");
        var again = (await books.Get<ListExecutions>().Handle(TestNode.Admin, new ListExecutionsRequest(), Books.NoStop))
            .Single(one => one.Parent == id && one.Id != child).Id;
        await Phase(books, again, ExecutionPhase.Stopping);
        held.Clear();
        Assert.Equal(ExecutionOutcome.Stopped, (await books.Ended(id)).State.Outcome);
        Assert.Equal(ExecutionOutcome.Stopped, (await books.Ended(again)).State.Outcome);
        Assert.Empty(target.Of("app"));
    }

    [Fact]
    public async Task A_rehearsal_of_one_rehearses_both_and_a_change_below_wants_another()
    {
        var target = new Target();
        await using var books = await Books.Start(databases, target, loops: true);
        var below = await books.Make("db", Books.Step("db"));
        var site = await books.Make("site", Child("shop", "db"), Books.Step("web", "shop"));

        var view = await books.Ended(await books.Execute(site.Id, ExecutionMode.Rehearsal));

        Assert.Equal((ExecutionOutcome.Succeeded, false), (view.State.Outcome, view.State.HasLeftovers));
        Assert.Equal(["web", "db"], target.Calls.Where(call => call.Activity == StepActivity.CleanUp).Select(call
            => call.Key.Split('/')[1]));
        Assert.Equal((RunbookState.Ready, RunbookState.Ready), ((await books.Show(site.Id)).State, (await books.Show(below.Id)).State));
        await books.Get<EditRunbook>().Handle(TestNode.Admin, new EditRunbookRequest(below.Id, "db", below.Spec with { AtOnce = 3 }),
            Books.NoStop);
        Assert.Equal(RunbookState.NeedsRehearsal, (await books.Show(site.Id)).State);
    }

    [Fact]
    public async Task Nothing_is_executed_twice_whether_alone_or_as_a_part()
    {
        await using var fleet = await Fleet.Start(databases);
        await using var books = await Books.Start(databases, shared: fleet.Node);
        await fleet.ProtectReady(await fleet.AddHost(), "/srv/data");
        var item = (await fleet.OnlyItem()).Id;
        var files = Books.Step("files", kind: StepKind.RestoreFiles) with { Restore = new RestoreStep { Item = item } };
        var below = await books.Make("db", files);
        var site = await books.Make("site", Child("shop", "db"));
        var other = await books.Make("other", files);
        async Task Busy(RunbookId runbook, string what)
        {
            var busy = await Assert.ThrowsAsync<ConflictException>(() => books.Execute(runbook));
            Assert.Equal("execution.busy", busy.Code);
            Assert.Contains(what, busy.Message, StringComparison.Ordinal);
        }

        var alone = await books.Execute(below.Id);
        await Busy(site.Id, $"'db' is being executed already: {alone}");
        await books.Act(TestNode.Admin, alone, ExecutionAction.RollBack);
        await books.Carry();
        var id = await books.Execute(site.Id);
        await Busy(below.Id, $"is a part of another execution: {id} of 'site'");
        await Busy(other.Id, "is part of another execution");

        // What it executes is decided: the next version of what is below is for the next execution.
        await books.Get<EditRunbook>().Handle(TestNode.Admin, new EditRunbookRequest(below.Id, "db", below.Spec with { AtOnce = 3 }),
            Books.NoStop);
        await books.Get<ExecutionStart>().BeginPart(id, Child("shop", "db"), ExecutionId.New(TimeProvider.System), Books.NoStop);
        Assert.Equal(1, (await ChildOf(books, id)).Summary.Version);
    }

    [Fact]
    public async Task What_would_execute_itself_is_refused_when_it_is_saved_and_files_may_name_each_other()
    {
        await using var books = await Books.Start(databases);
        static string Yaml(string name, string steps)
            => $"apiVersion: backupdr/v1\nkind: Runbook\nname: {name}\nspec:\n  steps:\n{steps}\n";
        static string Executes(string name) => $"    - {{ name: below, kind: Runbook, timeout: 1h, runbook: {{ name: {name} }} }}";
        Task<RunbooksApplied> Apply(params IReadOnlyList<string> texts) => books.Get<Scheduler.Runbooks.Documents.ApplyRunbooks>().Handle(
            TestNode.Admin, new ApplyRunbooksRequest { Files = [.. texts.Select((text, at) => new DocumentFile($"{at}.yaml", text))] },
            Books.NoStop);

        await Apply(Yaml("site", Executes("shop")), Yaml("shop", "    - { name: settle, kind: Wait, timeout: 2m, for: 1m }"));
        var circle = await Assert.ThrowsAsync<BadInputException>(() => Apply(Yaml("shop", Executes("site"))));
        var check = await books.Get<Scheduler.Runbooks.Documents.CheckRunbook>().Handle(TestNode.Admin,
            new CheckRunbookRequest(Yaml("shop", Executes("sites"))), Books.NoStop);

        Assert.StartsWith("0.yaml:6:", circle.Message, StringComparison.Ordinal);
        Assert.Contains("in a circle: shop executes site executes shop.", circle.Message, StringComparison.Ordinal);
        Assert.Contains("There is no runbook 'sites'.", Assert.Single(check.Faults).Problem, StringComparison.Ordinal);
        Assert.All(await books.Get<ListRunbooks>().Handle(TestNode.Admin, new ListRunbooksRequest(), Books.NoStop),
            one => Assert.Equal(1, one.Version));
    }
}
