using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Calendar;

/// <summary>Nominal times of interval schedules: multiples of the interval since 1970-01-01T00:00:00Z. Pure.</summary>
public static class DueTimes
{
    /// <summary>Shortest and longest interval.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromMinutes(1), Longest = TimeSpan.FromDays(7);

    /// <summary>The newest nominal time that is not after <paramref name="now"/>.</summary>
    public static DateTimeOffset Previous(TimeSpan every, DateTimeOffset now) =>
        new(now.UtcTicks - now.UtcTicks % every.Ticks, TimeSpan.Zero);

    /// <summary>The first nominal time after <paramref name="now"/>.</summary>
    public static DateTimeOffset Next(TimeSpan every, DateTimeOffset now) => Previous(every, now) + every;

    /// <summary>What is wrong with a policy's objectives and interval, one sentence each.</summary>
    /// <param name="spec">The policy.</param>
    /// <param name="hasLog">Whether the logs of all that it protects are received: then the interval says nothing about the loss.</param>
    public static IEnumerable<(string Field, string Problem, string Hint)> Problems(PolicySpec spec, bool hasLog = false)
    {
        if (spec.Rpo < TimeSpan.FromMinutes(1) || spec.Rpo > TimeSpan.FromDays(365))
            yield return ("rpo", $"A recovery point objective of {spec.Rpo} is outside of 1 minute to 365 days.", "For example 24 hours.");
        if (spec.Rto < TimeSpan.FromMinutes(1) || spec.Rto > TimeSpan.FromDays(30))
            yield return ("rto", $"A recovery time objective of {spec.Rto} is outside of 1 minute to 30 days.", "For example 4 hours.");
        foreach (var problem in ScheduleProblems.Of(spec.Schedule)) yield return problem;
        if (!hasLog && spec.Schedule.Cron is null && spec.Schedule.Every > spec.Rpo)
            yield return ("schedule", $"Running every {spec.Schedule.Every} cannot keep the loss within {spec.Rpo}.",
                "Run at least as often as the recovery point objective.");
        foreach (var problem in Problems(spec.Retention)) yield return problem;
        foreach (var problem in Problems(spec.Proof)) yield return problem;
        if (spec.Hooks is { } hooks)
            foreach (var problem in Problems(hooks)) yield return problem;
    }

    static IEnumerable<(string Field, string Problem, string Hint)> Problems(ProofSpec proof)
    {
        if (proof.MaximumAge < TimeSpan.FromDays(1) || proof.MaximumAge > TimeSpan.FromDays(365))
            yield return ("proof", $"A proof age of {proof.MaximumAge} is outside of 1 day to 365 days.", "For example 35 days.");
        if (proof.Assertions.Count > ProofSpec.MostAssertions)
            yield return ("assertions", $"{proof.Assertions.Count} queries are too many.", $"At most {ProofSpec.MostAssertions}.");
        foreach (var query in proof.Assertions)
            if (string.IsNullOrWhiteSpace(query) || query.Length > ProofSpec.LongestAssertion)
                yield return ("assertions", $"A query of {query.Length} characters cannot be.",
                    "Write one that gives true: select count(*) > 0 from orders");
        if (proof.Script is { } script && !HooksSpec.IsName(script))
            yield return ("script", $"'{script}' is no file name of a program.", "Letters, digits, dots, dashes and underscores.");
        if (proof.ScriptLimit is { } limit && (limit < HooksSpec.ShortestLimit || limit > HooksSpec.LongestLimit))
            yield return ("scriptLimit", $"A time limit of {limit} is outside of 1 second to 6 hours.", "For example 10 minutes.");
        if (proof.DrillLimit is { } longest && (longest < ProofSpec.ShortestDrillLimit || longest > ProofSpec.LongestDrillLimit))
            yield return ("drillLimit", $"A time limit of {longest} for a test restore is outside of 5 minutes to 48 hours.",
                "For example 12 hours.");
        if (proof.DrillEvery is not { } every || every == TimeSpan.Zero) yield break;
        if (every < TimeSpan.FromDays(1) || every > TimeSpan.FromDays(365))
            yield return ("drillEvery", $"A test restore every {every} is outside of 1 day to 365 days.",
                "For example 30 days; 0 for none by schedule.");
        else if (every > proof.MaximumAge)
            yield return ("drillEvery", $"A test restore every {every.TotalDays:0} days comes too late for proofs that count "
                + $"{proof.MaximumAge.TotalDays:0}.", "Test-restore at least as often as a proof grows old.");
    }

    static IEnumerable<(string Field, string Problem, string Hint)> Problems(RetentionSpec keep)
    {
        int[] counts = [keep.KeepLast, keep.KeepHourly, keep.KeepDaily, keep.KeepWeekly, keep.KeepMonthly, keep.KeepYearly];
        if (keep.Floor is < 1 or > RetentionSpec.Most || counts.Any(count => count is < 0 or > RetentionSpec.Most))
            yield return ("retention", $"Numbers of kept points are 0 to {RetentionSpec.Most}, and the floor is at least 1.",
                "For example hourly 48, daily 30, monthly 12, never fewer than 3.");
        var (within, hint) = Within(keep);
        if (within is not null) yield return ("keepWithin", within, hint);
        if (keep.Trash < RetentionSpec.ShortestTrash || keep.Trash > RetentionSpec.LongestTrash)
            yield return ("trash", $"A trash period of {keep.Trash} is outside of 1 day to 365 days.", "For example 7 days.");
        if (keep.Anomaly is { } anomaly && (anomaly.ShrinkPercent is < 1 or > 100 || anomaly.ChurnPercent is < 1 or > 100))
            yield return ("anomaly", "A share is a whole percentage from 1 to 100.", "For example 50.");
    }

    static (string? Problem, string Hint) Within(RetentionSpec keep)
    {
        if (string.IsNullOrEmpty(keep.KeepWithin)) return (null, "");
        try
        {
            return RetentionSpan.Parse(keep.KeepWithin, "keepWithin").IsZero
                ? ($"'{keep.KeepWithin}' has no length.", "Write for example 30d, or nothing.") : (null, "");
        }
        catch (BadInputException e) { return (e.Message, e.Hint ?? ""); }   // one problem among those that are listed
    }

    static IEnumerable<(string Field, string Problem, string Hint)> Problems(HooksSpec hooks)
    {
        if (hooks.Before is { } before && !HooksSpec.IsName(before))
            yield return ("hookBefore", $"'{before}' is no file name of a hook.", "Letters, digits, dots, dashes and underscores.");
        if (hooks.After is { } after && !HooksSpec.IsName(after))
            yield return ("hookAfter", $"'{after}' is no file name of a hook.", "Letters, digits, dots, dashes and underscores.");
        if (hooks.Limit < HooksSpec.ShortestLimit || hooks.Limit > HooksSpec.LongestLimit)
            yield return ("hookLimit", $"A time limit of {hooks.Limit} is outside of 1 second to 6 hours.", "For example 5 minutes.");
    }
}
