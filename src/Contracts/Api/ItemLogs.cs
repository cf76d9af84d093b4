using BackupDr.Contracts.Agents;

namespace BackupDr.Contracts.Api;

/// <summary>GET items/{id}/log: what can be restored of an item whose log is received.</summary>
public sealed record ShowItemLogRequest(ItemId Id);

/// <summary>The log of an item. Positions in texts that <see cref="LogPosition"/> reads.</summary>
public sealed record ItemLog
{
    /// <summary>Unbroken stretches that can be restored to, oldest first. Between two of them is a gap.</summary>
    public IReadOnlyList<LogStretch> Stretches { get; init; } = [];
    /// <summary>What its receiver told last; null before it told anything.</summary>
    public LogReport? Report { get; init; }
    /// <summary>When that was.</summary>
    public DateTimeOffset? ReportedAt { get; init; }
    /// <summary>By the database's clock.</summary>
    public required DateTimeOffset Now { get; init; }
}

/// <summary>Every moment in it can be restored to.</summary>
/// <param name="From">The end of its first base backup.</param>
/// <param name="To">Whatever was committed before it is stored.</param>
/// <param name="FromPosition">Position of the beginning.</param>
/// <param name="ToPosition">Position of the end.</param>
/// <param name="Timeline">Timeline of PostgreSQL at the end; 0 elsewhere.</param>
/// <param name="IsOpen">Whether it goes on growing.</param>
public sealed record LogStretch(DateTimeOffset From, DateTimeOffset To, string FromPosition, string ToPosition, uint Timeline, bool IsOpen);
