namespace BackupDr.Contracts.Api;

/// <summary>What became of a request that needs a second person.</summary>
public enum ApprovalState
{
    /// <summary>Nobody has decided.</summary>
    Waiting,
    /// <summary>A second person approved; what shows a secret is shown to who asked, once.</summary>
    Approved,
    /// <summary>It was done, exactly as it was asked for.</summary>
    Done,
    /// <summary>A second person refused, or who asked took it back.</summary>
    Refused,
    /// <summary>Nobody decided in time.</summary>
    Expired,
    /// <summary>What it touches was changed since, so that it was not done.</summary>
    Outdated,
    /// <summary>It was approved, and could not be done.</summary>
    Failed,
}

/// <summary>A request that needs a second person.</summary>
public sealed record Approval
{
    /// <summary>Names it.</summary>
    public required ApprovalId Id { get; init; }
    /// <summary>What is to be done, for example "policy.remove".</summary>
    public required string Action { get; init; }
    /// <summary>What it is done to: the text of an id, or empty.</summary>
    public required string Object { get; init; }
    /// <summary>What it does, as a sentence.</summary>
    public required string Effect { get; init; }
    /// <summary>The exact command, as canonical JSON (RFC 8785).</summary>
    public required string Command { get; init; }
    /// <summary>SHA-256 of the command.</summary>
    public required string CommandHash { get; init; }
    /// <summary>What became of it.</summary>
    public required ApprovalState State { get; init; }
    /// <summary>Who asked.</summary>
    public required string RequestedBy { get; init; }
    /// <summary>When.</summary>
    public required DateTimeOffset RequestedAt { get; init; }
    /// <summary>Until when somebody has to decide, or an approved secret has to be looked at.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
    /// <summary>Who decided.</summary>
    public string? DecidedBy { get; init; }
    /// <summary>When.</summary>
    public DateTimeOffset? DecidedAt { get; init; }
    /// <summary>What they wrote, or why it was not done.</summary>
    public string? Note { get; init; }
    /// <summary>Whether who asks now may decide about it.</summary>
    public bool IsMine { get; init; }
}

/// <summary>GET approvals: those that wait, or the last hundred that do not.</summary>
public sealed record ListApprovalsRequest(bool Over = false);

/// <summary>GET approvals/{id}.</summary>
public sealed record ShowApprovalRequest(ApprovalId Id);

/// <summary>POST approvals/{id}/approve: does it, as who asked.</summary>
/// <param name="Id">The request.</param>
/// <param name="CommandHash">The hash of what was looked at; another one is refused.</param>
/// <param name="Note">Why, at most 500 characters.</param>
public sealed record ApproveRequest(string CommandHash, string? Note = null, ApprovalId Id = default);

/// <summary>POST approvals/{id}/refuse: by a second person, or by who asked.</summary>
public sealed record RefuseRequest(string? Note = null, ApprovalId Id = default);

/// <summary>GET four-eyes.</summary>
public sealed record ShowFourEyesRequest;

/// <summary>Whether a second person is needed, and who could be one.</summary>
/// <param name="IsOn">Whether.</param>
/// <param name="Hours">How long a request waits.</param>
/// <param name="Approvers">Names of the persons who may decide.</param>
/// <param name="ChangedBy">Who set it last.</param>
/// <param name="ChangedAt">When.</param>
public sealed record FourEyesSetting(bool IsOn, int Hours, IReadOnlyList<string> Approvers, string? ChangedBy, DateTimeOffset? ChangedAt);

/// <summary>PUT four-eyes. Switching it off needs a second person.</summary>
/// <param name="IsOn">Whether.</param>
/// <param name="Hours">How long a request waits, 1 to 72.</param>
public sealed record SetFourEyesRequest(bool IsOn, int Hours = 24);
