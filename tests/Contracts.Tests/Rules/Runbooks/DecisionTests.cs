using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using static BackupDr.Contracts.Tests.Rules.Runbooks.Drive;

namespace BackupDr.Contracts.Tests.Rules.Runbooks;

/// <summary>What an execution does next.</summary>
public sealed class DecisionTests
{
    static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public void Steps_begin_when_what_they_need_is_done_and_side_by_side_otherwise()
    {
        var drive = new Drive(Book(Step("db"), Step("files"), Step("check", "db"), Step("app", "check files")));

        Assert.Equal(["Execute db", "Execute files"], drive.Begun);
        Assert.Equal(["Execute check", "Execute app"], drive.Done("db").Done("files").Done("check").Begun.Skip(2));
        drive.Done("app");

        Assert.Equal((ExecutionPhase.Ended, ExecutionOutcome.Succeeded), (drive.Execution.Phase, drive.Execution.Outcome));
    }

    [Fact]
    public void No_more_steps_are_at_work_than_the_runbook_allows()
    {
        var drive = new Drive(Book([.. Enumerable.Range(0, 5).Select(number => Step($"s{number}"))]) with { AtOnce = 2 });

        Assert.Equal(["Execute s0", "Execute s1"], drive.Begun);
        Assert.Equal(["Execute s0", "Execute s2"], drive.Done("s1").AtWork());
    }

    [Fact]
    public void A_step_that_fails_is_tried_again_later_each_time_after_twice_the_wait()
    {
        var drive = new Drive(Book(Step("dns") with { Retries = 2, RetryAfter = Minute }));

        drive.Fails("dns").Passes(Minute / 2);
        Assert.Empty(drive.AtWork());
        drive.Passes(Minute / 2);
        Assert.Equal((2, StepPhase.Running), (drive["dns"].Attempt, drive["dns"].Phase));
        drive.Fails("dns").Passes(Minute);
        Assert.Empty(drive.AtWork());
        drive.Passes(Minute);
        drive.Fails("dns");

        Assert.Equal((ExecutionPhase.Paused, true), (drive.Execution.Phase, drive["dns"].IsOpen));
        Assert.Equal(3, drive.Begun.Count);
    }

    [Fact]
    public void A_report_of_an_earlier_attempt_changes_nothing()
    {
        var drive = new Drive(Book(Step("dns") with { Retries = 1 }));
        drive.Passes(TimeSpan.FromMinutes(6));   // its time ended
        drive.Passes(Minute);
        Assert.Equal(2, drive["dns"].Attempt);

        drive.Reported("dns", ActivityOutcome.Succeeded, attempt: 1);

        Assert.Equal(StepPhase.Running, drive["dns"].Phase);
    }

    [Fact]
    public void What_may_have_been_done_is_not_done_again_unless_it_may_be()
    {
        var repeatable = new Drive(Book(Step("dns") with { Retries = 3 }));
        repeatable.Reported("dns", ActivityOutcome.Unknown, "its agent is gone").Passes(Minute);
        Assert.Equal(2, repeatable["dns"].Attempt);

        var script = new Drive(Book(Step("script", kind: StepKind.Script) with { Retries = 3, OnFailure = OnStepFailure.RollBack }));
        script.Reported("script", ActivityOutcome.Unknown, "its agent is gone").Passes(Minute);

        Assert.Equal((1, ExecutionPhase.Paused), (script["script"].Attempt, script.Execution.Phase));
        Assert.Contains("Nobody knows whether it was done", script.Told[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_person_chooses_for_a_step_that_failed_a_second_one_agrees_where_it_is_critical_and_the_rest_goes_on()
    {
        var drive = new Drive(Book(Step("dns"), Step("app", "dns")));
        drive.Fails("dns");

        Assert.Equal("Say why, or what was seen.", drive.Refusal(ExecutionEventKind.SkipAsked, "dns", second: "bo"));
        Assert.Equal("It is critical: a second person has to agree.",
            drive.Refusal(ExecutionEventKind.ByHandSaid, "dns", text: "dig shows it", second: "ann"));
        Assert.Equal("The step 'dns' waits for a choice.", drive.Refusal(ExecutionEventKind.ResumeAsked));
        drive.Says(ExecutionEventKind.ByHandSaid, "dns", text: "dig shows it", second: "bo");

        Assert.Equal((StepPhase.ByHand, true), (drive["dns"].Phase, drive["dns"].IsDeviation));
        Assert.Equal(["Execute app"], drive.AtWork());
        Assert.Equal(ExecutionOutcome.Succeeded, drive.Done("app").Execution.Outcome);
    }

    [Fact]
    public void Retrying_is_one_more_attempt_with_all_its_tries()
    {
        var drive = new Drive(Book(Step("dns") with { Retries = 1, RetryAfter = Minute }));
        drive.Fails("dns").Passes(Minute).Fails("dns").Says(ExecutionEventKind.RetryAsked, "dns");

        Assert.Equal((3, ExecutionPhase.Running), (drive["dns"].Attempt, drive.Execution.Phase));
        Assert.Equal(4, drive.Fails("dns").Passes(Minute)["dns"].Attempt);
    }

    [Fact]
    public void An_optional_step_that_fails_is_told_and_the_others_go_on()
    {
        var drive = new Drive(Book(Step("cache") with { Impact = StepImpact.Optional }, Step("app", "cache")));

        drive.Fails("cache", "no route").Done("app");

        Assert.Equal(ExecutionOutcome.Succeeded, drive.Execution.Outcome);
        Assert.Contains(drive.Told, text => text.Contains("no route", StringComparison.Ordinal));
    }

    [Fact]
    public void Stopping_lets_what_is_at_work_end_and_does_what_is_always_done()
    {
        var drive = new Drive(Book(Step("db"), Step("app", "db"), Step("tell", kind: StepKind.Notify) with { IsAlways = true }));

        drive.Says(ExecutionEventKind.StopAsked, text: "wrong site");
        Assert.Equal(["Execute db"], drive.AtWork());
        drive.Done("db");
        Assert.Equal(["Execute tell"], drive.AtWork());
        drive.Done("tell");

        Assert.Equal(ExecutionOutcome.Stopped, drive.Execution.Outcome);
        Assert.Equal("The execution was stopped: ann stopped it: wrong site.", drive["app"].Reason);
    }

    [Fact]
    public void Rolling_back_undoes_the_last_first_and_what_was_not_begun_not_at_all()
    {
        var drive = new Drive(Book(Step("db", kind: StepKind.RestoreDatabase), Step("app", "db", StepKind.ServiceStart),
            Step("dns", "app") with { OnFailure = OnStepFailure.RollBack }, Step("lb", "dns", StepKind.LbSwitch)));
        drive.Done("db").Done("app").Fails("dns");

        Assert.Equal(["Compensate dns"], drive.AtWork());
        Assert.Equal(["Compensate app"], drive.Done("dns").AtWork());
        Assert.Equal(["Compensate db"], drive.Done("app").AtWork());
        drive.Done("db");

        Assert.Equal((ExecutionPhase.Ended, ExecutionOutcome.RolledBack), (drive.Execution.Phase, drive.Execution.Outcome));
        Assert.Equal((StepPhase.LeftOut, AfterwardsState.None), (drive["lb"].Phase, drive["lb"].Undone));
    }

    [Fact]
    public void What_cannot_be_undone_is_tried_three_times_and_told_and_the_rest_is_undone()
    {
        var drive = new Drive(Book(Step("app", kind: StepKind.ServiceStart), Step("dns", "app")));
        drive.Done("app").Says(ExecutionEventKind.RollBackAsked, text: "no");
        Assert.Equal("It is being rolled back.", drive.Refusal(ExecutionEventKind.RollBackAsked));
        drive.Done("dns");   // it was at work, and came to its end
        foreach (var _ in Enumerable.Range(0, 3)) drive.Fails("dns", "refused").Passes(Minute);

        Assert.Equal(AfterwardsState.Failed, drive["dns"].Undone);
        Assert.Contains("The step 'dns' could not be undone: refused Somebody has to do it by hand.", drive.Told);
        Assert.True(drive.Done("app").Execution is { Phase: ExecutionPhase.Ended, HasLeftovers: true });
    }

    [Fact]
    public void After_the_point_of_no_return_a_person_chooses_and_nothing_is_rolled_back()
    {
        var drive = new Drive(Book(Step("promote", kind: StepKind.DbPromote), Step("dns", "promote") with
        {
            OnFailure = OnStepFailure.RollBack
        }));

        drive.Done("promote").Fails("dns");

        Assert.Equal((ExecutionPhase.Paused, true), (drive.Execution.Phase, drive.Execution.IsPastReturn));
        Assert.Equal("The point of no return was passed.", drive.Refusal(ExecutionEventKind.RollBackAsked));
    }

    [Fact]
    public void Going_back_does_a_step_and_what_follows_it_again_three_times_at_most()
    {
        var drive = new Drive(Book(Step("restore", kind: StepKind.RestoreFiles), Step("check", "restore", StepKind.DbAssert) with
        {
            OnFailure = OnStepFailure.GoTo,
            GoTo = "restore"
        }));
        for (var again = 0; again < StepSpec.MostReturns; again++)
        {
            drive.Done("restore").Fails("check");
            Assert.Equal(["Execute restore"], drive.AtWork());
        }

        drive.Done("restore").Fails("check");

        Assert.Equal(ExecutionPhase.Paused, drive.Execution.Phase);
        Assert.Equal((4, 4), (drive["restore"].Attempt, drive["check"].Attempt));
    }

    [Fact]
    public void A_wait_ends_by_itself_and_an_approval_by_enough_people_by_a_no_or_by_its_time()
    {
        var spec = Book(Step("pause", kind: StepKind.Wait), Step("go", "pause", StepKind.Approval) with { Approval = new() { Of = 2 } });
        var drive = new Drive(spec);
        Assert.Empty(drive.AtWork());
        drive.Passes(Minute);
        drive.Says(ExecutionEventKind.Approved, "go");
        Assert.Equal("ann said yes already.", drive.Refusal(ExecutionEventKind.Approved, "go"));
        Assert.Equal(ExecutionOutcome.Succeeded, drive.Says(ExecutionEventKind.Approved, "go", "bo").Execution.Outcome);

        var refused = new Drive(spec).Passes(Minute).Says(ExecutionEventKind.Refused, "go", text: "not now");
        Assert.Equal("The step 'go' failed: ann said no: not now.", refused.Execution.Reason);
        var late = new Drive(spec).Passes(Minute).Passes(TimeSpan.FromMinutes(5));
        Assert.Equal("Not enough people said yes within 00:05:00.", late["go"].Reason);
        Assert.Equal("Nobody is asked.", late.Refusal(ExecutionEventKind.Approved, "go"));
    }

    [Fact]
    public void A_rehearsal_looks_where_doing_would_hurt_and_takes_down_what_it_put_up_whatever_happened()
    {
        var spec = Book(Step("fence", kind: StepKind.Fence), Step("db", "fence", StepKind.RestoreDatabase),
            Step("app", "db", StepKind.ServiceStart), Step("go", "app", StepKind.Approval), Step("dns", "go"),
            Step("protect", "dns", StepKind.DbReprotect), Step("live", "db") with { Modes = [ExecutionMode.Disaster] });
        var drive = new Drive(spec, ExecutionMode.Rehearsal);
        drive.Done("fence", "db", "app");
        Assert.Equal(["Simulate dns"], drive.AtWork());
        drive.Fails("dns");   // a rehearsal asks nobody: it stops, and cleans up
        Assert.Equal(["Execute app", "Simulate dns", "CleanUp app"], drive.Begun.Skip(2));
        drive.Done("app").Done("db");

        Assert.Equal((ExecutionPhase.Ended, ExecutionOutcome.Failed), (drive.Execution.Phase, drive.Execution.Outcome));
        Assert.Equal(["fence", "go", "dns"], drive.Execution.Steps
            .Where(step => step.CleanedUp == AfterwardsState.None && step.BeganAt is not null).Select(step => step.Name));
        Assert.Equal("It is left out in rehearsals.", drive["protect"].Reason);
        Assert.Equal("It is not done in rehearsal mode.", drive["live"].Reason);
    }

    [Fact]
    public void The_result_counts_when_somebody_says_so_or_when_nobody_says_anything()
    {
        var spec = Book(Step("dns")) with { Commit = new() { Planned = TimeSpan.FromHours(1) } };
        var drive = new Drive(spec, ExecutionMode.Planned);
        Assert.Equal(ExecutionPhase.AwaitingCommit, drive.Done("dns").Execution.Phase);
        Assert.Equal("All is done: commit it, or roll it back.", drive.Refusal(ExecutionEventKind.StopAsked));
        Assert.Equal(ExecutionOutcome.Succeeded, drive.Says(ExecutionEventKind.CommitAsked).Execution.Outcome);

        var silent = new Drive(spec with { Commit = spec.Commit with { OnSilence = CommitSilence.RollBack } }, ExecutionMode.Planned);
        silent.Done("dns").Passes(TimeSpan.FromHours(1));
        Assert.Equal(["Compensate dns"], silent.AtWork());
        Assert.Equal(ExecutionPhase.Ended, new Drive(spec).Done("dns").Execution.Phase);
    }

    [Fact]
    public void Whoever_takes_over_knows_the_same_and_a_clock_that_goes_back_changes_nothing()
    {
        var drive = new Drive(Book(Step("db"), Step("app", "db") with { Retries = 1 }, Step("dns", "app")));
        drive.Passes(Minute).Done("db").Fails("app").Passes(-Minute * 10).Passes(Minute * 20);

        Assert.Equal(drive.Execution.Steps.Select(step => step.ToString()), drive.Again().Steps.Select(step => step.ToString()));
        Assert.Equal(Start + Minute * 11, drive.Execution.Now);
        Assert.Equal(["Execute app"], drive.AtWork());
    }

    [Fact]
    public void The_achieved_RTO_ends_with_the_last_critical_step()
    {
        var drive = new Drive(Book(Step("db"), Step("tidy", "db") with { Impact = StepImpact.Optional },
            Step("tell", kind: StepKind.Notify) with { IsAlways = true }));

        drive.Passes(Minute).Done("db").Passes(Minute).Done("tidy").Passes(Minute).Done("tell");

        Assert.Equal(Minute, drive.Execution.AchievedRto);
    }
}
