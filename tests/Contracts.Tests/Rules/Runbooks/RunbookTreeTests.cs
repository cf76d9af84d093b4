using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using static BackupDr.Contracts.Tests.Rules.Runbooks.Drive;

namespace BackupDr.Contracts.Tests.Rules.Runbooks;

/// <summary>Runbooks that execute runbooks.</summary>
public sealed class RunbookTreeTests
{
    static StepSpec Child(string name, bool isFinal = false) => Step(name, kind: StepKind.Runbook) with
    {
        Runbook = new ChildRunbookSpec { Name = name },
        IsPointOfNoReturn = isFinal,
    };

    /// <summary>"a: b c, b: d" as runbooks; "x!" is a promotion.</summary>
    static (RunbookSpec First, List<KnownRunbook> All) Books(string text)
    {
        var specs = text.Split(", ").Select(one => one.Split(": ")).Select(one => (Name: one[0], Spec: Book([.. one[1].Split(' ')
            .Select(step => step == "-" ? Step("s") : step.EndsWith('!') ? Step(step[..^1], kind: StepKind.DbPromote)
                : Child(step))]))).ToList();
        return (specs[0].Spec, [.. specs.Select((one, at) => new KnownRunbook(new ExecutionPart(one.Name, default, at), one.Spec))]);
    }

    [Theory]
    [InlineData("a: -", "")]
    [InlineData("a: b c, b: d, c: -, d: -", "b d c")]
    [InlineData("a: b, b: c, c: d, d: -", "b c d")]
    [InlineData("a: B, b: -", "b")]
    public void What_is_executed_below_it_comes_in_order(string text, string parts)
    {
        var (first, all) = Books(text);

        var tree = new RunbookTree("a", first, all);

        Assert.Empty(tree.Problems);
        Assert.Equal(parts, string.Join(' ', tree.Parts.Select(one => one.Part.Name)));
    }

    [Theory]
    [InlineData("a: a", "steps.a.runbook.name", "in a circle: a executes a.")]
    [InlineData("a: b, b: c, c: b", "steps.b.runbook.name", "in a circle: a executes b executes c executes b.")]
    [InlineData("a: b, b: c, c: d, d: e, e: -", "steps.b.runbook.name", "More than 3 runbooks lie below each other")]
    [InlineData("a: b", "steps.b.runbook.name", "There is no runbook 'b'.")]
    [InlineData("a: b, b: c", "steps.b.runbook.name", "'b' executes 'c', and there is no such runbook.")]
    [InlineData("a: b c, b: c, c: -", "steps.c.runbook.name", "'c' is executed twice, by 'b' and by 'a'.")]
    [InlineData("a: b, b: db!", "steps.b.isPointOfNoReturn", "'b' has a point of no return, its step 'db'")]
    public void What_cannot_be_executed_is_said_at_the_step(string text, string place, string problem)
    {
        var (first, all) = Books(text);

        var found = Assert.Single(new RunbookTree("a", first, all).Problems);

        Assert.Equal(place, found.Place);
        Assert.Contains(problem, found.Problem, StringComparison.Ordinal);
        Assert.NotEmpty(found.Advice);
    }

    [Fact]
    public void What_says_that_there_is_no_return_may_execute_what_has_none()
        => Assert.Empty(new RunbookTree("a", Book(Child("b", isFinal: true)), Books("b: db!").All).Problems);

    [Fact]
    public void A_step_that_executes_a_runbook_names_one_and_no_other_step_does()
    {
        Assert.Contains(RunbookProblems.Of(Book(Step("a", kind: StepKind.Runbook))), one => one.Place == "steps.a.runbook");
        Assert.Contains(RunbookProblems.Of(Book(Child("b") with { Runbook = new() })), one => one.Place == "steps.b.runbook.name");
        Assert.Contains(RunbookProblems.Of(Book(Child("b") with { IsAlways = true })), one => one.Place == "steps.b.isAlways");
        Assert.Contains(RunbookProblems.Of(Book(Step("a", kind: StepKind.Wait) with { Runbook = new() { Name = "b" } })),
            one => one.Place == "steps.a.runbook");
        Assert.Empty(RunbookProblems.Of(Book(Child("b"))));
    }

    [Fact]
    public void What_is_held_waits_for_the_one_above_whatever_came_of_it_and_is_undone_or_counts_with_it()
    {
        var spec = Book(Step("dns") with { OnFailure = OnStepFailure.Stop }) with { Commit = new() { Disaster = TimeSpan.FromHours(1) } };
        Drive Held(ExecutionMode mode = ExecutionMode.Disaster) => new(spec, mode, isHeld: true);

        var good = Held().Done("dns");
        Assert.Equal((ExecutionPhase.AwaitingCommit, ExecutionOutcome.Succeeded, null), (good.Execution.Phase, good.Execution.Outcome,
            good.Execution.CommitUntil));
        Assert.Equal((ExecutionPhase.AwaitingCommit, null), (good.Passes(TimeSpan.FromDays(2)).Execution.Phase, good.Execution.NextChange));
        Assert.Equal((ExecutionPhase.Ended, ExecutionOutcome.Succeeded), (good.Says(ExecutionEventKind.CommitAsked).Execution.Phase,
            good.Execution.Outcome));

        var bad = Held().Fails("dns");
        Assert.Equal((ExecutionPhase.AwaitingCommit, ExecutionOutcome.Failed), (bad.Execution.Phase, bad.Execution.Outcome));
        Assert.Equal(["Compensate dns"], bad.Says(ExecutionEventKind.RollBackAsked).AtWork());
        Assert.Equal((ExecutionPhase.Ended, ExecutionOutcome.RolledBack), (bad.Done("dns").Execution.Phase, bad.Execution.Outcome));

        var stopped = Held().Says(ExecutionEventKind.StopAsked).Done("dns");
        Assert.Equal(ExecutionOutcome.Stopped, stopped.Says(ExecutionEventKind.CommitAsked).Execution.Outcome);

        var rehearsed = new Drive(Book(Step("dns", kind: StepKind.RestoreFiles)), ExecutionMode.Rehearsal, isHeld: true).Done("dns");
        Assert.Empty(rehearsed.AtWork());   // what was put up stays for the steps behind it
        Assert.Equal(["CleanUp dns"], rehearsed.Says(ExecutionEventKind.CommitAsked).AtWork());
        Assert.Equal(ExecutionPhase.Ended, rehearsed.Done("dns").Execution.Phase);
    }
}
