using System.Text.Json.Serialization;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>Where an execution is.</summary>
public enum ExecutionPhase
{
    /// <summary>Steps are begun as they become ready.</summary>
    Running,
    /// <summary>Nothing is begun until a person chooses; what is at work goes on to its end.</summary>
    Paused,
    /// <summary>Nothing further is begun but what is always done.</summary>
    Stopping,
    /// <summary>What was done is being undone.</summary>
    RollingBack,
    /// <summary>All is done; somebody may look before it counts.</summary>
    AwaitingCommit,
    /// <summary>A rehearsal takes down what it put up.</summary>
    CleaningUp,
    /// <summary>It is over.</summary>
    Ended,
}

/// <summary>What came of an execution.</summary>
public enum ExecutionOutcome
{
    /// <summary>Every critical step was done, or a person answered for it.</summary>
    Succeeded,
    /// <summary>A critical step was not done.</summary>
    Failed,
    /// <summary>It was undone.</summary>
    RolledBack,
    /// <summary>A person ended it.</summary>
    Stopped,
}

/// <summary>Where a step is.</summary>
public enum StepPhase
{
    /// <summary>Its turn has not come.</summary>
    Waiting,
    /// <summary>It is at work, or waits for its next try.</summary>
    Running,
    /// <summary>It was done.</summary>
    Done,
    /// <summary>Its last try failed.</summary>
    Failed,
    /// <summary>A person left it out and said why.</summary>
    Skipped,
    /// <summary>A person did it by hand and said so.</summary>
    ByHand,
    /// <summary>It was not executed, for the reason that stands beside it.</summary>
    LeftOut,
}

/// <summary>What is being done for a step.</summary>
public enum StepActivity
{
    /// <summary>What the step is for.</summary>
    Execute,
    /// <summary>A look at what it would do, with nothing changed.</summary>
    Simulate,
    /// <summary>Its undoing.</summary>
    Compensate,
    /// <summary>The taking down of what a rehearsal put up.</summary>
    CleanUp,
}

/// <summary>What came of an activity.</summary>
public enum ActivityOutcome
{
    /// <summary>It was done and looked at.</summary>
    Succeeded,
    /// <summary>It was not done.</summary>
    Failed,
    /// <summary>Nobody knows whether it was done: who did it is gone, or its time ended.</summary>
    Unknown,
}

/// <summary>Whether something that was done is undone, or cleaned up.</summary>
public enum AfterwardsState
{
    /// <summary>Nothing of the kind is wanted.</summary>
    None,
    /// <summary>It is wanted, and its turn has not come.</summary>
    Wanted,
    /// <summary>It is at work, or waits for its next try.</summary>
    Running,
    /// <summary>It is so.</summary>
    Done,
    /// <summary>It could not be done; a person has to.</summary>
    Failed,
}

/// <summary>A step within an execution.</summary>
public sealed record StepState
{
    /// <summary>The step's name.</summary>
    public required string Name { get; init; }
    /// <summary>Where it is.</summary>
    public StepPhase Phase { get; init; }
    /// <summary>The activity that is at work; null for none.</summary>
    public StepActivity? Activity { get; init; }
    /// <summary>Counts all activities of the step: with its name it names one, whoever carries it out.</summary>
    public int Attempt { get; init; }
    /// <summary>Tries of this activity since it was first wanted.</summary>
    public int Tries { get; init; }
    /// <summary>When it first began.</summary>
    public DateTimeOffset? BeganAt { get; init; }
    /// <summary>When the activity that is at work began.</summary>
    public DateTimeOffset? ActivityBeganAt { get; init; }
    /// <summary>When the time of what is at work ends; of a wait, when it is over.</summary>
    public DateTimeOffset? Until { get; init; }
    /// <summary>When the next try begins; null where none waits.</summary>
    public DateTimeOffset? TryAt { get; init; }
    /// <summary>When it came to its end.</summary>
    public DateTimeOffset? EndedAt { get; init; }
    /// <summary>Why it is as it is, where that is not plain.</summary>
    public string? Reason { get; init; }
    /// <summary>Whether it waits for a person to choose.</summary>
    public bool IsOpen { get; init; }
    /// <summary>Whether it was begun in earnest, so that there may be something to undo or to clean up.</summary>
    public bool WasBegun { get; init; }
    /// <summary>Whether a person answered for it instead of its result.</summary>
    public bool IsDeviation { get; init; }
    /// <summary>Its undoing.</summary>
    public AfterwardsState Undone { get; init; }
    /// <summary>Its clean-up.</summary>
    public AfterwardsState CleanedUp { get; init; }
    /// <summary>Who said yes so far, of an approval.</summary>
    public IReadOnlyList<string> Approvers { get; init => field = value ?? []; } = [];
    /// <summary>What it found out, for later steps and the evidence.</summary>
    public IReadOnlyDictionary<string, string> Outputs { get; init => field = value ?? Nothing; } = Nothing;

    static readonly Dictionary<string, string> Nothing = [];

    /// <summary>Whether those that need it may begin, as far as it is concerned.</summary>
    public bool LetsOthersGoOn => Phase is StepPhase.Done or StepPhase.Skipped or StepPhase.ByHand
        || (Phase == StepPhase.LeftOut && !IsBlocking) || (Phase == StepPhase.Failed && !IsBlocking && !IsOpen);

    /// <summary>Whether its failure, or that it was left out, keeps others from beginning.</summary>
    public bool IsBlocking { get; init; }

    /// <summary>Whether nothing will change about it by itself.</summary>
    public bool IsSettled => Phase is not (StepPhase.Waiting or StepPhase.Running);
}

/// <summary>One execution of one version of a runbook: what all events so far make of it.</summary>
public sealed record Execution
{
    /// <summary>Why it is made.</summary>
    public required ExecutionMode Mode { get; init; }
    /// <summary>Where it is.</summary>
    public ExecutionPhase Phase { get; init; }
    /// <summary>What came of it, from the moment on that this is sure.</summary>
    public ExecutionOutcome? Outcome { get; init; }
    /// <summary>Why it stops, is rolled back or waits, in words.</summary>
    public string? Reason { get; init; }
    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>The latest moment that it was told. It never goes back, whatever clocks do.</summary>
    public required DateTimeOffset Now { get; init; }
    /// <summary>When it was over.</summary>
    public DateTimeOffset? EndedAt { get; init; }
    /// <summary>Until when somebody may look before it counts.</summary>
    public DateTimeOffset? CommitUntil { get; init; }
    /// <summary>When the last critical step was done.</summary>
    public DateTimeOffset? RecoveredAt { get; init; }
    /// <summary>Whether a point of no return was passed.</summary>
    public bool IsPastReturn { get; init; }
    /// <summary>Whether a person asked for a pause.</summary>
    public bool IsPauseAsked { get; init; }
    /// <summary>Whether it is a part of another execution: when all of it is done it waits until that one lets its result count, or undoes
    /// it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsHeld { get; init; }
    /// <summary>How often a failure led back to an earlier step.</summary>
    public int Returns { get; init; }
    /// <summary>The steps, in the order of the runbook.</summary>
    public required IReadOnlyList<StepState> Steps { get; init; }

    /// <summary>Whether anything could not be undone or cleaned up.</summary>
    public bool HasLeftovers => Steps.Any(step => step.Undone == AfterwardsState.Failed || step.CleanedUp == AfterwardsState.Failed);

    /// <summary>From the start to the last critical step; null where that was not reached.</summary>
    public TimeSpan? AchievedRto => RecoveredAt - StartedAt;

    /// <summary>When something changes by itself next; null where only an event from outside changes anything. While it is paused no
    /// further try begins, however late it is.</summary>
    public DateTimeOffset? NextChange => Phase == ExecutionPhase.Ended ? null : Steps
        .SelectMany(step => new[] { Phase == ExecutionPhase.Paused ? null : step.TryAt, step.Activity is null ? null : step.Until })
        .Append(Phase == ExecutionPhase.AwaitingCommit ? CommitUntil : null).Min();
}
