namespace BackupDr.Sources.PostgreSql;

/// <summary>What is done when the slot holds back more log than allowed.</summary>
public enum SlotLimitAction
{
    /// <summary>It is told, and receiving goes on.</summary>
    Alarm,
    /// <summary>The slot is dropped, so that the server's disk does not fill; the log has a gap then.</summary>
    DropSlot,
    /// <summary>Receiving ends; the slot stays.</summary>
    Stop,
}

/// <summary>How a cluster's log is received.</summary>
public sealed record WalReceiverOptions
{
    /// <summary>Host in the snapshots.</summary>
    public required string HostName { get; init; }
    /// <summary>Folder of the journal, of this cluster alone.</summary>
    public required string Journal { get; init; }
    /// <summary>Name of the replication slot, made where it is missing.</summary>
    public string Slot { get; init; } = "backupdr";
    /// <summary>How often what came is stored: the most that is lost with the server. 100 ms to 1 h; default 10 s.</summary>
    public TimeSpan FlushEvery { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>How often whole segments become a snapshot. Default 5 minutes.</summary>
    public TimeSpan PublishEvery { get; init; } = TimeSpan.FromMinutes(5);
    /// <summary>As many whole segments become a snapshot at once. Default 16.</summary>
    public int SegmentsOfSnapshot { get; init; } = 16;
    /// <summary>How often it is noted that nothing came. Default 60 s.</summary>
    public TimeSpan NoteEvery { get; init; } = TimeSpan.FromSeconds(60);
    /// <summary>Bytes of log that the slot may hold back on the server. Default 16 GiB.</summary>
    public long SlotLimitBytes { get; init; } = 16L << 30;
    /// <summary>What is done beyond it.</summary>
    public SlotLimitAction OnSlotLimit { get; init; } = SlotLimitAction.Alarm;
    /// <summary>Whole segments that wait in the journal at most; beyond it the log waits on the server. Default 256.</summary>
    public int JournalSegments { get; init; } = 256;
}

/// <summary>Something that a receiver tells.</summary>
/// <param name="Code">Stable word, for example "wal.gap".</param>
/// <param name="Message">What happened.</param>
/// <param name="IsAlarm">Whether a person has to know.</param>
public sealed record WalEvent(string Code, string Message, bool IsAlarm = false);

/// <summary>Where a receiver is.</summary>
/// <param name="Timeline">Timeline.</param>
/// <param name="Received">Position behind what came.</param>
/// <param name="Stored">Position behind what is stored; what comes before it outlives the server.</param>
/// <param name="HeldBytes">Bytes that the slot holds back on the server.</param>
/// <param name="Segments">Whole segments published since the start.</param>
/// <param name="Event">What happened just now; null where nothing did.</param>
public sealed record WalProgress(uint Timeline, Lsn Received, Lsn Stored, long HeldBytes, long Segments, WalEvent? Event)
{
    /// <summary>Which cluster.</summary>
    public required string SystemIdentifier { get; init; }
    /// <summary>Where the unbroken log begins that ends at <see cref="Stored"/>; null before the stream began.</summary>
    public Lsn? Begin { get; init; }
    /// <summary>Whatever was committed before this time of the server's clock is stored; null before that is known.</summary>
    public DateTimeOffset? SettledAt { get; init; }
    /// <summary>Whether the stream is open.</summary>
    public bool IsReceiving { get; init; }
}
