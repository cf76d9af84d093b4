namespace BackupDr.Contracts.Specs;

/// <summary>When a policy fires, and when what it fires may start. Exactly one of <see cref="Every"/> and <see cref="Cron"/> counts: Cron
/// where it is set.</summary>
/// <remarks>What a text leaves out, as one that was stored before there were windows, reads as the default.</remarks>
public sealed record ScheduleSpec
{
    /// <summary>Interval between nominal times, from midnight UTC on. 1 minute to 7 days; default 24 h.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromHours(24);
    /// <summary>A five-field cron expression, or null.</summary>
    public string? Cron { get; init; }
    /// <summary>IANA time zone in which <see cref="Cron"/>, <see cref="Windows"/> and <see cref="Blackouts"/> are meant. Default UTC.
    /// </summary>
    public string TimeZone { get; init => field = value ?? "UTC"; } = "UTC";
    /// <summary>Runs start only inside one of these; none for any time. A firing outside waits for the next opening. At most
    /// <see cref="MostWindows"/>.</summary>
    public IReadOnlyList<WindowSpec> Windows { get; init => field = value ?? []; } = [];
    /// <summary>No run starts inside one of these, whatever the windows say. At most <see cref="MostBlackouts"/>.</summary>
    public IReadOnlyList<BlackoutSpec> Blackouts { get; init => field = value ?? []; } = [];
    /// <summary>The span over which the starts of items are spread, each at its own place in it: 0 to 12 h, and at most half of
    /// <see cref="Every"/>. Null for a tenth of the interval, at most 30 minutes, and for none with cron.</summary>
    public TimeSpan? Spread { get; init; }
    /// <summary>What happens to times that passed while nodes or the host were away. Default once.</summary>
    public CatchUp CatchUp { get; init; }

    /// <summary>Most windows, and most blackouts.</summary>
    public const int MostWindows = 20, MostBlackouts = 50;
    /// <summary>The longest span over which starts are spread, in all cases.</summary>
    public static readonly TimeSpan LongestSpread = TimeSpan.FromHours(12);
}

/// <summary>What happens to times that passed while nodes or the host were away.</summary>
public enum CatchUp
{
    /// <summary>One run makes up for all of them, as soon as it may start.</summary>
    Once,
    /// <summary>They are left out; the next one comes at its own time.</summary>
    Skip,
}

/// <summary>Hours of some days, by the clock on the wall of the policy's time zone.</summary>
public sealed record WindowSpec
{
    /// <summary>The days on which it opens; none for every day.</summary>
    public IReadOnlyList<DayOfWeek> Days { get; init => field = value ?? []; } = [];
    /// <summary>When it opens, "00:00" to "23:59".</summary>
    public string From { get; init => field = value ?? "00:00"; } = "00:00";
    /// <summary>When it closes, "00:00" to "24:00". Not after <see cref="From"/>, it is that time of the next day.</summary>
    public string To { get; init => field = value ?? "24:00"; } = "24:00";
}

/// <summary>Hours in which nothing starts: of some days of each week, of the days between two dates, or both.</summary>
public sealed record BlackoutSpec
{
    /// <summary>The first date on which it begins; null for no first one.</summary>
    public DateOnly? First { get; init; }
    /// <summary>The last date on which it begins; null for no last one.</summary>
    public DateOnly? Last { get; init; }
    /// <summary>The days of the week on which it begins; none for every day.</summary>
    public IReadOnlyList<DayOfWeek> Days { get; init => field = value ?? []; } = [];
    /// <summary>When it begins, "00:00" to "23:59".</summary>
    public string From { get; init => field = value ?? "00:00"; } = "00:00";
    /// <summary>When it ends, "00:00" to "24:00". Not after <see cref="From"/>, it is that time of the next day.</summary>
    public string To { get; init => field = value ?? "24:00"; } = "24:00";
    /// <summary>What it is for, in a few words that are shown where a run waits for its end. At most 100 characters.</summary>
    public string? Why { get; init; }

    /// <summary>Most characters of <see cref="Why"/>.</summary>
    public const int LongestWhy = 100;
}
