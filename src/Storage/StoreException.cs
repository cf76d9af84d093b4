using BackupDr.Contracts;

namespace BackupDr.Storage;

/// <summary>The closed set of ways in which a store can fail.</summary>
public enum StoreFault
{
    /// <summary>There is no such object.</summary>
    Missing,
    /// <summary>There is one already, and it was left as it is.</summary>
    Exists,
    /// <summary>The credentials or the file rights do not allow it.</summary>
    Denied,
    /// <summary>The place has no room left (or the quota is used up).</summary>
    Full,
    /// <summary>The store asks for fewer requests; it may tell when to come back.</summary>
    Throttled,
    /// <summary>The store cannot be reached or failed inside; the same call may work later.</summary>
    Unavailable,
    /// <summary>The object ended before the range that was asked for.</summary>
    ShortRead,
    /// <summary>The place is not what it was said to be: no folder, no bucket, not writable at all.</summary>
    Unusable,
    /// <summary>The object rests in an archive tier and must be thawed first.</summary>
    Archived,
}

/// <summary>A store could not do what was asked.</summary>
public sealed class StoreException : BackupDrException
{
    /// <param name="fault">Which of the closed set.</param>
    /// <param name="what">What was attempted on which object, for example "put data/ab/ab12… in /srv/backup: No space left on
    /// device".</param>
    /// <param name="hint">What the reader can do next.</param>
    /// <param name="inner">The failure underneath.</param>
    public StoreException(StoreFault fault, string what, string? hint = null, Exception? inner = null)
        : base($"store.{WordOf(fault)}", what, hint, fault is StoreFault.Throttled or StoreFault.Unavailable or StoreFault.ShortRead, inner)
        => Fault = fault;

    /// <summary>Which of the closed set.</summary>
    public StoreFault Fault { get; }

    /// <summary>How long the store asked us to wait before the next try; null where it did not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The word for a fault, as codes and counters have it.</summary>
    internal static string WordOf(StoreFault fault) => fault switch
    {
        StoreFault.Missing => "missing",
        StoreFault.Exists => "exists",
        StoreFault.Denied => "denied",
        StoreFault.Full => "full",
        StoreFault.Throttled => "throttled",
        StoreFault.Unavailable => "unavailable",
        StoreFault.ShortRead => "short_read",
        StoreFault.Unusable => "unusable",
        StoreFault.Archived => "archived",
        _ => throw new ArgumentOutOfRangeException(nameof(fault)),
    };
}
