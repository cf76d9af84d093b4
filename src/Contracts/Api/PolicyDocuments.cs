using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>A policy as a document that stands for itself: in a file, under version control, in a review.</summary>
public sealed record PolicyDocument
{
    /// <summary>What <see cref="ApiVersion"/> and <see cref="Kind"/> have to be.</summary>
    public const string TheVersion = "backupdr/v1", TheKind = "Policy";

    /// <summary>Version of the notation.</summary>
    public required string ApiVersion { get; init; }
    /// <summary>What the document is.</summary>
    public required string Kind { get; init; }
    /// <summary>The policy's name, by which it is found again.</summary>
    public required string Name { get; init; }
    /// <summary>Where new items of it are kept; null for the only location, or a folder on the host.</summary>
    public LocationId? Location { get; init; }
    /// <summary>What is protected where, one by one.</summary>
    public IReadOnlyList<NewItem> Items { get => field ?? []; init; }
    /// <summary>By which rules it takes more; null for none.</summary>
    public AssignSpec? Assign { get; init; }
    /// <summary>What it wants and does.</summary>
    public PolicySpec Spec { get => field ?? new(); init; }
}

/// <summary>GET policies/{id}/document: the policy as YAML.</summary>
public sealed record ShowPolicyDocumentRequest(PolicyId Id);

/// <summary>A document as text.</summary>
/// <param name="Name">The policy's name.</param>
/// <param name="Yaml">The document; what is given to POST policies/apply.</param>
public sealed record PolicyYaml(string Name, string Yaml);

/// <summary>POST policies/apply: makes policies be as documents say, all of them or none.</summary>
public sealed record ApplyPoliciesRequest
{
    /// <summary>Most files, and most characters of one.</summary>
    public const int MostFiles = 1000, LongestFile = 1 << 20;

    /// <summary>YAML or JSON, each with one document or several.</summary>
    public required IReadOnlyList<DocumentFile> Files { get; init; }
    /// <summary>Whether only the answer is wanted: nothing is kept of what was done to make it.</summary>
    public bool DryRun { get; init; }
    /// <summary>Whether what the documents do not name goes: items of their policies, and policies that came from documents
    /// before.</summary>
    public bool Prune { get; init; }
    /// <summary>Names of policies whose change may make recovery points go.</summary>
    public IReadOnlyList<string> LosePoints { get => field ?? []; init; }
}

/// <summary>A file with documents.</summary>
/// <param name="Name">What it is called, for messages.</param>
/// <param name="Text">What is in it.</param>
public sealed record DocumentFile(string Name, string Text);

/// <summary>What applying did, or would do.</summary>
/// <param name="IsDryRun">Whether nothing was kept of it.</param>
/// <param name="Policies">Each policy that a document names or that goes, in the order of the documents.</param>
/// <param name="Runbooks">Each runbook that a document names; null where none does.</param>
public sealed record PoliciesApplied(bool IsDryRun, IReadOnlyList<AppliedPolicy> Policies, IReadOnlyList<AppliedRunbook>? Runbooks = null)
{
    /// <summary>Whether anything changed, or would.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool HasChanges => Policies.Any(policy => policy.Change != DocumentChange.None)
        || Runbooks?.Any(runbook => runbook.Change != DocumentChange.None) == true;
}

/// <summary>What happens to a policy by its document.</summary>
public enum DocumentChange
{
    /// <summary>Nothing: it is as the document says.</summary>
    None,
    /// <summary>It is made.</summary>
    Create,
    /// <summary>It is changed.</summary>
    Edit,
    /// <summary>It is removed; its recovery points stay.</summary>
    Remove,
}

/// <summary>A policy, and what its document does to it.</summary>
public sealed record AppliedPolicy
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }
    /// <summary>Its id; of a dry run that would make it, one that will not be used.</summary>
    public required PolicyId Id { get; init; }
    /// <summary>What happens.</summary>
    public required DocumentChange Change { get; init; }
    /// <summary>The file of its document; null where it is removed for want of one.</summary>
    public string? File { get; init; }
    /// <summary>What changes, member by member.</summary>
    public IReadOnlyList<MemberChange> Members { get; init; } = [];
    /// <summary>The recovery points that go; null for none.</summary>
    public RetentionLoss? Loss { get; init; }
    /// <summary>What stays although no document names it, and why.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];
}

/// <summary>One thing that differs.</summary>
/// <param name="Member">Where: "spec.retention.keepDaily".</param>
/// <param name="From">What it was, as in a document; null where it was not there.</param>
/// <param name="To">What it is; null where it is no longer there.</param>
public sealed record MemberChange(string Member, string? From, string? To);

/// <summary>From where a version of a policy came.</summary>
public enum PolicyOrigin
{
    /// <summary>A page.</summary>
    Console,
    /// <summary>The public API.</summary>
    Api,
    /// <summary>A document that was applied.</summary>
    Document,
    /// <summary>An earlier version that was brought back.</summary>
    Earlier,
    /// <summary>It was there before versions were kept.</summary>
    Before,
}

/// <summary>GET policies/{id}/versions: the newest first.</summary>
public sealed record ListPolicyVersionsRequest(PolicyId Id);

/// <summary>A policy as somebody made it at some time.</summary>
public sealed record PolicyVersion
{
    /// <summary>Its number, from 1.</summary>
    public required int Version { get; init; }
    /// <summary>When it was made.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>By whom.</summary>
    public required string By { get; init; }
    /// <summary>From where it came.</summary>
    public required PolicyOrigin Origin { get; init; }
    /// <summary>What happened beside: items that came or went, the version that was brought back.</summary>
    public string? Remark { get; init; }
    /// <summary>The policy's name then.</summary>
    public required string Name { get; init; }
    /// <summary>What it wanted and did.</summary>
    public required PolicySpec Spec { get; init; }
    /// <summary>Its rules; null for none.</summary>
    public AssignSpec? Assign { get; init; }
    /// <summary>What differs from the version before it.</summary>
    public IReadOnlyList<MemberChange> Changes { get; init; } = [];
}

/// <summary>POST policies/{id}/versions/{version}/restore: name, objectives, schedule and rules become what they were; a new version. Items
/// stay as they are.</summary>
/// <param name="Id">The policy, from the path.</param>
/// <param name="Version">The version, from the path.</param>
/// <param name="Confirm">The name that the policy has now, typed by the person who asks, where recovery points go by it.</param>
/// <param name="Based">The version that the person saw as the newest; null for whatever is.</param>
public sealed record RestorePolicyVersionRequest(PolicyId Id, int Version, string? Confirm = null, int? Based = null);

/// <summary>GET policies/{id}/versions/compare: what differs between two versions.</summary>
public sealed record ComparePolicyVersionsRequest(PolicyId Id, int From, int To);

/// <summary>What differs between two versions.</summary>
public sealed record PolicyComparison(PolicyVersion From, PolicyVersion To, IReadOnlyList<MemberChange> Changes);

/// <summary>GET policies/templates.</summary>
public sealed record ListPolicyTemplatesRequest;
