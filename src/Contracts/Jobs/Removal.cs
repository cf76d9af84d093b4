namespace BackupDr.Contracts.Jobs;

/// <summary>Remove snapshots that retention has dropped and that were long enough in the trash. The node says which; the agent decides
/// nothing.</summary>
public sealed record ForgetJob
{
    /// <summary>Ids of the snapshots, 64 hex characters each. Ones that are gone already are no error.</summary>
    public required IReadOnlyList<string> Snapshots { get; init; }
    /// <summary>System identifiers of the PostgreSQL clusters whose log is removed as far as no base backup needs it any more; null for
    /// none.</summary>
    public IReadOnlyList<string>? Clusters { get; init; }
    /// <summary>Names of the MariaDB servers whose log is removed in the same way; null for none.</summary>
    public IReadOnlyList<string>? Servers { get; init; }
}

/// <summary>Give back the space of what no snapshot needs, within a budget. What is left over, the next run does.</summary>
public sealed record PruneJob
{
    /// <summary>Most bytes of packs that are rewritten; null for no limit.</summary>
    public long? RepackBytes { get; init; }
    /// <summary>Most packs that are rewritten; null for no limit.</summary>
    public int? RepackPacks { get; init; }
    /// <summary>After so many seconds no further pack is rewritten; null for no limit.</summary>
    public int? Seconds { get; init; }
}

/// <summary>What a Forget did.</summary>
public sealed record ForgetResult
{
    /// <summary>Snapshots of the job that are not there any more, removed now or before.</summary>
    public IReadOnlyList<string> Gone { get; init; } = [];
    /// <summary>How many of them this run removed.</summary>
    public int Removed { get; init; }
    /// <summary>Snapshots of databases' logs that no base backup needs any more and that were removed.</summary>
    public int LogsRemoved { get; init; }
    /// <summary>Until when the store keeps the last of them, hidden, because they are locked; null where nothing is.</summary>
    public DateTimeOffset? LockedUntil { get; init; }
    /// <summary>Seconds from start to end.</summary>
    public double Seconds { get; init; }
}

/// <summary>What a Prune did. Bytes are stored bytes.</summary>
public sealed record PruneResult
{
    /// <summary>Snapshots that are there.</summary>
    public int Snapshots { get; init; }
    /// <summary>Packs removed.</summary>
    public int RemovedPacks { get; init; }
    /// <summary>Their bytes.</summary>
    public long RemovedBytes { get; init; }
    /// <summary>Packs that were rewritten because little of them is needed.</summary>
    public int RepackedPacks { get; init; }
    /// <summary>Bytes that nothing needs and that stay inside of packs.</summary>
    public long LeftUnusedBytes { get; init; }
    /// <summary>Packs that are marked and that a later run removes.</summary>
    public int WaitingPacks { get; init; }
    /// <summary>Who is waited for before they are removed.</summary>
    public IReadOnlyList<string> WaitsFor { get; init; } = [];
    /// <summary>Whether the budget ended before the work did.</summary>
    public bool IsCut { get; init; }
    /// <summary>Bytes of what nothing needs and the store keeps because it is locked.</summary>
    public long LockedBytes { get; init; }
    /// <summary>When the first of it is free.</summary>
    public DateTimeOffset? LockedFirst { get; init; }
    /// <summary>When the last of it is.</summary>
    public DateTimeOffset? LockedLast { get; init; }
    /// <summary>Objects whose retention was extended because a snapshot needs them.</summary>
    public int ExtendedLocks { get; init; }
    /// <summary>Seconds from start to end.</summary>
    public double Seconds { get; init; }
}
