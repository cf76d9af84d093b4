namespace BackupDr.Sources.MariaDb;

/// <summary>How a server's binary log is received.</summary>
public sealed record BinlogReceiverOptions
{
    /// <summary>Host in the snapshots.</summary>
    public required string HostName { get; init; }
    /// <summary>Folder of the journal, of this server alone.</summary>
    public required string Journal { get; init; }
    /// <summary>How often what came is stored: the most that is lost with the server. 100 ms to 1 h; default 10 s.</summary>
    public TimeSpan FlushEvery { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>How often what came becomes a snapshot. Default 5 minutes.</summary>
    public TimeSpan PublishEvery { get; init; } = TimeSpan.FromMinutes(5);
    /// <summary>How often the server is asked which files it has and how long they are. Default 10 s.</summary>
    public TimeSpan LookEvery { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>How often it is noted that nothing came. Default 60 s.</summary>
    public TimeSpan NoteEvery { get; init; } = TimeSpan.FromSeconds(60);
    /// <summary>Number that the receiver gives itself as a replica; null for a random one above 2^31. Two of one number throw each other
    /// out.</summary>
    public uint? ServerId { get; init; }
}

/// <summary>Something that a receiver tells.</summary>
/// <param name="Code">Stable word, for example "binlog.gap".</param>
/// <param name="Message">What happened.</param>
/// <param name="IsAlarm">Whether a person has to know.</param>
public sealed record BinlogEvent(string Code, string Message, bool IsAlarm = false);

/// <summary>Stored log without a gap in it, from the beginning of a file on.</summary>
/// <param name="Begin">The file that it begins with.</param>
/// <param name="End">The file that it ends in.</param>
/// <param name="Stored">Position behind what is stored of that.</param>
/// <param name="Received">Position behind what came of it.</param>
public sealed record BinlogUnbroken(BinlogFile Begin, BinlogFile End, long Stored, long Received);

/// <summary>Where a receiver is.</summary>
/// <param name="File">Name of the file; "" before the first one came.</param>
/// <param name="Received">Position behind what came.</param>
/// <param name="Stored">Position behind what is stored; what comes before it outlives the server.</param>
/// <param name="Snapshots">Snapshots published since the start.</param>
/// <param name="Event">What happened just now; null where nothing did.</param>
public sealed record BinlogProgress(string File, long Received, long Stored, long Snapshots, BinlogEvent? Event)
{
    /// <summary>Which server.</summary>
    public required string Server { get; init; }
    /// <summary>The unbroken log that is stored now; null before anything of it is.</summary>
    public BinlogUnbroken? Unbroken { get; init; }
    /// <summary>Whatever was committed before this time of the server's clock is stored, and noted beside it; null before that is known.
    /// </summary>
    public DateTimeOffset? SettledAt { get; init; }
    /// <summary>Whether the stream is open.</summary>
    public bool IsReceiving { get; init; }
}
