using System.Text.Json.Serialization;

namespace BackupDr.Contracts.Specs;

/// <summary>What a policy wants and does. Everything has a default, so that a policy for a folder needs only the folder.</summary>
public sealed record PolicySpec
{
    /// <summary>Recovery point objective: the most that may be lost. 1 minute to 365 days; default 24 h.</summary>
    public TimeSpan Rpo { get; init; } = TimeSpan.FromHours(24);
    /// <summary>Recovery time objective: how long a restore may take. 1 minute to 30 days; default 4 h.</summary>
    public TimeSpan Rto { get; init; } = TimeSpan.FromHours(4);
    /// <summary>When runs are due.</summary>
    public ScheduleSpec Schedule { get; init; } = new();
    /// <summary>What is kept.</summary>
    public RetentionSpec Retention { get; init; } = new();
    /// <summary>How recovery points are proven.</summary>
    public ProofSpec Proof { get; init; } = new();
    /// <summary>What runs on the host before and after a backup; null for nothing.</summary>
    public HooksSpec? Hooks { get; init; }
}

/// <summary>Which recovery points are kept, in restic's terms but by the time at which the node received them. Each rule adds; what none
/// keeps goes into the trash, and from there for good.</summary>
public sealed record RetentionSpec
{
    /// <summary>Most of each count.</summary>
    public const int Most = 10_000;
    /// <summary>How long a point may stay in the trash.</summary>
    public static readonly TimeSpan ShortestTrash = TimeSpan.FromDays(1), LongestTrash = TimeSpan.FromDays(365);

    /// <summary>The newest so many, 0 to 10,000.</summary>
    public int KeepLast { get; init; }
    /// <summary>Hourly points.</summary>
    public int KeepHourly { get; init; } = 48;
    /// <summary>Daily points.</summary>
    public int KeepDaily { get; init; } = 30;
    /// <summary>Weekly points, by ISO weeks.</summary>
    public int KeepWeekly { get; init; }
    /// <summary>Monthly points.</summary>
    public int KeepMonthly { get; init; } = 12;
    /// <summary>Yearly points.</summary>
    public int KeepYearly { get; init; }
    /// <summary>All that are younger than this before the newest one, as "30d" or "1y6m"; null for no such rule.</summary>
    public string? KeepWithin { get; init; }
    /// <summary>Never fewer complete ones than these. At least 1.</summary>
    public int Floor { get; init; } = 3;
    /// <summary>How long what no rule keeps can still be restored and taken back. 1 day to 365 days; default 7 days.</summary>
    public TimeSpan Trash { get; init; } = TimeSpan.FromDays(7);
    /// <summary>When a new point makes the item's retention stop; null for the defaults.</summary>
    public AnomalySpec? Anomaly { get; init; }
}

/// <summary>What of a new point is so unlike those before it that nothing of its item is forgotten until a person has looked. Percentages.
/// </summary>
public sealed record AnomalySpec
{
    /// <summary>Whether it is looked for at all. Default true.</summary>
    public bool IsOn { get; init; } = true;
    /// <summary>Files or bytes fewer than in the complete point before, from 1 to 100. Default 50.</summary>
    public int ShrinkPercent { get; init; } = 50;
    /// <summary>Files changed or new, of all, where the item's usual share is far below; from 1 to 100. Default 60.</summary>
    public int ChurnPercent { get; init; } = 60;
}

/// <summary>How recovery points are proven by real restores.</summary>
public sealed record ProofSpec
{
    /// <summary>Whether the first recovery point of an item is test-restored at once. Default true.</summary>
    public bool DrillAfterFirst { get; init; } = true;
    /// <summary>How long a proof counts. 1 day to 365 days; default 35 days.</summary>
    public TimeSpan MaximumAge { get; init; } = TimeSpan.FromDays(35);
    /// <summary>From one test restore of an item's newest recovery point to the next: 1 day to 365 days, zero for none by schedule,
    /// null for six sevenths of <see cref="MaximumAge"/>. They begin earlier where that spreads them.</summary>
    public TimeSpan? DrillEvery { get; init; }
    /// <summary>The hosts that may make the test restores; empty for the item's own, which also makes them where the repository is
    /// a folder on it.</summary>
    public IReadOnlyList<HostId> DrillHosts { get; init; } = [];
    /// <summary>Queries that must be true in each restored database: "select count(*) > 0 from orders". Before a colon the database of
    /// a PostgreSQL cluster: "shop: select …". At most 20 of 2,000 characters.</summary>
    public IReadOnlyList<string> Assertions { get; init; } = [];
    /// <summary>Name of a program of the drill's host that looks at the copy and ends with 0; as <see cref="HooksSpec.Before"/>. Null for
    /// none.</summary>
    public string? Script { get; init; }
    /// <summary>How long that may take: 1 second to 6 hours, null for <see cref="DefaultScriptLimit"/>.</summary>
    public TimeSpan? ScriptLimit { get; init; }

    /// <summary>How long a whole test restore may take before it is stopped, and the point failed: 5 minutes to 48 hours, null for
    /// <see cref="DefaultDrillLimit"/>.</summary>
    public TimeSpan? DrillLimit { get; init; }

    /// <summary>How long a test restore may take: where nothing is said, at least, at most.</summary>
    public static readonly TimeSpan DefaultDrillLimit = TimeSpan.FromHours(12), ShortestDrillLimit = TimeSpan.FromMinutes(5),
        LongestDrillLimit = TimeSpan.FromHours(48);
    /// <summary>How long a program may look at a copy.</summary>
    public static readonly TimeSpan DefaultScriptLimit = TimeSpan.FromMinutes(10);
    /// <summary>Most queries, and most characters of one.</summary>
    public const int MostAssertions = 20, LongestAssertion = 2000;

    /// <summary>From one to the next, as it was set or by default; zero for none.</summary>
    [JsonIgnore]
    public TimeSpan DrillInterval => DrillEvery ?? MaximumAge * 6 / 7;
}
