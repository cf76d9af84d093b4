namespace BackupDr.Contracts.Api;

/// <summary>How long a restore will take, and how that is known.</summary>
public sealed record RestoreEstimate
{
    /// <summary>The time that is expected.</summary>
    public required TimeSpan Time { get; init; }
    /// <summary>The time that the test restore took.</summary>
    public required TimeSpan Took { get; init; }
    /// <summary>When it was made.</summary>
    public required DateTimeOffset DrilledAt { get; init; }
    /// <summary>The run.</summary>
    public RunId? Drill { get; init; }
    /// <summary>How much it restored, in plain bytes; 0 where it is not known.</summary>
    public long DrilledBytes { get; init; }
    /// <summary>Whether <see cref="Time"/> is <see cref="Took"/> scaled up by size.</summary>
    public bool IsScaled { get; init; }
}

/// <summary>Why there is no estimate.</summary>
public enum NoEstimate
{
    /// <summary>No test restore has come to its end yet.</summary>
    NeverDrilled,
    /// <summary>The only ones failed.</summary>
    DrillFailed,
    /// <summary>The policy makes none.</summary>
    NoDrills,
    /// <summary>The last one restored so little that its time says nothing.</summary>
    DrillTooSmall,
}

/// <summary>GET items/days: the states of the last 30 days.</summary>
/// <param name="Item">Only of this item.</param>
public sealed record ListItemDaysRequest(ItemId? Item = null);

/// <summary>A day of an item.</summary>
public sealed record ItemDay
{
    /// <summary>The item.</summary>
    public required ItemId Item { get; init; }
    /// <summary>The day, UTC.</summary>
    public required DateOnly Day { get; init; }
    /// <summary>The worst state of it; null where nobody looked.</summary>
    public ItemState? State { get; init; }
    /// <summary>Why, as it was when it became so.</summary>
    public string? Reason { get; init; }
    /// <summary>The longest time without a new complete recovery point that ended on it, or of a log how far behind it was; null for
    /// none.</summary>
    public TimeSpan? Gap { get; init; }
}
