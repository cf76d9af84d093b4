using System.Text.Json.Serialization;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>GET policies.</summary>
public sealed record ListPoliciesRequest;

/// <summary>GET policies/{id}.</summary>
public sealed record ShowPolicyRequest(PolicyId Id);

/// <summary>POST policies: makes a policy, its items, their repositories and, unless switched off, their first backup at once.</summary>
public sealed record CreatePolicyRequest
{
    /// <summary>Made by the client, so that a repeated request makes nothing twice; null for a new one.</summary>
    public PolicyId? Id { get; init; }
    /// <summary>What people call it; null for one made from the first path and host.</summary>
    public string? Name { get; init; }
    /// <summary>What is protected where; at least one, unless there are rules.</summary>
    public required IReadOnlyList<NewItem> Items { get; init; }
    /// <summary>By which rules it takes more of what agents find; null for none.</summary>
    public AssignSpec? Assign { get; init; }
    /// <summary>Where it is kept; null for the only location, or one made on the host where there is none.</summary>
    public LocationId? Location { get; init; }
    /// <summary>The adopted repository that it continues, instead of a location; all items are then of that repository's host.</summary>
    public RepositoryId? Repository { get; init; }
    /// <summary>What it wants and does.</summary>
    public PolicySpec Spec { get; init; } = new();
    /// <summary>Whether the first backup starts at once.</summary>
    public bool RunNow { get; init; } = true;
}

/// <summary>A source of a host to be protected.</summary>
public sealed record NewItem(HostId Host, SourceSpec Source);

/// <summary>PUT policies/{id}: changes name, objectives and schedule.</summary>
/// <param name="Id">The policy, from the path.</param>
/// <param name="Name">What people call it.</param>
/// <param name="Spec">What it wants and does.</param>
/// <param name="Confirm">The name that it has now, typed by the person who asks, where the change makes recovery points go.</param>
/// <param name="Version">The version that the change was made from: where there is a newer one it is refused. Null for whatever is there.
/// </param>
/// <param name="Assign">By which rules it takes more of what agents find; null to leave them as they are.</param>
public sealed record EditPolicyRequest(PolicyId Id, string Name, PolicySpec Spec, string? Confirm = null, int? Version = null,
    AssignSpec? Assign = null);

/// <summary>POST policies/{id}/pause: makes no new runs until resumed. Runs under way go on.</summary>
public sealed record PausePolicyRequest(PolicyId Id, string Reason);

/// <summary>POST policies/{id}/resume.</summary>
public sealed record ResumePolicyRequest(PolicyId Id);

/// <summary>POST policies/{id}/run: one backup of each of its items now, in addition to the schedule.</summary>
public sealed record RunPolicyRequest(PolicyId Id);

/// <summary>DELETE policies/{id}: its items are retired; recovery points stay.</summary>
public sealed record RemovePolicyRequest(PolicyId Id);

/// <summary>Runs that were made.</summary>
/// <param name="Runs">Which.</param>
/// <param name="Note">What is to be known about them: that it is outside of the policy's hours. Null for nothing.</param>
public sealed record RunsStarted(IReadOnlyList<RunId> Runs, string? Note = null);

/// <summary>POST policies/preview: what a policy would do, before it is saved.</summary>
/// <param name="Spec">What it wants and does.</param>
/// <param name="LogEvery">How often the log of its cluster is stored; null where none is received.</param>
/// <param name="Policy">The policy that it changes; null for a new one.</param>
public sealed record PreviewPolicyRequest(PolicySpec Spec, TimeSpan? LogEvery = null, PolicyId? Policy = null);

/// <summary>What a policy would do.</summary>
/// <param name="NextRuns">The next five times at which runs start, but for the spread, UTC.</param>
/// <param name="WorstLoss">Longest time between recovery points that this schedule makes.</param>
/// <param name="Sentence">The same in words.</param>
/// <param name="Retention">What it would keep.</param>
/// <param name="Schedule">When its runs would start.</param>
public sealed record PolicyPreview(IReadOnlyList<DateTimeOffset> NextRuns, TimeSpan WorstLoss, string Sentence,
    RetentionPreview? Retention = null, SchedulePreview? Schedule = null);

/// <summary>A policy.</summary>
public sealed record Policy
{
    /// <summary>Its id.</summary>
    public required PolicyId Id { get; init; }
    /// <summary>What people call it.</summary>
    public required string Name { get; init; }
    /// <summary>What it wants and does.</summary>
    public required PolicySpec Spec { get; init; }
    /// <summary>Raised by each edit.</summary>
    public required int Version { get; init; }
    /// <summary>Set while paused.</summary>
    public DateTimeOffset? PausedAt { get; init; }
    /// <summary>Why it is paused.</summary>
    public string? PauseReason { get; init; }
    /// <summary>When runs start next, but for the spread.</summary>
    public DateTimeOffset? NextRunAt { get; init; }
    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
    /// <summary>By which rules it takes more; null for none.</summary>
    public AssignSpec? Assign { get; init; }
    /// <summary>What it protects.</summary>
    public IReadOnlyList<Item> Items { get; init; } = [];
}

/// <summary>What can be said of an item. The words of the console.</summary>
public enum ItemState
{
    /// <summary>Inside its RPO, and the last proof is young enough.</summary>
    Proven,
    /// <summary>Inside its RPO without a valid proof, or with a test restore that is overdue.</summary>
    Unproven,
    /// <summary>The newest run is incomplete while an older complete point is inside the RPO.</summary>
    Incomplete,
    /// <summary>The newest complete recovery point is older than the RPO.</summary>
    Overdue,
    /// <summary>A proof or a check failed: it is not sure that it can be restored. People read "Broken".</summary>
    Failed,
    /// <summary>There is no recovery point yet and its first is not late.</summary>
    New,
    /// <summary>The host is silent, so we cannot say.</summary>
    Unknown,
    /// <summary>Its policy is paused or it was retired.</summary>
    Off,
}

/// <summary>GET items.</summary>
public sealed record ListItemsRequest;

/// <summary>GET items/{id}.</summary>
public sealed record ShowItemRequest(ItemId Id);

/// <summary>One source of one host under one policy.</summary>
public sealed record Item
{
    /// <summary>Its id.</summary>
    public required ItemId Id { get; init; }
    /// <summary>What people call it: the last name of the path, and the host.</summary>
    public required string Name { get; init; }
    /// <summary>The source.</summary>
    public required SourceSpec Source { get; init; }
    /// <summary>Whether a rule of the policy made it.</summary>
    public bool IsByRule { get; init; }
    /// <summary>The host.</summary>
    public required HostId Host { get; init; }
    /// <summary>The host's name.</summary>
    public required string HostName { get; init; }
    /// <summary>The policy.</summary>
    public required PolicyId Policy { get; init; }
    /// <summary>The policy's name.</summary>
    public required string PolicyName { get; init; }
    /// <summary>The repository.</summary>
    public required RepositoryId Repository { get; init; }
    /// <summary>What can be said of it now.</summary>
    public required ItemState State { get; init; }
    /// <summary>Why, in one sentence.</summary>
    public string StateReason { get; init; } = "";
    /// <summary>Objective.</summary>
    public required TimeSpan Rpo { get; init; }
    /// <summary>Objective.</summary>
    public required TimeSpan Rto { get; init; }
    /// <summary>Time of the newest complete recovery point.</summary>
    public DateTimeOffset? LastPointAt { get; init; }
    /// <summary>Newest complete recovery point.</summary>
    public RecoveryPointId? LastPoint { get; init; }
    /// <summary>Of a cluster whose log is received: the newest moment in it that can be restored to. Null for everything else, and before
    /// there is a base backup in the stored log.</summary>
    public DateTimeOffset? LogUntil { get; init; }
    /// <summary>The newest moment that can be restored to, from which the RPO counts.</summary>
    [JsonIgnore]
    public DateTimeOffset? NewestMoment => LogUntil > LastPointAt ? LogUntil : LastPointAt;
    /// <summary>Time of the newest proven recovery point.</summary>
    public DateTimeOffset? LastProvenPointAt { get; init; }
    /// <summary>Newest proven recovery point.</summary>
    public RecoveryPointId? LastProvenPoint { get; init; }
    /// <summary>When the last proof was made.</summary>
    public DateTimeOffset? LastProofAt { get; init; }
    /// <summary>When the next test restore is due by the policy; it may begin earlier. Null for none by schedule, or none yet.</summary>
    public DateTimeOffset? DrillDueAt { get; init; }
    /// <summary>Measured restore time of the last drill.</summary>
    public TimeSpan? MeasuredRto { get; init; }
    /// <summary>The longest time of the last 30 days without a new complete recovery point, by when the node received them, the present
    /// wait among them; of a log how far behind it was at worst. Null before the first point.</summary>
    public TimeSpan? AchievedRpo { get; init; }
    /// <summary>How long a restore of the newest point will take; null with <see cref="NoEstimate"/>.</summary>
    public RestoreEstimate? RestoreEstimate { get; init; }
    /// <summary>Why there is no estimate.</summary>
    public NoEstimate? NoEstimate { get; init; }
    /// <summary>Plain bytes of the newest point.</summary>
    public long Bytes { get; init; }
    /// <summary>Recovery points in all.</summary>
    public int RecoveryPoints { get; init; }
}
