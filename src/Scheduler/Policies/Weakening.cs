using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Policies;

/// <summary>What of a change to a policy protects less than before, and so needs a second person. Pure.</summary>
static class Weakening
{
    /// <summary>In which ways; none for a change that protects as much or more.</summary>
    public static IReadOnlyList<string> Of(PolicySpec before, PolicySpec after) => [.. Ways(before, after)];

    /// <summary>In which ways less of a source is taken; none for as much or more.</summary>
    public static IReadOnlyList<string> Of(SourceSpec before, SourceSpec after)
    {
        if (before.Files is not { } was || after.Files is not { } now) return [];
        var ways = new List<string>();
        ways.AddRange(was.Paths.Except(now.Paths).Take(1).Select(path => $"takes {path} no more"));
        ways.AddRange(now.Excludes.Except(was.Excludes, StringComparer.Ordinal).Take(1).Select(pattern => $"leaves out '{pattern}'"));
        if (now.ExcludeCaches && !was.ExcludeCaches) ways.Add("leaves out folders that are marked as caches");
        if (now.OneFileSystem && !was.OneFileSystem) ways.Add("leaves out other file systems");
        return ways;
    }

    static IEnumerable<string> Ways(PolicySpec before, PolicySpec after)
    {
        var (was, now) = (before.Retention, after.Retention);
        foreach (var (word, former, wanted) in ((string, int, int)[])[("last", was.KeepLast, now.KeepLast),
            ("hourly", was.KeepHourly, now.KeepHourly), ("daily", was.KeepDaily, now.KeepDaily), ("weekly", was.KeepWeekly, now.KeepWeekly),
            ("monthly", was.KeepMonthly, now.KeepMonthly), ("yearly", was.KeepYearly, now.KeepYearly)])
            if (wanted < former) yield return $"keeps {wanted} {word} points in place of {former}";
        if (was.KeepWithin is { } within && now.KeepWithin != within && Days(now.KeepWithin) < Days(within))
            yield return $"keeps all of {now.KeepWithin ?? "no time"} in place of {within}";
        if (now.Floor < was.Floor) yield return $"keeps {now.Floor} points at least in place of {was.Floor}";
        if (now.Trash < was.Trash) yield return $"leaves points in the trash for {now.Trash.TotalDays:0} days in place of "
            + $"{was.Trash.TotalDays:0}";
        if ((was.Anomaly ?? new()).IsOn && now.Anomaly is { IsOn: false }) yield return "holds nothing any more where much changes at once";
        if (before.Proof.DrillAfterFirst && !after.Proof.DrillAfterFirst) yield return "makes no test restore after the first backup";
        if (before.Proof.DrillInterval > TimeSpan.Zero && after.Proof.DrillInterval == TimeSpan.Zero)
            yield return "makes no test restores by itself any more";
        if (after.Proof.MaximumAge > before.Proof.MaximumAge)
            yield return $"lets a proof count for {after.Proof.MaximumAge.TotalDays:0} days in place of "
                + $"{before.Proof.MaximumAge.TotalDays:0}";
        if (before.Proof.Assertions.Except(after.Proof.Assertions, StringComparer.Ordinal).Any()
            || before.Proof.Script is { Length: > 0 } && string.IsNullOrEmpty(after.Proof.Script))
            yield return "asks test restores less";
    }

    // Which of two texts is shorter is all that is asked; one that cannot be read was refused before.
    static double Days(string? within) => within is { Length: > 0 } && KeepDuration(within) is { } days ? days : 0;

    static double? KeepDuration(string text)
    {
        double days = 0, number = 0;
        foreach (var letter in text)
        {
            if (char.IsAsciiDigit(letter)) { number = number * 10 + letter - '0'; continue; }
            days += number * letter switch { 'y' => 365, 'm' => 30, 'w' => 7, 'd' => 1, 'h' => 1.0 / 24, _ => 0 };
            number = 0;
        }
        return days;
    }
}
