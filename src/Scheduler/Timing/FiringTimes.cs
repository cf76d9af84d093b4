using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using Quartz;

namespace BackupDr.Scheduler.Timing;

/// <summary>What a schedule must also be for this node: something that the engine takes, and that lets runs start at all.</summary>
public static class FiringTimes
{
    /// <summary>Refuses a schedule that cannot be.</summary>
    /// <exception cref="BadInputException">The cron expression or the time zone is none, or its windows and blackouts leave nothing.
    /// </exception>
    public static void Check(ScheduleSpec schedule)
    {
        var times = StartTimes.Of(schedule);
        if (schedule.Cron is not null && !CronExpression.TryParse(schedule.Cron, CronFormat.Unix, out _))
            throw new BadInputException("cron", $"'{schedule.Cron}' is no cron expression of five fields.",
                "For example 30 2 * * * for 02:30 each day.");
        if (times.Next(TimeProvider.System.GetUtcNow()) is null)
            throw new BadInputException(schedule.Windows.Count == 0 ? "blackouts" : "windows",
                $"These windows and blackouts leave no moment in the next {StartHours.FarthestDays} days at which a run could start.",
                "Open a window that no blackout covers.");
    }

    internal static TimeZoneInfo Zone(ScheduleSpec schedule) => TimeZoneInfo.FindSystemTimeZoneById(schedule.TimeZone);
}
