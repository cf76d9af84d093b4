namespace BackupDr.Contracts.Specs;

public sealed partial record StepSpec
{
    /// <summary>For <see cref="StepKind.RestoreDatabase"/> and <see cref="StepKind.RestoreFiles"/>: what is brought back.</summary>
    public RestoreStep? Restore { get; init; }
}

/// <summary>For RestoreDatabase and RestoreFiles: what is brought back, and where.</summary>
public sealed record RestoreStep
{
    /// <summary>The item.</summary>
    public required ItemId Item { get; init; }
    /// <summary>The host that it is brought back on; null for the item's own.</summary>
    public HostId? Host { get; init; }
    /// <summary>Which recovery point.</summary>
    public RestoreWhich Point { get; init; }
}

/// <summary>Which recovery point is brought back.</summary>
public enum RestoreWhich
{
    /// <summary>The newest complete one.</summary>
    Newest,
    /// <summary>The newest one that a test restore proved.</summary>
    NewestProven,
}
