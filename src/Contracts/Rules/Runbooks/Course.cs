using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>An execution while one event is applied to it: first what the event says, then everything that follows from it.</summary>
sealed partial class Course(RunbookGraph graph, Execution execution)
{
    readonly StepState[] _steps = [.. execution.Steps];
    readonly List<Effect> _effects = [];
    Execution _now = execution;

    StepSpec Spec(int place) => graph.Spec.Steps[place];

    bool IsRehearsal => _now.Mode == ExecutionMode.Rehearsal;

    bool IsGoingOn => _now.Phase is ExecutionPhase.Running or ExecutionPhase.Paused;

    /// <summary>Applies an event that fits.</summary>
    public void Take(ExecutionEvent happened)
    {
        var place = happened.Step is null ? -1 : graph.PlaceOf(happened.Step);
        switch (happened.Kind)
        {
            case ExecutionEventKind.Reported:
                Ended(place, happened.Outcome, happened.Text, happened.Outputs);
                break;
            case ExecutionEventKind.Approved:
                Change(place, step => step with { Approvers = [.. step.Approvers, happened.By ?? ""] });
                if (_steps[place].Approvers.Count >= (Spec(place).Approval ?? new()).Of)
                    Ended(place, ActivityOutcome.Succeeded, $"{string.Join(", ", _steps[place].Approvers)} said yes.", null);
                break;
            case ExecutionEventKind.Refused:
                Ended(place, ActivityOutcome.Failed, $"{happened.By} said no{(happened.Text is null ? "" : $": {happened.Text}")}.", null);
                break;
            case ExecutionEventKind.PauseAsked:
                _now = _now with { Phase = ExecutionPhase.Paused, IsPauseAsked = true, Reason = $"{happened.By} paused it." };
                break;
            case ExecutionEventKind.ResumeAsked:
                _now = _now with { Phase = ExecutionPhase.Running, IsPauseAsked = false, Reason = null };
                break;
            case ExecutionEventKind.RetryAsked:
                Again(place);
                Chosen();
                break;
            case ExecutionEventKind.SkipAsked:
                Answered(place, StepPhase.Skipped, happened);
                break;
            case ExecutionEventKind.ByHandSaid:
                Answered(place, StepPhase.ByHand, happened);
                break;
            case ExecutionEventKind.RollBackAsked:
                RollBack($"{happened.By} rolls it back{(happened.Text is null ? "" : $": {happened.Text}")}.");
                break;
            case ExecutionEventKind.StopAsked:
                Stop(ExecutionOutcome.Stopped, $"{happened.By} stopped it{(happened.Text is null ? "" : $": {happened.Text}")}.");
                break;
            case ExecutionEventKind.CommitAsked:
                Finish();
                break;
        }
    }

    /// <summary>Everything that follows, until nothing more does.</summary>
    public Decided Decide()
    {
        TimeOuts();
        for (var wasChanged = true; wasChanged;)
            wasChanged = _now.Phase switch
            {
                ExecutionPhase.Running => BeginReady(),
                ExecutionPhase.Stopping => BeginAlways(),
                ExecutionPhase.RollingBack => UndoNext(),
                ExecutionPhase.CleaningUp => CleanUpNext(),
                _ => false,
            };
        return new Decided(_now with { Steps = [.. _steps] }, _effects);
    }

    void TimeOuts()
    {
        for (var place = 0; place < _steps.Length; place++)
        {
            if (_steps[place] is not { Activity: not null, Until: { } until } || until > _now.Now) continue;
            if (Spec(place).Kind == StepKind.Wait) Ended(place, ActivityOutcome.Succeeded, null, null);
            else if (Spec(place).Kind == StepKind.Approval)
                Ended(place, ActivityOutcome.Failed, $"Not enough people said yes within {Spec(place).Timeout:c}.", null);
            else
            {
                Cancel(place);
                Ended(place, ActivityOutcome.Unknown, $"It did not end within {Spec(place).Timeout:c}.", null);
            }
        }
        if (_now is { Phase: ExecutionPhase.AwaitingCommit, CommitUntil: { } silent } && silent <= _now.Now)
        {
            if (graph.Spec.Commit.OnSilence == CommitSilence.RollBack && !_now.IsPastReturn)
                RollBack("Nobody said that the result counts.");
            else Finish();
        }
    }

    /// <summary>Begins what can begin; whether anything changed without a wait.</summary>
    bool BeginReady()
    {
        var atWork = _steps.Count(step => step.Activity is not null || step.TryAt is not null);
        foreach (var place in graph.Order)
        {
            var step = _steps[place];
            if (step.TryAt is { } tryAt && tryAt <= _now.Now) Start(place, First(place));
            else if (step.Phase == StepPhase.Waiting && !Spec(place).IsAlways && atWork < graph.Spec.AtOnce && IsReady(place))
            {
                Start(place, First(place));
                if (_steps[place].Activity is not null) atWork++;
                else return true;   // it was over at once, and others may be ready now
            }
        }
        if (_steps.Where((_, place) => !Spec(place).IsAlways).Any(step => !step.IsSettled || step.IsOpen)) return false;
        return AlwaysDone() && MainDone();
    }

    bool IsReady(int place) => graph.NeedsOf(place).All(need => _steps[need].LetsOthersGoOn);

    bool MainDone()
    {
        var window = _now.Mode switch
        {
            ExecutionMode.Rehearsal => TimeSpan.Zero,
            ExecutionMode.Disaster => graph.Spec.Commit.Disaster,
            _ => graph.Spec.Commit.Planned,
        };
        if (window > TimeSpan.Zero && !_now.IsHeld)
        {
            _now = _now with { Phase = ExecutionPhase.AwaitingCommit, CommitUntil = _now.Now + window };
            Tell("All steps are done. Somebody has to say that the result counts.");
        }
        else Finish();
        return true;
    }

    /// <summary>Begins what is always done; whether all of it came to its end.</summary>
    bool AlwaysDone()
    {
        var isDone = true;
        foreach (var place in graph.Order)
        {
            if (!Spec(place).IsAlways || _steps[place] is { IsSettled: true }) continue;
            isDone = false;
            if (_steps[place].TryAt is { } tryAt && tryAt <= _now.Now) Start(place, First(place));
            else if (_steps[place].Phase == StepPhase.Waiting && graph.NeedsOf(place).All(need => _steps[need].IsSettled))
                Start(place, First(place));
        }
        return isDone || _steps.Where((_, place) => Spec(place).IsAlways).All(step => step.IsSettled);
    }

    bool BeginAlways()
    {
        EndWhatWaits($"The execution was stopped: {_now.Reason}");   // one may have failed since, and wait for its next try
        if (_steps.Where((_, place) => !Spec(place).IsAlways).Any(step => step.Activity is not null)) return false;
        if (!AlwaysDone()) return false;
        Over();
        return true;
    }

    /// <summary>The result counts, or there is nothing left to decide about it.</summary>
    void Finish()
    {
        if (_now.Outcome is not null)   // what was held knew it before
        {
            Over();
            return;
        }
        var failed = graph.Spec.Steps.FirstOrDefault(step => step is { Impact: StepImpact.Critical, IsAlways: false }
            && _steps[graph.PlaceOf(step.Name)].Phase == StepPhase.Failed);
        _now = _now with
        {
            Outcome = failed is null ? ExecutionOutcome.Succeeded : ExecutionOutcome.Failed,
            Reason = failed is null ? null : $"The step '{failed.Name}' failed: {_steps[graph.PlaceOf(failed.Name)].Reason}",
        };
        Over();
    }

    /// <summary>Nothing is left but the clean-up of a rehearsal.</summary>
    void Over()
    {
        if (_now is { IsHeld: true, Outcome: not ExecutionOutcome.RolledBack }
            && _now.Phase is not (ExecutionPhase.AwaitingCommit or ExecutionPhase.CleaningUp))
        {
            _now = _now with { Phase = ExecutionPhase.AwaitingCommit };
            Tell("It is done, and held until the execution that it is a part of is over.");
            return;
        }
        if (IsRehearsal && _now.Phase != ExecutionPhase.CleaningUp)
        {
            for (var place = 0; place < _steps.Length; place++)
                if (_steps[place].WasBegun && StepKinds.Of(Spec(place).Kind).LeavesTraces)
                    Change(place, step => step with { CleanedUp = AfterwardsState.Wanted, Tries = 0 });
            _now = _now with { Phase = ExecutionPhase.CleaningUp, CommitUntil = null };
            return;
        }
        _now = _now with { Phase = ExecutionPhase.Ended, EndedAt = _now.Now, CommitUntil = null };
        Tell(_now.Outcome switch
        {
            ExecutionOutcome.Succeeded => "It succeeded.",
            ExecutionOutcome.RolledBack => "It was rolled back.",
            ExecutionOutcome.Stopped => "It was stopped.",
            _ => $"It failed. {_now.Reason}",
        });
    }

    void Change(int place, Func<StepState, StepState> change) => _steps[place] = change(_steps[place]);

    void Cancel(int place) => _effects.Add(new Effect
    {
        Kind = EffectKind.Cancel,
        Step = _steps[place].Name,
        Activity = _steps[place].Activity,
        Attempt = _steps[place].Attempt,
    });

    void Tell(string text, string? step = null) => _effects.Add(new Effect { Kind = EffectKind.Tell, Text = text, Step = step });
}
