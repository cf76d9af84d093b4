using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>PUT hosts/{id}/labels: these and no others.</summary>
public sealed record SetHostLabelsRequest(HostId Id, IReadOnlyDictionary<string, string> Labels);

/// <summary>POST policies/assignment: what rules match now, before or after they are saved.</summary>
/// <param name="Assign">The rules; null for those that the policy has.</param>
/// <param name="Policy">The policy whose rules they are; null for a new one.</param>
public sealed record PreviewAssignmentRequest(AssignSpec? Assign = null, PolicyId? Policy = null);

/// <summary>What rules match, what of it other policies take, and which items are no longer matched.</summary>
public sealed record AssignmentPreview
{
    /// <summary>Most things that are listed.</summary>
    public const int Most = 1000;

    /// <summary>By host and path, at most <see cref="Most"/>.</summary>
    public IReadOnlyList<AssignedThing> Things { get; init; } = [];
    /// <summary>How many there are in all.</summary>
    public int Count { get; init; }
    /// <summary>Items that a rule of this policy made and none matches now. They stay protected.</summary>
    public IReadOnlyList<Item> Left { get; init; } = [];
}

/// <summary>What becomes of something that a rule matches.</summary>
public enum AssignFate
{
    /// <summary>It is to become an item of this policy.</summary>
    New,
    /// <summary>It is listed until somebody agrees.</summary>
    Proposed,
    /// <summary>An item of this policy has it.</summary>
    Here,
    /// <summary>An item of another policy has it, which stays so.</summary>
    Elsewhere,
    /// <summary>Another policy's rule takes it.</summary>
    Lost,
    /// <summary>A person hid it: it need not be protected.</summary>
    Hidden,
}

/// <summary>Something that rules match.</summary>
/// <param name="Host">Its host.</param>
/// <param name="HostName">The host's name.</param>
/// <param name="Kind">By which kind of source it is protected.</param>
/// <param name="Path">Where it is.</param>
/// <param name="Detail">What it is, as the agent said.</param>
/// <param name="Rule">Which rule matches, from 1.</param>
/// <param name="Fate">What becomes of it.</param>
/// <param name="Reason">Why, where it does not become an item of this policy.</param>
public sealed record AssignedThing(HostId Host, string HostName, SourceKind Kind, FilePath Path, string Detail, int Rule, AssignFate Fate,
    string? Reason = null);

/// <summary>POST policies/{id}/assignment/agree: what the rules of a policy propose becomes items of it.</summary>
/// <param name="Id">The policy, from the path.</param>
/// <param name="Things">Which of them; empty for all.</param>
public sealed record AgreeAssignmentRequest(PolicyId Id, IReadOnlyList<ProposedThing> Things);

/// <summary>Names something that is proposed.</summary>
public sealed record ProposedThing(HostId Host, SourceKind Kind, FilePath Path);

/// <summary>Items that were made.</summary>
public sealed record ItemsAssigned(IReadOnlyList<ItemId> Items);

/// <summary>POST items/{id}/retire: no new recovery points of it; those that exist stay.</summary>
public sealed record RetireItemRequest(ItemId Id);
