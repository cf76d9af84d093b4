using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>POST runbooks/{id}/rehearse: executes it in isolation, and cleans up.</summary>
public sealed record RehearseRunbookRequest(RunbookId Id = default, string Why = "");

/// <summary>POST runbooks/{id}/executions: executes it in earnest.</summary>
/// <param name="Id">The runbook, from the path.</param>
/// <param name="Mode">Planned, Disaster or Failback.</param>
/// <param name="Why">Why, for the evidence: 1 to 2,000 characters.</param>
/// <param name="Version">The version that the person saw; null for the newest.</param>
public sealed record StartExecutionRequest(RunbookId Id = default, ExecutionMode Mode = default, string Why = "", int? Version = null);

/// <summary>An execution was begun.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Warning">What whoever began it should know: that it was never rehearsed, what stood in its way; null for nothing.</param>
public sealed record ExecutionStarted(ExecutionId Id, string? Warning = null);

/// <summary>GET executions: the newest first.</summary>
/// <param name="Runbook">Only of this runbook.</param>
/// <param name="Open">Only those that are not over.</param>
public sealed record ListExecutionsRequest(RunbookId? Runbook = null, bool Open = false);

/// <summary>An execution in a line.</summary>
public sealed record ExecutionSummary
{
    /// <summary>Its id.</summary>
    public required ExecutionId Id { get; init; }
    /// <summary>What is executed.</summary>
    public required RunbookId Runbook { get; init; }
    /// <summary>Its name.</summary>
    public required string RunbookName { get; init; }
    /// <summary>Which version of it.</summary>
    public required int Version { get; init; }
    /// <summary>Why.</summary>
    public required ExecutionMode Mode { get; init; }
    /// <summary>Where it is.</summary>
    public required ExecutionPhase Phase { get; init; }
    /// <summary>What came of it; null until that is sure.</summary>
    public ExecutionOutcome? Outcome { get; init; }
    /// <summary>Who began it.</summary>
    public required string By { get; init; }
    /// <summary>Why, in words.</summary>
    public required string Why { get; init; }
    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>When it was over.</summary>
    public DateTimeOffset? EndedAt { get; init; }
    /// <summary>The execution that it is a step of; null for none.</summary>
    public ExecutionId? Parent { get; init; }
    /// <summary>What is executed as its steps, and theirs, in which versions; null where it executes no other runbook.</summary>
    public IReadOnlyList<ExecutionPart>? Parts { get; init; }
    /// <summary>The bundle that it was carried out from, without a node; null for none.</summary>
    public string? Bundle { get; init; }
}

/// <summary>GET executions/{id}.</summary>
public sealed record ShowExecutionRequest(ExecutionId Id);

/// <summary>An execution with all that is known of it.</summary>
public sealed record ExecutionView
{
    /// <summary>In a line.</summary>
    public required ExecutionSummary Summary { get; init; }
    /// <summary>The version that is executed.</summary>
    public required RunbookSpec Spec { get; init; }
    /// <summary>SHA-256 of that, 64 hex characters.</summary>
    public required string Hash { get; init; }
    /// <summary>What all events so far make of it.</summary>
    public required Execution State { get; init; }
    /// <summary>Who carries out what.</summary>
    public IReadOnlyList<ActivityHolder> AtWork { get; init => field = value ?? []; } = [];
    /// <summary>What one person wants and a second has to agree to; null for nothing.</summary>
    public ExecutionProposal? Proposal { get; init; }
    /// <summary>The database's clock, to measure against.</summary>
    public required DateTimeOffset Now { get; init; }
}

/// <summary>Who carries out an activity.</summary>
/// <param name="Step">Of which step.</param>
/// <param name="Attempt">Which.</param>
/// <param name="Node">The node; null while none does.</param>
public sealed record ActivityHolder(string Step, int Attempt, string? Node);

/// <summary>What one person wants to do about a critical step that failed, and a second has to agree to.</summary>
/// <param name="Action">Skip or ByHand.</param>
/// <param name="Step">The step.</param>
/// <param name="Attempt">The attempt that failed: after another one it counts no more.</param>
/// <param name="By">Who.</param>
/// <param name="Text">Why, or what was seen.</param>
public sealed record ExecutionProposal(ExecutionAction Action, string Step, int Attempt, string By, string Text);

/// <summary>GET executions/{id}/events: in their order.</summary>
/// <param name="Id">The execution.</param>
/// <param name="After">Only later ones than this number; -1 for the beginning too.</param>
public sealed record ListExecutionEventsRequest(ExecutionId Id, long After = 0);

/// <summary>An event of an execution.</summary>
/// <param name="Seq">Its number, from 1; 0 is the beginning.</param>
/// <param name="At">When, by the database's clock.</param>
/// <param name="Event">What happened; null for the beginning.</param>
/// <param name="Told">What people were told because of it.</param>
public sealed record ExecutionEventLine(long Seq, DateTimeOffset At, ExecutionEvent? Event, IReadOnlyList<string> Told);

/// <summary>What a person does to an execution.</summary>
public enum ExecutionAction
{
    /// <summary>Nothing further is begun for now.</summary>
    Pause,
    /// <summary>It goes on.</summary>
    Resume,
    /// <summary>A step that failed is tried again.</summary>
    Retry,
    /// <summary>A step that failed is left out.</summary>
    Skip,
    /// <summary>A step that failed was done by hand.</summary>
    ByHand,
    /// <summary>What was done is undone.</summary>
    RollBack,
    /// <summary>It stops; what is at work goes on to its end.</summary>
    Stop,
    /// <summary>The result counts.</summary>
    Commit,
}

/// <summary>POST executions/{id}/actions.</summary>
/// <param name="Id">The execution, from the path.</param>
/// <param name="Action">What is done.</param>
/// <param name="Step">The step, for Retry, Skip and ByHand.</param>
/// <param name="Text">Why, or what was seen; needed for Skip and ByHand. At most 2,000 characters.</param>
public sealed record ActOnExecutionRequest(ExecutionId Id = default, ExecutionAction Action = default, string? Step = null,
    string? Text = null);

/// <summary>POST executions/{id}/approve: the answer to an approval.</summary>
/// <param name="Id">The execution, from the path.</param>
/// <param name="Step">The approval.</param>
/// <param name="Yes">Yes or no; one no ends it.</param>
/// <param name="Text">Why; at most 2,000 characters.</param>
public sealed record ApproveStepRequest(ExecutionId Id = default, string Step = "", bool Yes = false, string? Text = null);
