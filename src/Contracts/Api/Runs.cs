using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Contracts.Api;

/// <summary>States of a run. The moves between them are in the scheduler's transition table and docs/concepts/run.md.</summary>
public enum RunState
{
    /// <summary>Waits for an agent.</summary>
    Queued,
    /// <summary>An agent took it and has not reported yet.</summary>
    Leased,
    /// <summary>An agent is at work.</summary>
    Running,
    /// <summary>All of it was done.</summary>
    Complete,
    /// <summary>Done, but something is missing.</summary>
    Incomplete,
    /// <summary>Nothing usable came of it.</summary>
    Failed,
    /// <summary>Stopped because somebody asked.</summary>
    Cancelled,
}

/// <summary>GET runs: newest first.</summary>
public sealed record ListRunsRequest
{
    /// <summary>Only these states; empty for all.</summary>
    public IReadOnlyList<RunState> States { get; init; } = [];
    /// <summary>Only this kind.</summary>
    public JobKind? Kind { get; init; }
    /// <summary>Only of this item.</summary>
    public ItemId? Item { get; init; }
    /// <summary>Only of this policy.</summary>
    public PolicyId? Policy { get; init; }
    /// <summary>Only on this host.</summary>
    public HostId? Host { get; init; }
    /// <summary>Only what was made from this moment on.</summary>
    public DateTimeOffset? Since { get; init; }
    /// <summary>Only what was made before this moment.</summary>
    public DateTimeOffset? Until { get; init; }
    /// <summary>Runs older than this one: the last of the page before.</summary>
    public RunId? Before { get; init; }
    /// <summary>1 to 200.</summary>
    public int Limit { get; init; } = 50;
}

/// <summary>A page of runs and the counts for the tabs.</summary>
public sealed record RunPage(IReadOnlyList<Run> Runs, RunId? Next, int Running, int Waiting);

/// <summary>GET runs/{id}.</summary>
public sealed record ShowRunRequest(RunId Id);

/// <summary>One execution.</summary>
public sealed record Run
{
    /// <summary>Its id.</summary>
    public required RunId Id { get; init; }
    /// <summary>What it does.</summary>
    public required JobKind Kind { get; init; }
    /// <summary>How far it is.</summary>
    public required RunState State { get; init; }
    /// <summary>What it is about in words: "Backup /srv/data of web-1".</summary>
    public required string Title { get; init; }
    /// <summary>For a run that waits: why, in words.</summary>
    public string? WaitsFor { get; init; }
    /// <summary>What is to be known about how it came, in words: what it makes up for, that it was skipped, that a person started it
    /// outside of the policy's hours. Null for nothing.</summary>
    public string? Note { get; init; }
    /// <summary>For a run that waits for its time: that time.</summary>
    public DateTimeOffset? NotBefore { get; init; }
    /// <summary>For a restore that waits for a thaw: what is not thawed, by the last look.</summary>
    public ArchivedPacks? Thawing { get; init; }
    /// <summary>The item.</summary>
    public ItemId? Item { get; init; }
    /// <summary>The policy.</summary>
    public PolicyId? Policy { get; init; }
    /// <summary>The host that executes it.</summary>
    public required HostId Host { get; init; }
    /// <summary>That host's name.</summary>
    public required string HostName { get; init; }
    /// <summary>The repository that it works on.</summary>
    public RepositoryId Repository { get; init; }
    /// <summary>Nominal time of the firing that made it; null for one that a person started.</summary>
    public DateTimeOffset? NominalAt { get; init; }
    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
    /// <summary>When an agent first took it.</summary>
    public DateTimeOffset? StartedAt { get; init; }
    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
    /// <summary>How many leases it has had.</summary>
    public required long Epoch { get; init; }
    /// <summary>How many of these ended only to wait for something outside.</summary>
    public int Looks { get; init; }
    /// <summary>Who asked for it: a person, "schedule" or "system".</summary>
    public required string RequestedBy { get; init; }
    /// <summary>Somebody asked to cancel.</summary>
    public bool CancelAsked { get; init; }
    /// <summary>How far, as last reported.</summary>
    public JobProgress? Progress { get; init; }
    /// <summary>How it ended.</summary>
    public JobResult? Result { get; init; }
    /// <summary>The recovery point that it made, restored or drilled.</summary>
    public RecoveryPointId? RecoveryPoint { get; init; }
    /// <summary>Where a restore writes.</summary>
    public FilePath? Target { get; init; }
}

/// <summary>GET runs/{id}/events: the log from <paramref name="After"/> on, oldest first; the last 1,000 where it is null.</summary>
public sealed record ReadRunEventsRequest(RunId Id, long? After = null, int Limit = 1000);

/// <summary>A line of the log with its number within the run.</summary>
public sealed record RunEvent(long Seq, long Epoch, DateTimeOffset At, EventLevel Level, string Code, string Text);

/// <summary>Lines of the log.</summary>
public sealed record RunEvents(IReadOnlyList<RunEvent> Events);

/// <summary>POST runs/{id}/cancel. What was uploaded is kept and reused.</summary>
public sealed record CancelRunRequest(RunId Id);

/// <summary>POST runs/{id}/retry: a new run with the same job.</summary>
public sealed record RetryRunRequest(RunId Id);

/// <summary>POST runs/{id}/thaw: a new run that does what a restore did that met archived packs, and thaws them.</summary>
/// <param name="Id">The restore that ended.</param>
/// <param name="Days">Days that packs stay readable at least.</param>
/// <param name="PriceOfGiB">For the estimate; null for a list price.</param>
public sealed record ThawAndRestoreRequest(RunId Id = default, int Days = 7, double? PriceOfGiB = null);
