namespace BackupDr.Contracts.Specs;

/// <summary>How the log of a database server is received, all the time, by the agent of its host.</summary>
public sealed record LogSpec
{
    /// <summary>How often what came is stored: the most that is lost with the server. 1 s to 1 h; default 10 s.</summary>
    public TimeSpan FlushEvery { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>Of PostgreSQL: bytes of log that the slot may hold back on the server, 64 MiB or more. Default 16 GiB. MariaDB keeps its
    /// log by its own settings.</summary>
    public long SlotLimitBytes { get; init; } = 16L << 30;
    /// <summary>Of PostgreSQL: what is done beyond it.</summary>
    public SlotOverLimit OverLimit { get; init; } = SlotOverLimit.Alarm;
}

/// <summary>What is done when a slot holds back more log than allowed.</summary>
public enum SlotOverLimit
{
    /// <summary>It is told, and the server keeps the log: its disk may fill.</summary>
    Alarm,
    /// <summary>The slot is dropped, so that the server's disk does not fill; the log has a gap then.</summary>
    DropSlot,
}
