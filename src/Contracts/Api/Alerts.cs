namespace BackupDr.Contracts.Api;

/// <summary>What an alert is about.</summary>
public enum AlertKind
{
    /// <summary>An item has no complete recovery point inside its objective.</summary>
    ItemOverdue,
    /// <summary>The last backup of an item failed.</summary>
    BackupFailed,
    /// <summary>The last backup of an item left something out.</summary>
    BackupIncomplete,
    /// <summary>A test restore failed.</summary>
    DrillFailed,
    /// <summary>An item has not been test-restored for longer than its policy lets a proof count.</summary>
    DrillOverdue,
    /// <summary>A host's agent is silent.</summary>
    AgentSilent,
    /// <summary>A location cannot be reached, or refuses.</summary>
    LocationUnreachable,
    /// <summary>The log of a database is not received, or not stored.</summary>
    LogStalled,
    /// <summary>Nothing is forgotten because what an item holds changed suddenly.</summary>
    RetentionHeld,
    /// <summary>The state of the control plane itself could not be stored outside of its database.</summary>
    ExportLate,
    /// <summary>Something that needs two persons waits for the second.</summary>
    ApprovalWaiting,
    /// <summary>A later control plane of the installation has begun, and this one does nothing any more.</summary>
    Superseded,
    /// <summary>The execution of a runbook waits for a person.</summary>
    ExecutionWaits,
    /// <summary>The execution of a runbook left something behind that it could not undo or clean up.</summary>
    ExecutionLeftovers,
    /// <summary>A server that was promoted and the one whose place it took both take writes.</summary>
    SplitBrain,
}

/// <summary>How bad it is.</summary>
public enum AlertSeverity
{
    /// <summary>Something will break if nobody acts.</summary>
    Warning,
    /// <summary>Something cannot be restored as its policy wants.</summary>
    Broken,
}

/// <summary>GET alerts: worst first, then the soonest deadline.</summary>
/// <param name="Cleared">Those that are over, of the last 30 days, instead of the open ones.</param>
public sealed record ListAlertsRequest(bool Cleared = false);

/// <summary>POST alerts/{id}/acknowledge: says that somebody looks after it. It is not counted until then, and comes back.</summary>
/// <param name="Id">The alert.</param>
/// <param name="Hours">1 to 720.</param>
/// <param name="Note">Who looks after it, or why it can wait; 1 to 500 characters.</param>
public sealed record AcknowledgeAlertRequest(AlertId Id = default, int Hours = 8, string Note = "");

/// <summary>POST alerts/{id}/end: says that its cause is gone, of a kind that nothing else can see the end of.</summary>
/// <param name="Id">The alert.</param>
/// <param name="Note">What was done about it; 1 to 500 characters.</param>
public sealed record EndAlertRequest(AlertId Id = default, string Note = "");

/// <summary>One cause and what follows from it.</summary>
public sealed record Alert
{
    /// <summary>Its id.</summary>
    public required AlertId Id { get; init; }
    /// <summary>What it is about.</summary>
    public required AlertKind Kind { get; init; }
    /// <summary>How bad it is now.</summary>
    public required AlertSeverity Severity { get; init; }
    /// <summary>What happened.</summary>
    public required string Title { get; init; }
    /// <summary>What it means for protection.</summary>
    public required string Effect { get; init; }
    /// <summary>The items that it concerns.</summary>
    public required IReadOnlyList<AlertItem> Items { get; init; }
    /// <summary>When the first objective breaks; null where none does, or did already.</summary>
    public DateTimeOffset? DeadlineAt { get; init; }
    /// <summary>What to do next.</summary>
    public required string Action { get; init; }
    /// <summary>Path of the console's page for that.</summary>
    public required string ActionUrl { get; init; }
    /// <summary>Since when.</summary>
    public required DateTimeOffset RaisedAt { get; init; }
    /// <summary>When it was over.</summary>
    public DateTimeOffset? ClearedAt { get; init; }
    /// <summary>Who looks after it.</summary>
    public string? AcknowledgedBy { get; init; }
    /// <summary>Until when.</summary>
    public DateTimeOffset? AcknowledgedUntil { get; init; }
    /// <summary>What that person said.</summary>
    public string? AcknowledgedNote { get; init; }
}

/// <summary>An item that an alert concerns.</summary>
public sealed record AlertItem(ItemId Id, string Name);
