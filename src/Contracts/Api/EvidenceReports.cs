namespace BackupDr.Contracts.Api;

/// <summary>GET policies/{id}/report: what was proven of a policy in one month.</summary>
/// <param name="Id">The policy.</param>
/// <param name="Month">For example "2026-11", in UTC; null for the present one.</param>
public sealed record ShowEvidenceReportRequest(PolicyId Id, string? Month = null);

/// <summary>One month of a policy, by its evidence alone.</summary>
public sealed record EvidenceReport
{
    /// <summary>The policy.</summary>
    public required PolicyId Policy { get; init; }
    /// <summary>Its name.</summary>
    public required string PolicyName { get; init; }
    /// <summary>"2026-11".</summary>
    public required string Month { get; init; }
    /// <summary>From this moment on.</summary>
    public required DateTimeOffset From { get; init; }
    /// <summary>Before this moment.</summary>
    public required DateTimeOffset To { get; init; }
    /// <summary>One for each item: those of now, and those that have evidence in this month.</summary>
    public required IReadOnlyList<EvidenceReportRow> Rows { get; init; }
    /// <summary>By the database's clock.</summary>
    public required DateTimeOffset AsOf { get; init; }
}

/// <summary>One item in that month.</summary>
public sealed record EvidenceReportRow
{
    /// <summary>The item.</summary>
    public required ItemId Item { get; init; }
    /// <summary>Its name.</summary>
    public required string ItemName { get; init; }
    /// <summary>Drills that proved a recovery point.</summary>
    public int Proven { get; init; }
    /// <summary>Drills that failed.</summary>
    public int Failed { get; init; }
    /// <summary>Drills that were not made, or not to an end.</summary>
    public int Skipped { get; init; }
    /// <summary>Restores.</summary>
    public int Restores { get; init; }
    /// <summary>The slowest restore of a drill, against the objective then.</summary>
    public EvidenceMeasure? Slowest { get; init; }
    /// <summary>The oldest point that a drill began with, against the objective then.</summary>
    public EvidenceMeasure? Oldest { get; init; }
    /// <summary>What can be said of it now; null where it is retired.</summary>
    public ItemState? State { get; init; }
    /// <summary>Why.</summary>
    public string? StateReason { get; init; }
    /// <summary>The longest time of the month without a new complete recovery point, by when the node received them; of a log how far
    /// behind it was at worst. Null where none ended in it.</summary>
    public TimeSpan? LongestGap { get; init; }
    /// <summary>The objective now; null where it is retired.</summary>
    public TimeSpan? Rpo { get; init; }
    /// <summary>The last drill that proved one.</summary>
    public EvidenceId? LastProven { get; init; }
    /// <summary>When.</summary>
    public DateTimeOffset? LastProvenAt { get; init; }
}

/// <summary>A measured number and where it stands.</summary>
/// <param name="Seconds">What was measured.</param>
/// <param name="TargetSeconds">The objective then.</param>
/// <param name="Evidence">The record.</param>
public sealed record EvidenceMeasure(double Seconds, double TargetSeconds, EvidenceId Evidence);
