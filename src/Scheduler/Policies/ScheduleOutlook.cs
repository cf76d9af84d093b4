using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Policies;

/// <summary>When a policy's runs would start, for the form that changes it: asked of the code that starts them.</summary>
static class ScheduleOutlook
{
    const int Shown = 5;

    /// <summary>The outlook of a policy.</summary>
    /// <param name="db">Where its last runs are.</param>
    /// <param name="spec">The policy as it would be.</param>
    /// <param name="policy">The policy that there is; null for a new one.</param>
    /// <param name="now">From when on.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<SchedulePreview> Of(SqlSource db, PolicySpec spec, PolicyId? policy, DateTimeOffset now, CancellationToken ct)
        => Of(spec, policy is { } id ? await LastTook(db, id, ct) : null, now);

    static Task<TimeSpan?> LastTook(SqlSource db, PolicyId policy, CancellationToken ct) => db.Scalar<TimeSpan?>("""
        select max(r.finished_at - r.started_at) from item i
        join lateral (select run_id from recovery_point p where p.item_id = i.id and p.gone_at is null order by taken_at desc limit 1) p
            on true
        join run r on r.id = p.run_id and r.kind = 'Backup'
        where i.policy_id = $1 and i.retired_at is null
        """, [policy], ct);

    /// <summary>The same from what is known. Pure.</summary>
    internal static SchedulePreview Of(PolicySpec spec, TimeSpan? lastTook, DateTimeOffset now)
    {
        var times = StartTimes.Of(spec.Schedule);
        var zone = TimeZoneInfo.FindSystemTimeZoneById(spec.Schedule.TimeZone);
        var starts = new List<PreviewedStart>();
        for (var at = now; starts.Count < Shown && times.Next(at) is { } start; at = start) starts.Add(Start(times, start, zone));
        var gap = times.Worst(now);
        var worst = gap.Gap + times.Spread + (lastTook ?? TimeSpan.Zero);
        return new SchedulePreview
        {
            Starts = starts,
            TimeZone = spec.Schedule.TimeZone,
            Spread = times.Spread,
            LongestGap = gap.Gap,
            LastTook = lastTook,
            AtWorst = worst,
            Sentence = Sentence(spec.Schedule, times, gap, lastTook, worst, zone),
            Warning = worst <= spec.Rpo ? null : Warning(spec, gap.Gap, worst),
            Week = times.Hours.IsAlways ? [] : [.. Enumerable.Range(0, 7)
                .Select(day => DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(now, zone).DateTime).AddDays(day))
                .Select(day => new OpenDay(day, [.. times.Hours.OpenOn(day).Select(open => new OpenHours(open.From, open.To))]))],
        };
    }

    static PreviewedStart Start(StartTimes times, DateTimeOffset start, TimeZoneInfo zone)
    {
        var until = start + times.Spread;
        if (times.Hours.Closing(start) is { } closing && closing < until) until = closing;
        var (from, to) = (TimeZoneInfo.ConvertTime(start, zone), TimeZoneInfo.ConvertTime(until, zone));
        var words = from.ToString("ddd d MMM HH:mm", CultureInfo.InvariantCulture);
        return new PreviewedStart(start, until, until == start ? words
            : $"{words} to {to.ToString(until - start < TimeSpan.FromMinutes(1) ? "HH:mm:ss" : "HH:mm", CultureInfo.InvariantCulture)}");
    }

    static string Sentence(ScheduleSpec schedule, StartTimes times, WorstGap gap, TimeSpan? lastTook, TimeSpan worst, TimeZoneInfo zone)
    {
        var isEven = schedule.Cron is null && gap.Gap == schedule.Every;
        var why = isEven ? $"every {StartTimes.Words(gap.Gap)}" : $"{StartTimes.Words(gap.Gap)} without a start, from "
            + TimeZoneInfo.ConvertTime(gap.From, zone).ToString("ddd d MMM HH:mm", CultureInfo.InvariantCulture) + " on";
        if (times.Spread > TimeSpan.Zero) why += $" + up to {StartTimes.Words(times.Spread)} of spread";
        if (lastTook is { } took) why += $" + {StartTimes.Words(took)} that the last run took";
        return $"At worst {StartTimes.Words(worst)}: {why}.";
    }

    static string Warning(PolicySpec spec, TimeSpan gap, TimeSpan worst) => gap > spec.Rpo
        ? $"That is more than the objective of {StartTimes.Words(spec.Rpo)}. Back up more often, or open more hours."
        : $"That is {StartTimes.Words(worst - spec.Rpo)} more than the objective of {StartTimes.Words(spec.Rpo)}: until each new point is "
            + "there, items may be overdue. Back up a little more often, or spread less.";
}
