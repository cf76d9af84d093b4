using BackupDr.Contracts.Api;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>When a message goes out, and again. Pure.</summary>
static class MessageTimes
{
    /// <summary>How long a message is tried.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromDays(3);

    static readonly TimeSpan First = TimeSpan.FromSeconds(10), Longest = TimeSpan.FromHours(1), LongestAsked = TimeSpan.FromHours(24);

    /// <summary>When something that happens now is told: after others were waited for, and warnings after the quiet hours.</summary>
    public static DateTimeOffset Due(ChannelSettings settings, AlertSeverity severity, DateTimeOffset now)
    {
        var due = now + settings.Collect;
        if (severity == AlertSeverity.Broken || settings is not { QuietFrom: { } from, QuietTo: { } to } || from == to) return due;
        var zone = TimeZoneInfo.TryFindSystemTimeZoneById(settings.TimeZone, out var known) ? known : TimeZoneInfo.Utc;
        var local = TimeZoneInfo.ConvertTime(due, zone);
        var time = TimeOnly.FromTimeSpan(local.TimeOfDay);
        if (!(from < to ? time >= from && time < to : time >= from || time < to)) return due;
        var end = local.Date + to.ToTimeSpan();
        if (end <= local.DateTime) end = end.AddDays(1);
        // A time that is skipped when clocks go forward comes an hour later.
        if (zone.IsInvalidTime(end)) end = end.AddHours(1);
        return new DateTimeOffset(end, zone.GetUtcOffset(end)).ToUniversalTime();
    }

    /// <summary>How long to wait after so many tries: twice as long each time up to an hour, give or take a fifth so that messages do not
    /// come in step; longer where the sink asks for it.</summary>
    /// <param name="attempts">Tries that failed, from 1.</param>
    /// <param name="dice">0 to 1.</param>
    /// <param name="asked">What the sink asked for, in Retry-After.</param>
    public static TimeSpan Pause(int attempts, double dice, TimeSpan? asked)
    {
        var own = First * Math.Pow(2, Math.Clamp(attempts - 1, 0, 12));
        if (own > Longest) own = Longest;
        own *= 0.8 + 0.4 * dice;
        var wanted = asked > LongestAsked ? LongestAsked : asked;
        return wanted > own ? wanted.Value : own;
    }
}
