using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using static BackupDr.Contracts.Tests.Rules.Runbooks.Drive;

namespace BackupDr.Contracts.Tests.Rules.Runbooks;

public sealed class StepTimesTests
{
    static TimeSpan Minutes(double minutes) => TimeSpan.FromMinutes(minutes);

    /// <summary>An execution whose steps are done one after the other, each after so many minutes.</summary>
    static (RunbookSpec Spec, Execution State) Executed(RunbookSpec spec, ExecutionMode mode, params (string Step, double Minutes)[] took)
    {
        var drive = new Drive(spec, mode);
        foreach (var (step, minutes) in took)
        {
            drive.Passes(Minutes(minutes));
            if (spec.Steps.Single(one => one.Name == step).Kind == StepKind.Approval) drive.Says(ExecutionEventKind.Approved, step);
            else drive.Done(step);
        }
        return (spec, drive.Execution);
    }

    [Fact]
    public void A_step_takes_the_median_of_its_newest_times()
    {
        var spec = Book(Step("db"));
        var times = StepTimes.Of(spec, [.. new double[] { 3, 1, 2, 4, 2.5, 4, 4 }.Select(minutes
            => Executed(spec, ExecutionMode.Disaster, ("db", minutes)))]);

        Assert.Equal([new StepTime("db", Minutes(2.5), Minutes(4), StepTimes.MostCounted)], times);
    }

    [Fact]
    public void What_a_rehearsal_only_looked_at_or_took_for_given_says_nothing()
    {
        var spec = Book(Step("db", kind: StepKind.RestoreDatabase), Step("go", "db", StepKind.Approval), Step("dns", "go"));
        var rehearsal = Executed(spec, ExecutionMode.Rehearsal, ("db", 4), ("dns", 1));

        Assert.Equal(ExecutionPhase.CleaningUp, rehearsal.State.Phase);
        Assert.Equal(["db"], StepTimes.Of(spec, [rehearsal]).Select(time => time.Step));
        var real = Executed(spec, ExecutionMode.Disaster, ("db", 2), ("go", 3), ("dns", 1));
        Assert.Equal([("db", Minutes(4), 2), ("go", Minutes(3), 1), ("dns", Minutes(1), 1)],
            StepTimes.Of(spec, [rehearsal, real]).Select(time => (time.Step, time.Typical, time.Times)));
    }

    [Fact]
    public void What_failed_was_answered_for_or_was_another_step_then_says_nothing()
    {
        var spec = Book(Step("db"));
        var failed = (spec, new Drive(spec).Passes(Minutes(1)).Fails("db").Execution);
        var byHand = (spec, new Drive(spec).Fails("db").Passes(Minutes(1)).Says(ExecutionEventKind.ByHandSaid, "db", "ann", "so", "bo")
            .Execution);
        var other = Executed(Book(Step("db", kind: StepKind.Script)), ExecutionMode.Disaster, ("db", 3));

        Assert.Empty(StepTimes.Of(spec, [failed, byHand, other]));
    }

    [Fact]
    public void The_path_is_the_longest_way_to_a_critical_step()
    {
        var spec = Book(
            Step("db"), Step("files"), Step("app", "db files"), Step("settle", "app", StepKind.Wait),
            Step("dns", "settle") with { Retries = 1, RetryAfter = Minutes(1) },
            Step("again", "dns") with { Impact = StepImpact.Optional },
            Step("fence") with { Modes = [ExecutionMode.Planned] }, Step("tell") with { IsAlways = true });
        StepTime[] times = [Time("db", 20), Time("files", 5), Time("app", 2), Time("again", 60), Time("fence", 90), Time("tell", 90)];

        var path = RunbookPath.Of(new RunbookGraph(spec), times, ExecutionMode.Disaster);
        var planned = RunbookPath.Of(new RunbookGraph(spec), times, ExecutionMode.Planned);

        Assert.Equal(Minutes(23), path.Length);
        Assert.Equal([("db", 20), ("app", 2), ("settle", 1)], path.Steps.Select(step => (step.Step, (int)step.Length.TotalMinutes)));
        Assert.Equal(["dns"], path.Unknown);
        Assert.Equal(Minutes(5 + 5 + 1 + 2 * 5 + 1), path.AtMost);   // a time-out each, the wait, two tries and the pause between them
        Assert.Equal((Minutes(90), "fence"), (planned.Length, Assert.Single(planned.Steps).Step));
    }

    static StepTime Time(string step, double minutes) => new(step, Minutes(minutes), Minutes(minutes), 1);
}
