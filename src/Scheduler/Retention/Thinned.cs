using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Timing;

namespace BackupDr.Scheduler.Retention;

/// <summary>Firings of a schedule for a picture of many days, at most one in half an hour: of points closer together only counts of the
/// newest ones would differ, and these are hours old in the picture.</summary>
static class Thinned
{
    static readonly TimeSpan Least = TimeSpan.FromMinutes(30);

    /// <summary>The first firing after a moment.</summary>
    public static Func<DateTimeOffset, DateTimeOffset?> Next(ScheduleSpec schedule)
    {
        if (schedule.Cron is null)
            return at => FiringTimes.Next(schedule.Every < Least ? schedule with { Every = Least } : schedule, at);
        var expression = FiringTimes.Parse(schedule);
        return at => expression.GetNextValidTimeAfter(at) is { } next && next - at < Least
            ? expression.GetNextValidTimeAfter(at + Least) : expression.GetNextValidTimeAfter(at);
    }
}
