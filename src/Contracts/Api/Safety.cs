namespace BackupDr.Contracts.Api;

/// <summary>GET safety: can we restore?</summary>
public sealed record ShowSafetyRequest;

/// <summary>The four answers, worst first.</summary>
public enum SafetyAnswer
{
    /// <summary>We do not know.</summary>
    Unknown,
    /// <summary>At least one item cannot be restored inside its objective.</summary>
    No,
    /// <summary>All are inside their objective, but not all are proven.</summary>
    Mostly,
    /// <summary>All items can be restored.</summary>
    Yes,
    /// <summary>Nothing is protected yet.</summary>
    Empty,
}

/// <summary>The answer, in one sentence, with its reasons.</summary>
public sealed record Safety
{
    /// <summary>Which of them.</summary>
    public required SafetyAnswer Answer { get; init; }
    /// <summary>For example "Yes. All 3 items can be restored."</summary>
    public required string Sentence { get; init; }
    /// <summary>At most three, worst first.</summary>
    public IReadOnlyList<SafetyReason> Reasons { get; init; } = [];
    /// <summary>Items in all.</summary>
    public int Items { get; init; }
    /// <summary>Proven ones.</summary>
    public int Proven { get; init; }
    /// <summary>Oldest valid proof.</summary>
    public DateTimeOffset? OldestProofAt { get; init; }
    /// <summary>Largest possible loss now over all items.</summary>
    public TimeSpan? LargestLoss { get; init; }
    /// <summary>Next nominal firing.</summary>
    public DateTimeOffset? NextRunAt { get; init; }
    /// <summary>Hosts in service, and online ones.</summary>
    public int Hosts { get; init; }
    /// <summary>Hosts online.</summary>
    public int HostsOnline { get; init; }
    /// <summary>By the database's clock.</summary>
    public required DateTimeOffset AsOf { get; init; }
}

/// <summary>An item that is not as it should be.</summary>
public sealed record SafetyReason(ItemId Item, string ItemName, ItemState State, string Text);

/// <summary>One message of the live stream: something about this subject changed; look again.</summary>
/// <param name="Topic">"runs", "hosts", "points", "policies", "storage", "joins".</param>
/// <param name="Id">Text form of the object's id, or null for the list.</param>
public sealed record LiveChange(string Topic, string? Id);

/// <summary>An error answer of the API: problem details (RFC 9457) with our code and hint.</summary>
public sealed record ApiProblem
{
    /// <summary>HTTP status.</summary>
    public int Status { get; init; }
    /// <summary>What happened.</summary>
    public string Title { get; init; } = "";
    /// <summary>Stable code.</summary>
    public string Code { get; init; } = "";
    /// <summary>What to do next.</summary>
    public string? Hint { get; init; }
    /// <summary>The field that is wrong, for 400.</summary>
    public string? Field { get; init; }
}
