using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>Whether a runbook can be relied on.</summary>
public enum RunbookState
{
    /// <summary>Its newest version was rehearsed with success, and nothing stands in its way.</summary>
    Ready,
    /// <summary>Its newest version was not rehearsed with success since it was made.</summary>
    NeedsRehearsal,
    /// <summary>Something stands in its way.</summary>
    Problem,
    /// <summary>Nobody looked yet whether something stands in its way.</summary>
    NotEvaluated,
}

/// <summary>A runbook as it is now.</summary>
public sealed record Runbook
{
    /// <summary>Its id.</summary>
    public required RunbookId Id { get; init; }
    /// <summary>Its name.</summary>
    public required string Name { get; init; }
    /// <summary>Number of its newest version, from 1.</summary>
    public required int Version { get; init; }
    /// <summary>What that says.</summary>
    public required RunbookSpec Spec { get; init; }
    /// <summary>When it was made.</summary>
    public required DateTimeOffset ChangedAt { get; init; }
    /// <summary>By whom.</summary>
    public required string ChangedBy { get; init; }
    /// <summary>Whether it can be relied on.</summary>
    public required RunbookState State { get; init; }
    /// <summary>What stands in its way, as it was last looked at.</summary>
    public IReadOnlyList<RunbookProblem> Problems { get; init => field = value ?? []; } = [];
    /// <summary>When that was.</summary>
    public DateTimeOffset? EvaluatedAt { get; init; }
    /// <summary>The last rehearsal of any version that came to its end; null for none.</summary>
    public ExecutionSummary? LastRehearsal { get; init; }
    /// <summary>What is being executed of it, the one in earnest first.</summary>
    public IReadOnlyList<ExecutionSummary> Open { get; init => field = value ?? []; } = [];
    /// <summary>The newest bundle that was made of it; null for none.</summary>
    public NewestBundle? Bundle { get; init; }
}

/// <summary>GET runbooks: by name.</summary>
public sealed record ListRunbooksRequest;

/// <summary>GET runbooks/{id}.</summary>
public sealed record ShowRunbookRequest(RunbookId Id);

/// <summary>POST runbooks: makes one.</summary>
public sealed record CreateRunbookRequest
{
    /// <summary>1 to 100 characters; no other has it.</summary>
    public required string Name { get; init; }
    /// <summary>What it does.</summary>
    public required RunbookSpec Spec { get; init; }
    /// <summary>Made by the client, so that sending it again makes no second one; null for one of the node's.</summary>
    public RunbookId? Id { get; init; }
}

/// <summary>PUT runbooks/{id}: what differs makes a new version, which needs a rehearsal.</summary>
/// <param name="Id">The runbook, from the path.</param>
/// <param name="Name">Its name from now on.</param>
/// <param name="Spec">What it does from now on.</param>
/// <param name="Version">The version that the change was made from; null for whatever is there.</param>
public sealed record EditRunbookRequest(RunbookId Id, string Name, RunbookSpec Spec, int? Version = null);

/// <summary>DELETE runbooks/{id}: it is executed no more. Its executions stay.</summary>
public sealed record RemoveRunbookRequest(RunbookId Id);

/// <summary>GET runbooks/{id}/versions: the newest first.</summary>
/// <param name="Id">The runbook, from the path.</param>
/// <param name="Most">Only so many, at least 1; null for as many as are given at once.</param>
public sealed record ListRunbookVersionsRequest(RunbookId Id, int? Most = null);

/// <summary>A runbook as somebody made it at some time.</summary>
/// <param name="Version">Its number, from 1.</param>
/// <param name="At">When it was made.</param>
/// <param name="By">By whom.</param>
/// <param name="Spec">What it said.</param>
/// <param name="Hash">SHA-256 of that, 64 hex characters: what an execution names.</param>
/// <param name="Changes">What differs from the version before; null for the first, and where that one is not listed.</param>
public sealed record RunbookVersion(int Version, DateTimeOffset At, string By, RunbookSpec Spec, string Hash,
    IReadOnlyList<MemberChange>? Changes = null);

/// <summary>GET runbooks/{id}/document: the runbook as YAML.</summary>
public sealed record ShowRunbookDocumentRequest(RunbookId Id);

/// <summary>A runbook as a document that stands for itself: in a file, under version control, in a review.</summary>
public sealed record RunbookDocument
{
    /// <summary>What <see cref="ApiVersion"/> and <see cref="Kind"/> have to be.</summary>
    public const string TheVersion = "backupdr/v1", TheKind = "Runbook";

    /// <summary>Version of the notation.</summary>
    public required string ApiVersion { get; init; }
    /// <summary>What the document is.</summary>
    public required string Kind { get; init; }
    /// <summary>The runbook's name, by which it is found again.</summary>
    public required string Name { get; init; }
    /// <summary>What it does.</summary>
    public required RunbookSpec Spec { get; init; }
}

/// <summary>A runbook's document as text.</summary>
/// <param name="Name">The runbook's name.</param>
/// <param name="Yaml">The document; what is given to POST runbooks/apply.</param>
public sealed record RunbookYaml(string Name, string Yaml);

/// <summary>POST runbooks/apply: makes runbooks be as documents say, all of them or none.</summary>
public sealed record ApplyRunbooksRequest
{
    /// <summary>YAML or JSON, each with one document or several.</summary>
    public required IReadOnlyList<DocumentFile> Files { get; init; }
    /// <summary>Whether only the answer is wanted: nothing is kept of what was done to make it.</summary>
    public bool DryRun { get; init; }
}

/// <summary>What applying did, or would do.</summary>
/// <param name="IsDryRun">Whether nothing was kept of it.</param>
/// <param name="Runbooks">Each runbook that a document names, in the order of the documents.</param>
public sealed record RunbooksApplied(bool IsDryRun, IReadOnlyList<AppliedRunbook> Runbooks);

/// <summary>A runbook, and what its document does to it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Id">Its id; of a dry run that would make it, one that will not be used.</param>
/// <param name="Change">What happens.</param>
/// <param name="Version">Its newest version then.</param>
/// <param name="File">The file of its document.</param>
/// <param name="Members">What differs, of one that is changed; null for nothing.</param>
public sealed record AppliedRunbook(string Name, RunbookId Id, DocumentChange Change, int Version, string File,
    IReadOnlyList<MemberChange>? Members = null);

/// <summary>POST runbooks/{id}/failback: makes the runbook of the way back.</summary>
/// <param name="Id">The runbook that went there, from the path.</param>
/// <param name="Name">Name of the new one; null for the name of the other with "-back".</param>
/// <param name="Hosts">Which host takes over from which.</param>
public sealed record MakeFailbackRequest(RunbookId Id = default, string? Name = null, IReadOnlyList<FailbackHost>? Hosts = null);
