namespace BackupDr.Engine.ObjectLocks;

/// <summary>Space that comes back only when retentions are over.</summary>
public sealed record LockedSpace
{
    /// <summary>Packs and other objects that wait.</summary>
    public int Objects { get; init; }
    /// <summary>Their bytes.</summary>
    public long Bytes { get; init; }
    /// <summary>When the first of them is free; null where none has a date.</summary>
    public DateTimeOffset? First { get; init; }
    /// <summary>When the last of them is free, as things are now.</summary>
    public DateTimeOffset? Last { get; init; }
    /// <summary>Those of them that somebody holds, without a date.</summary>
    public int Held { get; init; }

    /// <summary>With one more object.</summary>
    internal LockedSpace And(long bytes, DateTimeOffset until)
    {
        var more = this with { Objects = Objects + 1, Bytes = Bytes + bytes };
        return until == DateTimeOffset.MaxValue ? more with { Held = Held + 1 }
            : more with { First = First is { } first && first < until ? first : until, Last = Last > until ? Last : until };
    }

    /// <summary>Both together.</summary>
    internal LockedSpace And(LockedSpace other) => new()
    {
        Objects = Objects + other.Objects,
        Bytes = Bytes + other.Bytes,
        Held = Held + other.Held,
        First = First is null || other.First < First ? other.First ?? First : First,
        Last = Last is null || other.Last > Last ? other.Last ?? Last : Last,
    };
}
