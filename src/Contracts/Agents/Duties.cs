using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Agents;

/// <summary>POST duties: what an agent does all the time, told and asked for. A duty is no run: it takes no slot, and does not end when
/// nobody renews it, because what it does cannot harm; only what is told of it is fenced by its epoch.</summary>
public sealed record DutiesRequest
{
    /// <summary>Names the agent's state folder since the boot of its machine: two machines with one identity are told apart by it.
    /// </summary>
    public required string Process { get; init; }
    /// <summary>The duties that it does.</summary>
    public IReadOnlyList<DutyReport> Reports { get; init; } = [];
    /// <summary>Items whose duty was ended, with everything that it had on their servers.</summary>
    public IReadOnlyList<ItemId> Ended { get; init; } = [];
    /// <summary>The highest term that this agent was told; null where it keeps none.</summary>
    public TermMark? Term { get; init; }
}

/// <summary>How a duty goes.</summary>
/// <param name="Item">The item.</param>
/// <param name="Epoch">The epoch that it was handed out with.</param>
/// <param name="Version">Of the duty as this agent has it: <see cref="Duty.Version"/>.</param>
/// <param name="Log">Where the receiver of a log is; null before it began.</param>
public sealed record DutyReport(ItemId Item, long Epoch, string Version, LogReport? Log = null);

/// <summary>Where the receiver of a log is. Positions in texts that <see cref="LogPosition"/> reads.</summary>
public sealed record LogReport
{
    /// <summary>Whether the stream is open now.</summary>
    public required bool IsReceiving { get; init; }
    /// <summary>What a person has to know, in a sentence; null where all is well.</summary>
    public string? Alarm { get; init; }
    /// <summary>Name of the replication slot; "" where the server has none, as MariaDB.</summary>
    public required string Slot { get; init; }
    /// <summary>Bytes that it holds back on the server.</summary>
    public long HeldBytes { get; init; }
    /// <summary>Which cluster or server; null before it was reached.</summary>
    public string? SystemIdentifier { get; init; }
    /// <summary>Timeline of PostgreSQL; 0 elsewhere.</summary>
    public uint Timeline { get; init; }
    /// <summary>Where the unbroken log begins that is stored now; null before anything came.</summary>
    public string? Begin { get; init; }
    /// <summary>Position behind what came.</summary>
    public string? Received { get; init; }
    /// <summary>Position behind what is stored.</summary>
    public string? Stored { get; init; }
    /// <summary>A time of the server's clock: whatever was committed before it is stored. Null before that is known.</summary>
    public DateTimeOffset? SettledAt { get; init; }
}

/// <summary>The answer to duties: all that this agent has to do; what it does beside them ends.</summary>
/// <param name="Duties">The duties.</param>
/// <param name="NextMs">Milliseconds until it asks again.</param>
/// <param name="Term">The control plane's term, for an agent that keeps one.</param>
public sealed record DutiesAnswer(IReadOnlyList<Duty> Duties, int NextMs, TermMark? Term = null);

/// <summary>Something that an agent does all the time.</summary>
public sealed record Duty
{
    /// <summary>For which item.</summary>
    public required ItemId Item { get; init; }
    /// <summary>The fencing number: raised when another process gets it.</summary>
    public required long Epoch { get; init; }
    /// <summary>Changes with everything below.</summary>
    public required string Version { get; init; }
    /// <summary>Whether it is to be ended: the slot is dropped, and the journal removed.</summary>
    public bool IsEnding { get; init; }
    /// <summary>The source; null where the agent has this version already.</summary>
    public SourceSpec? Source { get; init; }
    /// <summary>Host name in the snapshots; null where the agent has this version already.</summary>
    public string? HostName { get; init; }
    /// <summary>Where to; null where the agent has this version already, or it is ending.</summary>
    public RepositoryAccess? Repository { get; init; }
}
