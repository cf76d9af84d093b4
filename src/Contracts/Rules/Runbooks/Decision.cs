using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>Decides what an execution does next. Pure: the same events have the same effects on whichever node, and again after it died.
/// </summary>
/// <remarks>Once stored, the events are applied in their order; the effects of the last ones are carried out again by whoever takes over,
/// which is why each is named by step and attempt. docs/decisions/0050-runbook-decisions.md.</remarks>
public static class Decision
{
    /// <summary>Begins an execution.</summary>
    /// <param name="graph">The version that is executed.</param>
    /// <param name="mode">Why.</param>
    /// <param name="now">When.</param>
    /// <param name="isHeld">Whether it is a part of another execution, which decides about its result.</param>
    public static Decided Begin(RunbookGraph graph, ExecutionMode mode, DateTimeOffset now, bool isHeld = false)
    {
        var steps = graph.Spec.Steps.Select(step => Left(step, mode) is { } reason
            ? new StepState { Name = step.Name, Phase = StepPhase.LeftOut, Reason = reason, EndedAt = now }
            : new StepState { Name = step.Name }).ToArray();
        return new Course(graph, new Execution { Mode = mode, StartedAt = now, Now = now, Steps = steps, IsHeld = isHeld }).Decide();
    }

    /// <summary>Applies what happened. An event that does not fit any more, as a late report, changes nothing.</summary>
    /// <param name="graph">The version that is executed.</param>
    /// <param name="execution">As it was.</param>
    /// <param name="happened">What happened; <see cref="Refusal"/> says before whether a person may.</param>
    public static Decided Apply(RunbookGraph graph, Execution execution, ExecutionEvent happened)
    {
        var now = happened.At > execution.Now ? happened.At : execution.Now;
        var course = new Course(graph, execution with { Now = now });
        if (Refusal(graph, execution, happened) is null) course.Take(happened);
        return course.Decide();
    }

    /// <summary>Why an event of a person does not fit; null where it does.</summary>
    public static string? Refusal(RunbookGraph graph, Execution execution, ExecutionEvent happened)
    {
        if (happened.Kind is ExecutionEventKind.TimePassed) return null;
        if (execution.Phase == ExecutionPhase.Ended) return "The execution is over.";
        var state = happened.Step is null ? null : execution.Steps.FirstOrDefault(step => step.Name == happened.Step);
        if (happened.Step is not null && state is null) return $"There is no step '{happened.Step}'.";
        var isBusy = execution.Phase is ExecutionPhase.Stopping or ExecutionPhase.RollingBack or ExecutionPhase.CleaningUp;
        return happened.Kind switch
        {
            ExecutionEventKind.Reported => state is { Activity: not null } && state.Attempt == happened.Attempt ? null
                : "Its result counts for nothing any more.",
            ExecutionEventKind.Approved or ExecutionEventKind.Refused => OfApproval(graph, state, happened),
            ExecutionEventKind.PauseAsked => execution.Phase == ExecutionPhase.Running ? null : $"It is {Words(execution.Phase)}.",
            ExecutionEventKind.ResumeAsked => execution.Phase != ExecutionPhase.Paused ? $"It is {Words(execution.Phase)}."
                : execution.Steps.FirstOrDefault(step => step.IsOpen) is { } open ? $"The step '{open.Name}' waits for a choice." : null,
            ExecutionEventKind.RetryAsked => state is { IsOpen: true } ? null : "It does not wait for a choice.",
            ExecutionEventKind.SkipAsked or ExecutionEventKind.ByHandSaid => OfSkip(graph, state, happened),
            ExecutionEventKind.RollBackAsked => isBusy ? $"It is {Words(execution.Phase)}."
                : execution.Mode == ExecutionMode.Rehearsal ? "A rehearsal is cleaned up, not rolled back: stop it."
                : execution.IsPastReturn ? "The point of no return was passed." : null,
            ExecutionEventKind.StopAsked => isBusy ? $"It is {Words(execution.Phase)}."
                : execution.Phase == ExecutionPhase.AwaitingCommit ? "All is done: commit it, or roll it back." : null,
            ExecutionEventKind.CommitAsked => execution.Phase == ExecutionPhase.AwaitingCommit ? null : $"It is {Words(execution.Phase)}.",
            _ => throw new ArgumentOutOfRangeException(nameof(happened), happened.Kind, "no such event"),
        };
    }

    /// <summary>The activities that somebody is to be carrying out: a node that takes over carries them out again.</summary>
    public static IEnumerable<Effect> AtWork(RunbookGraph graph, Execution execution) => execution.Steps
        .Where((step, place) => step.Activity is not null && graph.Spec.Steps[place].Kind is not (StepKind.Wait or StepKind.Approval))
        .Select(Begun);

    internal static Effect Begun(StepState step) => new()
    {
        Kind = EffectKind.Begin,
        Step = step.Name,
        Activity = step.Activity,
        Attempt = step.Attempt,
        Until = step.Until,
    };

    static string? OfApproval(RunbookGraph graph, StepState? state, ExecutionEvent happened)
    {
        if (state is not { Phase: StepPhase.Running } || graph.Spec.Steps[graph.PlaceOf(state.Name)].Kind != StepKind.Approval)
            return "Nobody is asked.";
        return state.Approvers.Contains(happened.By ?? "") ? $"{happened.By} said yes already." : null;
    }

    static string? OfSkip(RunbookGraph graph, StepState? state, ExecutionEvent happened)
    {
        if (state is not { IsOpen: true }) return "It does not wait for a choice.";
        if (string.IsNullOrWhiteSpace(happened.Text)) return "Say why, or what was seen.";
        if (graph.Spec.Steps[graph.PlaceOf(state.Name)].Impact == StepImpact.Optional) return null;
        return string.IsNullOrEmpty(happened.Second) || happened.Second == happened.By
            ? "It is critical: a second person has to agree." : null;
    }

    static string? Left(StepSpec step, ExecutionMode mode)
    {
        if (step.Modes.Count > 0 && !step.Modes.Contains(mode)) return $"It is not done in {Words(mode)} mode.";
        return mode == ExecutionMode.Rehearsal && StepKinds.Rehearsed(step) == InRehearsal.Skip ? "It is left out in rehearsals." : null;
    }

    /// <summary>A mode in words.</summary>
    public static string Words(ExecutionMode mode) => mode switch
    {
        ExecutionMode.Rehearsal => "rehearsal",
        ExecutionMode.Planned => "planned",
        ExecutionMode.Disaster => "disaster",
        _ => "failback",
    };

    /// <summary>A phase in words.</summary>
    public static string Words(ExecutionPhase phase) => phase switch
    {
        ExecutionPhase.Running => "running",
        ExecutionPhase.Paused => "paused",
        ExecutionPhase.Stopping => "stopping",
        ExecutionPhase.RollingBack => "being rolled back",
        ExecutionPhase.AwaitingCommit => "awaiting its commit",
        ExecutionPhase.CleaningUp => "being cleaned up",
        _ => "over",
    };
}
