using BackupDr.Storage.Layers;

namespace BackupDr.Storage.Probing;

/// <summary>How a place is tested.</summary>
public sealed record ProbeOptions
{
    /// <summary>Longest time of a whole test but for its cleaning up. 60 s.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    /// <summary>Longest time of a whole test but for its cleaning up.</summary>
    public TimeSpan Patience { get; init; } = Longest;

    /// <summary>Whether a retention is set, which leaves an object that cannot be deleted for a minute.</summary>
    public bool TryLock { get; init; }

    /// <summary>The class that an object is moved to; null where no class is tried.</summary>
    public string? StorageClass { get; init; }

    /// <summary>Retries for 3 s: somebody waits for the answer.</summary>
    public static RetryOptions Impatient { get; } = new() { FirstPause = TimeSpan.FromMilliseconds(100), Budget = TimeSpan.FromSeconds(3) };

    /// <summary>How often a request is tried again.</summary>
    public RetryOptions Retry { get; init; } = Impatient;

    /// <summary>The system's clock unless a test has its own.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
