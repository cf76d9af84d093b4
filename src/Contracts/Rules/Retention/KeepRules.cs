namespace BackupDr.Contracts.Rules.Retention;

/// <summary>The part of the calendar that a keep rule counts.</summary>
public enum KeepUnit
{
    /// <summary>Every single one.</summary>
    Last,
    /// <summary>The newest of each hour.</summary>
    Hourly,
    /// <summary>The newest of each day.</summary>
    Daily,
    /// <summary>The newest of each ISO week.</summary>
    Weekly,
    /// <summary>The newest of each month.</summary>
    Monthly,
    /// <summary>The newest of each year.</summary>
    Yearly,
}

/// <summary>Which recovery points are to be kept. Each rule adds; a point that no rule keeps is removed.</summary>
/// <remarks>The meaning is that of restic's <c>forget --keep-*</c>, and a test compares; the floor is ours.</remarks>
public sealed record KeepRules
{
    /// <summary>A count without end.</summary>
    public const int Unlimited = -1;

    /// <summary>The newest so many.</summary>
    public int Last { get; init; }
    /// <summary>For the newest so many hours that have one: the newest in it.</summary>
    public int Hourly { get; init; }
    /// <summary>The same of days.</summary>
    public int Daily { get; init; }
    /// <summary>The same of ISO weeks.</summary>
    public int Weekly { get; init; }
    /// <summary>The same of months.</summary>
    public int Monthly { get; init; }
    /// <summary>The same of years.</summary>
    public int Yearly { get; init; }
    /// <summary>All that are younger than this before the newest one; zero means none.</summary>
    public RetentionSpan Within { get; init; }
    /// <summary>One of each unit among those that are younger than this before the newest one.</summary>
    public IReadOnlyDictionary<KeepUnit, RetentionSpan> WithinEach { get; init; } = new Dictionary<KeepUnit, RetentionSpan>();
    /// <summary>Those that have all tags of one of these lists.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Tags { get; init; } = [];
    /// <summary>Never fewer than this: the newest fill up what the other rules leave.</summary>
    public int Floor { get; init; }

    /// <summary>Whether nothing is asked for; then everything is kept. A floor alone is no rule.</summary>
    public bool IsEmpty => Counts.All(count => count.Count == 0) && Within.IsZero && WithinEach.Values.All(span => span.IsZero)
        && Tags.Count == 0;

    internal IEnumerable<(KeepUnit Unit, int Count)> Counts =>
    [
        (KeepUnit.Last, Last), (KeepUnit.Hourly, Hourly), (KeepUnit.Daily, Daily), (KeepUnit.Weekly, Weekly),
        (KeepUnit.Monthly, Monthly), (KeepUnit.Yearly, Yearly),
    ];

    /// <summary>Refuses numbers that mean nothing.</summary>
    /// <exception cref="BadInputException">A count below -1, or a negative floor.</exception>
    public void Validate()
    {
        foreach (var (unit, count) in Counts)
            if (count < Unlimited)
                throw new BadInputException($"--keep-{Word(unit)}", $"{count} is no number of points.",
                    "Write a number, or 'unlimited' for all.");
        if (Floor < 0) throw new BadInputException("--keep-at-least", $"{Floor} is no number of points.", "Write 0 or more.");
    }

    internal static string Word(KeepUnit unit) => unit switch
    {
        KeepUnit.Last => "last",
        KeepUnit.Hourly => "hourly",
        KeepUnit.Daily => "daily",
        KeepUnit.Weekly => "weekly",
        KeepUnit.Monthly => "monthly",
        KeepUnit.Yearly => "yearly",
        _ => throw new ArgumentOutOfRangeException(nameof(unit)),
    };
}
