namespace BackupDr.Contracts.Api;

/// <summary>When the runs of a policy would start, and what may be lost between them.</summary>
public sealed record SchedulePreview
{
    /// <summary>The next five starts.</summary>
    public required IReadOnlyList<PreviewedStart> Starts { get; init; }
    /// <summary>The time zone in which they are told, and windows and blackouts are meant.</summary>
    public required string TimeZone { get; init; }
    /// <summary>The span over which the items' starts are spread.</summary>
    public TimeSpan Spread { get; init; }
    /// <summary>Longest time from one start of an item to the next.</summary>
    public required TimeSpan LongestGap { get; init; }
    /// <summary>How long the slowest item's last backup took; null before there is one.</summary>
    public TimeSpan? LastTook { get; init; }
    /// <summary>What may be lost at worst: the longest gap, the spread and the duration together.</summary>
    public required TimeSpan AtWorst { get; init; }
    /// <summary>The same in words: "at worst 26 h: every 24 h + up to 30 min of spread + 90 min that the last run took".</summary>
    public required string Sentence { get; init; }
    /// <summary>Why that does not keep the objective, and what would; null where it does.</summary>
    public string? Warning { get; init; }
    /// <summary>The hours of the next seven days in which runs may start; empty where they may at any time.</summary>
    public IReadOnlyList<OpenDay> Week { get; init; } = [];
}

/// <summary>A start to come.</summary>
/// <param name="From">When the first item starts.</param>
/// <param name="Until">When the last item has started; the same where nothing is spread.</param>
/// <param name="Words">Both in the policy's time zone: "Mon 23 Nov 22:00 to 22:30".</param>
public sealed record PreviewedStart(DateTimeOffset From, DateTimeOffset Until, string Words);

/// <summary>A day and the hours of it in which runs may start.</summary>
/// <param name="Day">The day, in the policy's time zone.</param>
/// <param name="Open">Its hours, in order; none where nothing starts on that day.</param>
public sealed record OpenDay(DateOnly Day, IReadOnlyList<OpenHours> Open);

/// <summary>Hours of a day, as minutes since its midnight by the clock on the wall.</summary>
public sealed record OpenHours(int From, int To);
