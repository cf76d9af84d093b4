using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using Quartz;

namespace BackupDr.Scheduler.Timing;

/// <summary>Nominal times of schedules, interval or cron.</summary>
public static class FiringTimes
{
    /// <summary>The first nominal time after a moment; null where a cron expression has none.</summary>
    public static DateTimeOffset? Next(ScheduleSpec schedule, DateTimeOffset after)
        => schedule.Cron is null ? DueTimes.Next(schedule.Every, after) : Parse(schedule).GetNextValidTimeAfter(after);

    /// <summary>Refuses a schedule that cannot be.</summary>
    /// <exception cref="BadInputException">The cron expression or the time zone is none.</exception>
    public static void Check(ScheduleSpec schedule)
    {
        if (schedule.Cron is null) return;
        if (Parse(schedule).GetNextValidTimeAfter(TimeProvider.System.GetUtcNow()) is null) throw new BadInputException("cron",
            $"'{schedule.Cron}' never comes.", "For example 30 2 * * * for 02:30 each day.");
    }

    internal static CronExpression Parse(ScheduleSpec schedule)
    {
        if (!CronExpression.TryParse(schedule.Cron ?? "", CronFormat.Unix, out var expression) || expression is null)
            throw new BadInputException("cron", $"'{schedule.Cron}' is no cron expression of five fields.",
                "For example 30 2 * * * for 02:30 each day.");
        return expression.WithTimeZone(Zone(schedule));
    }

    internal static TimeZoneInfo Zone(ScheduleSpec schedule) => TimeZoneInfo.TryFindSystemTimeZoneById(schedule.TimeZone, out var zone)
        ? zone
        : throw new BadInputException("timeZone", $"'{schedule.TimeZone}' is no time zone known here.",
            "For example Europe/Berlin or UTC.");
}
