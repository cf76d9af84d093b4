using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>One kind of step: all that is done for it, in one file.</summary>
/// <remarks>A node that takes over carries an activity out again, with the same execution, step and attempt: doing it twice must be the
/// same as once, or end as <see cref="ActivityOutcome.Unknown"/> where that cannot be told.</remarks>
public interface IStepExecutor
{
    /// <summary>The kind.</summary>
    StepKind Kind { get; }

    /// <summary>What stands in the way, as far as it can be seen without changing anything: on saving, hourly, and before an execution.
    /// </summary>
    Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct);

    /// <summary>Carries out the activity: executes and verifies, simulates, undoes, or cleans up.</summary>
    /// <returns>What came of it. Failures of what it talks to are results, not exceptions.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled, or its time ended.</exception>
    Task<StepResult> CarryOut(StepWork work, CancellationToken ct);
}

/// <summary>A time that runs out, measured by a clock that nobody sets: neither a node's time of day nor a change of it counts.</summary>
/// <param name="left">What is left of it from now on.</param>
/// <param name="clock">Measures.</param>
public sealed class TimeLeft(TimeSpan left, TimeProvider clock)
{
    readonly long _from = clock.GetTimestamp();

    /// <summary>What is left of it; less than zero where it is over.</summary>
    public TimeSpan Now => left - clock.GetElapsedTime(_from);
}

/// <summary>One activity of one step of one execution.</summary>
public sealed record StepWork
{
    /// <summary>The execution; a text, so that executions of a bundle have one too.</summary>
    public required string Execution { get; init; }
    /// <summary>The runbook's name.</summary>
    public required string Runbook { get; init; }
    /// <summary>Why it is executed.</summary>
    public required ExecutionMode Mode { get; init; }
    /// <summary>The step, with variables filled in.</summary>
    public required StepSpec Step { get; init; }
    /// <summary>What is to be done for it.</summary>
    public required StepActivity Activity { get; init; }
    /// <summary>Names the activity, with execution and step.</summary>
    public required int Attempt { get; init; }
    /// <summary>When its time ends, by the clock of whoever decides: the database's.</summary>
    public required DateTimeOffset Until { get; init; }
    /// <summary>How long it is until then; null where <see cref="Until"/> is by the clock of this machine.</summary>
    public TimeLeft? Left { get; init; }
    /// <summary>What the step found out when it was executed: for undoing it.</summary>
    public IReadOnlyDictionary<string, string> Outputs { get; init => field = value ?? new Dictionary<string, string>(); }
        = new Dictionary<string, string>();

    /// <summary>The time now by the clock that <see cref="Until"/> is of: a node's own may be minutes off.</summary>
    public DateTimeOffset Now(TimeProvider clock) => Left is null ? clock.GetUtcNow() : Until - Left.Now;

    /// <summary>Names the activity for others, the same whoever carries it out.</summary>
    public string IdempotencyKey => $"{Execution}/{Step.Name}/{Attempt}";
}

/// <summary>What came of an activity.</summary>
/// <param name="Outcome">What.</param>
/// <param name="Text">In words, for people: what was done or seen, or what failed and what to do.</param>
/// <param name="Outputs">What it found out, for later steps, for undoing it, and for the evidence. No secrets.</param>
public sealed record StepResult(ActivityOutcome Outcome, string Text, IReadOnlyDictionary<string, string>? Outputs = null)
{
    /// <summary>It was done.</summary>
    public static StepResult Done(string text, IReadOnlyDictionary<string, string>? outputs = null)
        => new(ActivityOutcome.Succeeded, text, outputs);

    /// <summary>It was not done.</summary>
    public static StepResult Failed(string text, IReadOnlyDictionary<string, string>? outputs = null)
        => new(ActivityOutcome.Failed, text, outputs);

    /// <summary>Nobody knows whether it was done.</summary>
    public static StepResult Unknown(string text) => new(ActivityOutcome.Unknown, text);
}
