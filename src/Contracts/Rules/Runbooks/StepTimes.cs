using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>How long a step took in earlier executions.</summary>
/// <param name="Step">Its name.</param>
/// <param name="Typical">The median of the newest times, each from its first try to its end.</param>
/// <param name="Longest">The longest of them.</param>
/// <param name="Times">How many there are, 1 to <see cref="StepTimes.MostCounted"/>.</param>
public sealed record StepTime(string Step, TimeSpan Typical, TimeSpan Longest, int Times);

/// <summary>Learns from executions how long steps take. Pure.</summary>
public static class StepTimes
{
    /// <summary>Times of a step that count: what it took long ago says little.</summary>
    public const int MostCounted = 5;

    /// <summary>The steps that were measured, in the order of the runbook.</summary>
    /// <param name="spec">The runbook.</param>
    /// <param name="executions">Executions of any of its versions that are over, the newest first.</param>
    public static IReadOnlyList<StepTime> Of(RunbookSpec spec, IReadOnlyList<(RunbookSpec Spec, Execution State)> executions)
        => [.. spec.Steps.Select(step => Of(step, executions)).OfType<StepTime>()];

    static StepTime? Of(StepSpec step, IReadOnlyList<(RunbookSpec Spec, Execution State)> executions)
    {
        TimeSpan[] took = [.. executions.Select(one => Measured(step, one.Spec, one.State)).OfType<TimeSpan>().Take(MostCounted).Order()];
        return took.Length == 0 ? null : new StepTime(step.Name, took[took.Length / 2], took[^1], took.Length);
    }

    /// <summary>How long it took there; null where it was not done, or where what was done is not what it does in earnest.</summary>
    static TimeSpan? Measured(StepSpec step, RunbookSpec spec, Execution execution)
    {
        if (spec.Steps.FirstOrDefault(one => one.Name == step.Name) is not { } then || !IsSame(step, then)
            || execution.Steps.FirstOrDefault(one => one.Name == step.Name) is not { Phase: StepPhase.Done, IsDeviation: false } state)
            return null;
        var isOnlyLook = execution.Mode == ExecutionMode.Rehearsal && (StepKinds.Rehearsed(then) != InRehearsal.Do
            || then is { Kind: StepKind.Approval } and not { Approval.InRehearsal: true });
        return isOnlyLook ? null : state.EndedAt - state.BeganAt;
    }

    /// <summary>Whether the one's time says something about the other: what is brought back decides how long that takes.</summary>
    static bool IsSame(StepSpec one, StepSpec other) => one.Kind == other.Kind && one.Restore?.Item == other.Restore?.Item
        && one.Runbook?.Name == other.Runbook?.Name;
}

/// <summary>A step that decides how long an execution takes.</summary>
/// <param name="Step">Its name.</param>
/// <param name="Length">How long it takes; zero where that is not known.</param>
public sealed record PathStep(string Step, TimeSpan Length);

/// <summary>The steps that decide how soon a runbook is done, as far as their times are known.</summary>
public sealed record RunbookPath
{
    /// <summary>From the start to the last critical step, if each step takes what it took before.</summary>
    public required TimeSpan Length { get; init; }
    /// <summary>The steps on the longest way there.</summary>
    public required IReadOnlyList<PathStep> Steps { get; init; }
    /// <summary>Steps on any way there whose time nobody measured: they count for nothing.</summary>
    public required IReadOnlyList<string> Unknown { get; init; }
    /// <summary>The same if each step takes all the time and all the tries that it may.</summary>
    public required TimeSpan AtMost { get; init; }

    /// <summary>Of a runbook in a mode, for as many steps at once as there are.</summary>
    /// <param name="graph">The runbook.</param>
    /// <param name="times">What its steps took.</param>
    /// <param name="mode">Why it is executed: steps of other modes take no time.</param>
    public static RunbookPath Of(RunbookGraph graph, IReadOnlyList<StepTime> times, ExecutionMode mode)
    {
        var known = times.ToDictionary(time => time.Step, time => time.Typical, StringComparer.Ordinal);
        TimeSpan? Known(StepSpec step) => step.Kind == StepKind.Wait ? step.For
            : known.TryGetValue(step.Name, out var time) ? time : null;
        TimeSpan Typical(StepSpec step) => IsDone(step, mode) ? Known(step) ?? TimeSpan.Zero : TimeSpan.Zero;
        bool Counts(StepSpec step) => step is { Impact: StepImpact.Critical, IsAlways: false } && IsDone(step, mode);

        var (length, path) = graph.CriticalPath(Typical, Counts);
        var awaited = Enumerable.Range(0, graph.Spec.Steps.Count).Where(place => Counts(graph.Spec.Steps[place]))
            .SelectMany(graph.Before).ToHashSet();
        return new RunbookPath
        {
            Length = length,
            Steps = [.. path.Select(name => graph.Spec.Steps[graph.PlaceOf(name)]).Where(step => IsDone(step, mode))
                .Select(step => new PathStep(step.Name, Typical(step)))],
            Unknown = [.. graph.Order.Where(awaited.Contains).Select(place => graph.Spec.Steps[place])
                .Where(step => IsDone(step, mode) && Known(step) is null).Select(step => step.Name)],
            AtMost = graph.CriticalPath(step => IsDone(step, mode) ? Longest(step) : TimeSpan.Zero, Counts).Length,
        };
    }

    static bool IsDone(StepSpec step, ExecutionMode mode) => step.Modes.Count == 0 || step.Modes.Contains(mode);

    static TimeSpan Longest(StepSpec step)
    {
        if (step.Kind == StepKind.Wait) return step.For ?? TimeSpan.Zero;
        var (whole, wait) = (step.Timeout * (step.Retries + 1), step.RetryAfter);
        for (var retry = 0; retry < step.Retries; retry++, wait *= 2)
            whole += wait < StepSpec.LongestTimeout ? wait : wait = StepSpec.LongestTimeout;
        return whole;
    }
}
