using BackupDr.Contracts.Api;

namespace BackupDr.Contracts.Rules.Objectives;

/// <summary>What is known of an item's test restores.</summary>
public sealed record MeasuredRestores
{
    /// <summary>How long the newest one that ended well took to restore; null where none did.</summary>
    public TimeSpan? Took { get; init; }
    /// <summary>How much that was, in plain bytes; 0 where it is not known.</summary>
    public long Bytes { get; init; }
    /// <summary>When.</summary>
    public DateTimeOffset At { get; init; }
    /// <summary>The run.</summary>
    public RunId? Drill { get; init; }
    /// <summary>Whether the newest test restore failed.</summary>
    public bool HasFailed { get; init; }
    /// <summary>Whether the policy makes any.</summary>
    public bool AreWanted { get; init; } = true;
}

/// <summary>How long a restore will take, from test restores that did. Pure.</summary>
public static class RestoreTimes
{
    /// <summary>What was restored must be at least this part of what is to be: below it, the time tells of starting rather than of
    /// reading.</summary>
    public const int MostTimesLarger = 20;

    /// <summary>A size up to which that does not matter.</summary>
    public const long Small = 64L << 20;

    /// <summary>An estimate, or why there is none.</summary>
    /// <remarks>A test restore of less than what is to be restored is scaled up by size; one of more is taken as it is, since the time of
    /// many small files does not shrink with their bytes.</remarks>
    /// <param name="known">What was measured.</param>
    /// <param name="bytes">Plain bytes that are to be restored; 0 where that is not known.</param>
    public static (RestoreEstimate? Estimate, NoEstimate? Why) Of(MeasuredRestores known, long bytes)
    {
        if (known.Took is not { } took || took <= TimeSpan.Zero)
            return (null, known.HasFailed ? NoEstimate.DrillFailed : known.AreWanted ? NoEstimate.NeverDrilled : NoEstimate.NoDrills);
        var grows = known.Bytes > 0 && bytes > known.Bytes;
        if (grows && bytes > Small && bytes / known.Bytes >= MostTimesLarger) return (null, NoEstimate.DrillTooSmall);
        return (new RestoreEstimate
        {
            Time = grows ? took * ((double)bytes / known.Bytes) : took,
            Took = took,
            DrilledAt = known.At,
            Drill = known.Drill,
            DrilledBytes = known.Bytes,
            IsScaled = grows,
        }, null);
    }
}
