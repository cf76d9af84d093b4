using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Retention;

/// <summary>Starts of a schedule for a picture of many days, at most one in half an hour: of points closer together only counts of the
/// newest ones would differ, and these are hours old in the picture.</summary>
static class Thinned
{
    static readonly TimeSpan Least = TimeSpan.FromMinutes(30);

    /// <summary>The first start after a moment.</summary>
    public static Func<DateTimeOffset, DateTimeOffset?> Next(ScheduleSpec schedule)
    {
        if (schedule.Cron is null)
        {
            var every = StartTimes.Of(schedule.Every < Least ? schedule with { Every = Least, Spread = null } : schedule);
            return every.Next;
        }
        var times = StartTimes.Of(schedule);
        return at => times.Next(at) is { } next && next - at < Least ? times.Next(at + Least) : times.Next(at);
    }
}
