using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using static BackupDr.Contracts.Tests.Rules.Runbooks.Drive;

namespace BackupDr.Contracts.Tests.Rules.Runbooks;

public sealed class ExecutionEvidenceTests
{
    static readonly RunbookSpec Spec = Book(
        Step("db", kind: StepKind.RestoreDatabase), Step("assert", "db", StepKind.DbAssert), Step("go", "assert", StepKind.Approval),
        Step("dns", "go"), Step("again", "dns", StepKind.DbReprotect) with { Modes = [ExecutionMode.Planned] },
        Step("late", "dns", StepKind.DbReprotect) with { Impact = StepImpact.Optional }) with
    { Targets = new RunbookTargets { Rto = TimeSpan.FromMinutes(10), Rpo = TimeSpan.FromMinutes(5) } };

    static readonly ExecutionFacts Facts = new("exe_1", "shop", 7, new string('a', 64), "ann", "the site burns");

    static EvidenceBody Evidence(Drive drive) => ExecutionEvidence.Of(Spec, drive.Execution, Facts);

    [Fact]
    public void It_tells_what_was_done_what_was_not_who_said_yes_and_what_was_reached()
    {
        var drive = new Drive(Spec).Done("db").Passes(TimeSpan.FromMinutes(2));
        drive.Happens(new ExecutionEvent
        {
            Kind = ExecutionEventKind.Reported,
            At = drive.Now,
            Step = "assert",
            Attempt = 1,
            Outcome = ActivityOutcome.Succeeded,
            Outputs = new Dictionary<string, string> { ["newest"] = $"{Start.AddSeconds(-301.5):O}", ["value"] = "x" },
        });
        drive.Says(ExecutionEventKind.Approved, "go", "bo").Passes(TimeSpan.FromMinutes(2)).Done("dns").Fails("late", "no disk");

        var body = Evidence(drive);

        Assert.Equal(ExecutionPhase.Ended, drive.Execution.Phase);
        Assert.Equal(("shop", "7", "disaster", "ann", "the site burns", "Succeeded"),
            (body.Runbook, body.RunbookVersion, body.Mode, body.RequestedBy, body.Why, body.Outcome));
        Assert.Equal(["db done 1", "assert done 1", "go done 1", "dns done 1", "late failed 1"],
            body.Steps!.Select(step => $"{step.Name} {step.Result} {step.Attempts}"));
        Assert.Equal("no disk", body.Steps![^1].Detail);
        Assert.Equal([new EvidenceOmission("again", "It is not done in disaster mode.")], body.NotDone);
        Assert.Equal(("go", "bo"), (Assert.Single(body.Approvals!).Step, Assert.Single(body.Approvals![0].By)));
        Assert.Equal(new EvidenceTarget("600", "240", "yes"), body.Rto);
        Assert.Equal(new EvidenceTarget("300", "301.5", "no"), body.Rpo);
        Assert.Empty(body.Deviations!);
        Assert.Empty(body.Leftovers!);
        Assert.NotNull(body.Steps![1].OutputDigest);
        Assert.Null(body.Steps[0].OutputDigest);
    }

    [Fact]
    public void What_a_person_answered_for_and_what_its_turn_did_not_come_for_are_told()
    {
        var drive = new Drive(Spec).Fails("db", "no space");
        drive.Says(ExecutionEventKind.ByHandSaid, "db", "ann", "restored it from tape", "bo").Done("assert");
        drive.Says(ExecutionEventKind.Refused, "go", "bo", "not yet").Says(ExecutionEventKind.StopAsked, text: "no");

        var body = Evidence(drive);

        Assert.Equal("Stopped", body.Outcome);
        Assert.Equal("db", Assert.Single(body.Deviations!).Name);
        Assert.Contains("restored it from tape", body.Deviations![0].Why, StringComparison.Ordinal);
        Assert.Equal(["by hand", "done", "failed"], body.Steps!.Select(step => step.Result));
        Assert.Contains(body.NotDone!, one => one is { Name: "dns" });
        Assert.Equal((null, null), (body.Rto, body.Rpo));   // the database was back, and nobody was served
    }

    [Fact]
    public void What_could_not_be_cleaned_up_is_told()
    {
        var drive = new Drive(Spec, ExecutionMode.Rehearsal).Done("db", "assert");
        while (drive.Execution.Phase != ExecutionPhase.Ended)
        {
            var work = drive.Execution.Steps.FirstOrDefault(step => step.Activity is not null);
            if (work is null) drive.Passes(TimeSpan.FromHours(1));
            else if (work.Activity == StepActivity.CleanUp) drive.Fails(work.Name, "it is stuck");
            else drive.Done(work.Name);
        }

        var body = Evidence(drive);

        Assert.Equal("rehearsal", body.Mode);
        Assert.Contains(body.Leftovers!, one => one is { Name: "db" });
        Assert.Contains(body.Steps!, step => step is { Name: "db", Detail: { } detail }
            && detail.Contains("could not be cleaned up", StringComparison.Ordinal));
    }
}
