using System.Text.Json;

namespace BackupDr.Contracts.Specs;

/// <summary>Objectives, schedule, retention and proof that fit together, under one name. A form begins with one; nothing refers to it
/// later.</summary>
/// <param name="Name">"Gold".</param>
/// <param name="Words">What it is for, one sentence.</param>
/// <param name="Spec">What it fills in for files.</param>
public sealed record PolicyTemplate(string Name, string Words, PolicySpec Spec)
{
    /// <summary>What is lost at most where the log of a database server is received.</summary>
    public static readonly TimeSpan LogRpo = TimeSpan.FromMinutes(5);

    /// <summary>For what must not be missed for long.</summary>
    public static PolicyTemplate Gold { get; } = new("Gold", "What the business stands still without: an hour lost at most, proven weekly.",
        new PolicySpec
        {
            Rpo = TimeSpan.FromHours(1),
            Rto = TimeSpan.FromHours(1),
            Schedule = new ScheduleSpec { Every = TimeSpan.FromHours(1) },
            Retention = new RetentionSpec
            {
                KeepHourly = 168,
                KeepDaily = 60,
                KeepWeekly = 26,
                KeepMonthly = 24,
                KeepYearly = 3,
                Floor = 7,
                Trash = TimeSpan.FromDays(14),
            },
            Proof = new ProofSpec { MaximumAge = TimeSpan.FromDays(10), DrillEvery = TimeSpan.FromDays(7) },
        });

    /// <summary>Every default.</summary>
    public static PolicyTemplate Standard { get; } = new("Standard", "What most machines need: a day lost at most, a year back, proven "
        + "monthly.", new PolicySpec());

    /// <summary>For what could be made again.</summary>
    public static PolicyTemplate Bronze { get; } = new("Bronze", "What could be made again with some work: a day lost at most, three "
        + "months back, proven quarterly.", new PolicySpec
        {
            Rto = TimeSpan.FromHours(24),
            Retention = new RetentionSpec { KeepHourly = 0, KeepDaily = 14, KeepWeekly = 4, KeepMonthly = 3 },
            Proof = new ProofSpec { MaximumAge = TimeSpan.FromDays(100), DrillEvery = TimeSpan.FromDays(90) },
        });

    /// <summary>All, the strictest first.</summary>
    public static IReadOnlyList<PolicyTemplate> All { get; } = [Gold, Standard, Bronze];

    /// <summary>The one of a name, in whatever case; null for none.</summary>
    public static PolicyTemplate? Find(string? name)
        => All.FirstOrDefault(one => string.Equals(one.Name, name?.Trim(), StringComparison.OrdinalIgnoreCase));

    /// <summary>The one that a policy is as it stands; null where it is none of them.</summary>
    /// <param name="spec">The policy.</param>
    /// <param name="hasLog">Whether the logs of all that it protects are received.</param>
    public static PolicyTemplate? Of(PolicySpec spec, bool hasLog = false) => All.FirstOrDefault(one => one.Is(spec, hasLog));

    /// <summary>A policy with this filled in. What is its own stays: time zone, hooks, who makes test restores, and what they
    /// ask.</summary>
    /// <param name="spec">The policy.</param>
    /// <param name="hasLog">Where the logs of all that it protects are received, base backups only keep restores short: they are made once
    /// a day, or once a week for <see cref="Bronze"/>.</param>
    public PolicySpec Over(PolicySpec spec, bool hasLog = false) => spec with
    {
        Rpo = hasLog ? LogRpo : Spec.Rpo,
        Rto = Spec.Rto,
        Schedule = spec.Schedule with
        {
            Every = !hasLog ? Spec.Schedule.Every : this == Bronze ? TimeSpan.FromDays(7) : TimeSpan.FromHours(24),
            Cron = null,
        },
        Retention = Spec.Retention with { Anomaly = spec.Retention.Anomaly },
        Proof = spec.Proof with
        {
            DrillAfterFirst = Spec.Proof.DrillAfterFirst,
            MaximumAge = Spec.Proof.MaximumAge,
            DrillEvery = Spec.Proof.DrillEvery,
        },
    };

    /// <summary>Whether a policy is this one as it stands.</summary>
    public bool Is(PolicySpec spec, bool hasLog = false) => Text(Over(spec, hasLog)) == Text(spec);

    // Lists are equal by what is in them.
    static string Text(PolicySpec spec) => JsonSerializer.Serialize(spec, WireJson.Default.PolicySpec);
}
