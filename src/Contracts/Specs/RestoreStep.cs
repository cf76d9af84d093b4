using System.Text.Json.Serialization;

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
    /// <summary>The folder that it is put into, which is empty or does not exist: for a service of that host to be started in it; null for
    /// one beside the original's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public FilePath? Target { get; init; }
}

/// <summary>Which recovery point is brought back.</summary>
public enum RestoreWhich
{
    /// <summary>The newest complete one.</summary>
    Newest,
    /// <summary>The newest one that a test restore proved.</summary>
    NewestProven,
    /// <summary>Of a database server whose log is received: all that is stored, to the end of its log. A rehearsal test-restores the newest
    /// complete point.</summary>
    EndOfLog,
}
