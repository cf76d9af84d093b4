using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>How one step begins, ends, fails and is undone.</summary>
sealed partial class Course
{
    StepActivity First(int place) => IsRehearsal && StepKinds.Rehearsed(Spec(place)) == InRehearsal.Simulate ? StepActivity.Simulate
        : StepActivity.Execute;

    void Start(int place, StepActivity activity)
    {
        var spec = Spec(place);
        if (spec.Kind == StepKind.Approval && IsRehearsal && !(spec.Approval ?? new()).InRehearsal)
        {
            Change(place, step => step with
            {
                Phase = StepPhase.Done,
                BeganAt = _now.Now,
                EndedAt = _now.Now,
                Reason = "A rehearsal takes the yes for given.",
            });
            return;
        }
        Change(place, step => step with
        {
            Phase = activity is StepActivity.Execute or StepActivity.Simulate ? StepPhase.Running : step.Phase,
            Activity = activity,
            Attempt = step.Attempt + 1,
            Tries = step.Tries + 1,
            TryAt = null,
            BeganAt = step.BeganAt ?? _now.Now,
            ActivityBeganAt = _now.Now,
            Until = _now.Now + (spec.Kind == StepKind.Wait ? spec.For!.Value : spec.Timeout),
            WasBegun = step.WasBegun || activity == StepActivity.Execute,
            Undone = activity == StepActivity.Compensate ? AfterwardsState.Running : step.Undone,
            CleanedUp = activity == StepActivity.CleanUp ? AfterwardsState.Running : step.CleanedUp,
        });
        if (activity == StepActivity.Execute && !IsRehearsal && StepKinds.IsPointOfNoReturn(spec)) _now = _now with { IsPastReturn = true };
        if (spec.Kind == StepKind.Wait) return;   // nobody carries it out: time does
        if (spec.Kind == StepKind.Approval) Tell((spec.Approval ?? new()).Asks ?? $"Approve '{spec.Title ?? spec.Name}'.", spec.Name);
        else _effects.Add(Decision.Begun(_steps[place]));
    }

    /// <summary>What is at work came to its end.</summary>
    void Ended(int place, ActivityOutcome outcome, string? text, IReadOnlyDictionary<string, string>? outputs)
    {
        var activity = _steps[place].Activity!.Value;
        Change(place, step => step with { Activity = null, Until = null, ActivityBeganAt = null });
        switch (activity)
        {
            case StepActivity.Compensate:
                Afterwards(place, outcome, text, (step, state) => step with { Undone = state }, "undone");
                break;
            case StepActivity.CleanUp:
                Afterwards(place, outcome, text, (step, state) => step with { CleanedUp = state }, "cleaned up");
                break;
            default:
                if (outcome == ActivityOutcome.Succeeded) Done(place, text, outputs);
                else Failed(place, outcome, text ?? "It failed.", outputs);
                break;
        }
    }

    void Done(int place, string? text, IReadOnlyDictionary<string, string>? outputs)
    {
        Change(place, step => step with
        {
            Phase = StepPhase.Done,
            Reason = text,
            Outputs = outputs ?? step.Outputs,
            EndedAt = _now.Now,
        });
        Recovered(place);
    }

    void Recovered(int place)
    {
        if (IsGoingOn && Spec(place) is { Impact: StepImpact.Critical, IsAlways: false }) _now = _now with { RecoveredAt = _now.Now };
    }

    void Failed(int place, ActivityOutcome outcome, string text, IReadOnlyDictionary<string, string>? outputs)
    {
        var spec = Spec(place);
        var isRisky = outcome == ActivityOutcome.Unknown && !StepKinds.Of(spec.Kind).IsRepeatable && _steps[place].WasBegun;
        Change(place, step => step with { Reason = text, Outputs = outputs ?? step.Outputs });
        if (IsGoingOn && !isRisky && _steps[place].Tries <= spec.Retries)
        {
            var wait = spec.RetryAfter * Math.Pow(2, _steps[place].Tries - 1);
            if (wait > StepSpec.LongestTimeout) wait = StepSpec.LongestTimeout;
            Change(place, step => step with { TryAt = _now.Now + wait });
            return;
        }
        Change(place, step => step with { Phase = StepPhase.Failed, EndedAt = _now.Now });
        if (!IsGoingOn) return;   // it ends anyhow
        if (spec.IsAlways || spec.Impact == StepImpact.Optional || spec.OnFailure == OnStepFailure.Continue)
        {
            Tell($"The step '{spec.Name}' failed: {text} The others go on.", spec.Name);
            return;
        }
        Change(place, step => step with { IsBlocking = true });
        var choice = spec.OnFailure ?? (IsRehearsal ? OnStepFailure.Stop : OnStepFailure.Pause);
        Follow(place, isRisky && !IsRehearsal ? OnStepFailure.Pause : choice,
            isRisky ? $"{text} Nobody knows whether it was done: look before it is done again." : text);
    }

    void Follow(int place, OnStepFailure choice, string text)
    {
        var spec = Spec(place);
        switch (choice)
        {
            case OnStepFailure.GoTo when _now.Returns < StepSpec.MostReturns:
                _now = _now with { Returns = _now.Returns + 1 };
                foreach (var again in graph.From(graph.PlaceOf(spec.GoTo!)))
                    if (!Spec(again).IsAlways && _steps[again].Phase != StepPhase.LeftOut) Again(again);
                Tell($"The step '{spec.Name}' failed: {text} It goes on from '{spec.GoTo}' again.", spec.Name);
                break;
            case OnStepFailure.RollBack when !_now.IsPastReturn && !IsRehearsal:
                RollBack($"The step '{spec.Name}' failed: {text}");
                break;
            case OnStepFailure.Stop:
            case not OnStepFailure.Pause when IsRehearsal:   // nobody may be there at night
                Stop(ExecutionOutcome.Failed, $"The step '{spec.Name}' failed: {text}");
                break;
            default:
                Change(place, step => step with { IsOpen = true });
                _now = _now with { Phase = ExecutionPhase.Paused, Reason = $"The step '{spec.Name}' failed: {text}" };
                Tell($"{_now.Reason} Somebody has to choose how it goes on.", spec.Name);
                break;
        }
    }

    /// <summary>A step's turn comes once more. What is at work of it counts for nothing any more.</summary>
    void Again(int place)
    {
        if (_steps[place].Activity is not null && !OnlyWaits(place)) Cancel(place);
        Change(place, step => step with
        {
            Phase = StepPhase.Waiting,
            Activity = null,
            Until = null,
            ActivityBeganAt = null,
            TryAt = null,
            Tries = 0,
            EndedAt = null,
            IsOpen = false,
            IsBlocking = false,
            Approvers = [],
        });
    }

    void Answered(int place, StepPhase phase, ExecutionEvent happened)
    {
        Change(place, step => step with
        {
            Phase = phase,
            IsOpen = false,
            IsBlocking = false,
            IsDeviation = true,
            EndedAt = _now.Now,
            Reason = $"{(phase == StepPhase.Skipped ? "Left out" : "Done by hand")} by {happened.By}"
                + $"{(happened.Second is null ? "" : $" with {happened.Second}")}: {happened.Text}",
        });
        if (phase == StepPhase.ByHand) Recovered(place);
        Chosen();
    }

    /// <summary>A person chose for one step; it goes on once none waits for a choice.</summary>
    void Chosen()
    {
        if (_now.Phase == ExecutionPhase.Paused && !_now.IsPauseAsked && !_steps.Any(step => step.IsOpen))
            _now = _now with { Phase = ExecutionPhase.Running, Reason = null };
    }

    void Stop(ExecutionOutcome outcome, string reason)
    {
        _now = _now with { Phase = ExecutionPhase.Stopping, Outcome = outcome, Reason = reason };
        Tell($"It stops. {reason}");
        EndWhatWaits($"The execution was stopped: {reason}");
    }

    void RollBack(string reason)
    {
        _now = _now with { Phase = ExecutionPhase.RollingBack, Outcome = ExecutionOutcome.RolledBack, Reason = reason, CommitUntil = null };
        Tell($"It is rolled back. {reason}");
        EndWhatWaits($"The execution is rolled back: {reason}");
    }

    /// <summary>Ends the steps whose turn has not come or that only wait; what is carried out by somebody goes on to its end.</summary>
    void EndWhatWaits(string reason)
    {
        for (var place = 0; place < _steps.Length; place++)
        {
            var step = _steps[place];
            if (step.IsOpen) Change(place, open => open with { IsOpen = false });
            if (step.IsSettled || Spec(place).IsAlways || (step.Activity is not null && !OnlyWaits(place))) continue;
            Change(place, left => left with
            {
                // One that failed and waited for its next try has failed.
                Phase = left.TryAt is null ? StepPhase.LeftOut : StepPhase.Failed,
                Reason = left.TryAt is null ? reason : left.Reason,
                Activity = null,
                ActivityBeganAt = null,
                Until = null,
                TryAt = null,
                IsBlocking = true,
                EndedAt = _now.Now,
            });
        }
    }

    bool OnlyWaits(int place) => Spec(place).Kind is StepKind.Wait or StepKind.Approval;

    /// <summary>Undoes what nothing that is still done relies on, the last first.</summary>
    bool UndoNext()
    {
        if (_steps.Any(step => step.Activity is StepActivity.Execute or StepActivity.Simulate)) return false;
        for (var place = 0; place < _steps.Length; place++)
            if (_steps[place] is { WasBegun: true, Undone: AfterwardsState.None } && !Spec(place).IsAlways
                && StepKinds.Of(Spec(place).Kind).CanUndo)
                Change(place, step => step with { Undone = AfterwardsState.Wanted, Tries = 0 });
        if (!Backwards(step => step.Undone, StepActivity.Compensate)) return false;
        if (!AlwaysDone()) return false;
        Over();
        return true;
    }

    bool CleanUpNext()
    {
        if (!Backwards(step => step.CleanedUp, StepActivity.CleanUp)) return false;
        Over();
        return true;
    }

    /// <summary>Begins what is wanted afterwards, each once all is over that relied on it; whether everything is.</summary>
    bool Backwards(Func<StepState, AfterwardsState> of, StepActivity activity)
    {
        var isDone = true;
        foreach (var place in graph.Order.Reverse())
        {
            if (of(_steps[place]) is not (AfterwardsState.Wanted or AfterwardsState.Running)) continue;
            isDone = false;
            if (_steps[place].TryAt is { } tryAt && tryAt <= _now.Now) Start(place, activity);
            else if (of(_steps[place]) == AfterwardsState.Wanted && graph.From(place).All(later => later == place
                || of(_steps[later]) is not (AfterwardsState.Wanted or AfterwardsState.Running)))
                Start(place, activity);
        }
        return isDone;
    }

    void Afterwards(int place, ActivityOutcome outcome, string? text, Func<StepState, AfterwardsState, StepState> with, string what)
    {
        var spec = Spec(place);
        if (outcome == ActivityOutcome.Succeeded) Change(place, step => with(step, AfterwardsState.Done));
        else if (_steps[place].Tries <= Math.Max(spec.Retries, LeastRetriesAfterwards))
            Change(place, step => step with { TryAt = _now.Now + spec.RetryAfter * Math.Pow(2, step.Tries - 1) });
        else
        {
            Change(place, step => with(step, AfterwardsState.Failed));
            Tell($"The step '{spec.Name}' could not be {what}: {text} Somebody has to do it by hand.", spec.Name);
        }
    }

    /// <summary>What is left behind costs more than another try.</summary>
    const int LeastRetriesAfterwards = 2;
}
