namespace BackupDr.Contracts.Rules.Objectives;

/// <summary>The longest time without a new recovery point that ended on a day.</summary>
/// <param name="Day">The day, UTC.</param>
/// <param name="Gap">From one complete point to the next.</param>
public readonly record struct DayGap(DateOnly Day, TimeSpan Gap);

/// <summary>How much could have been lost at worst, by when the node received complete points: what the objective was met by, not what was
/// planned. Pure.</summary>
public static class AchievedRpo
{
    /// <summary>How far back is looked.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromDays(30);

    /// <summary>The longest gap between complete points that ended on each day. A gap counts whole on the day on which it ended, however
    /// long ago it began.</summary>
    /// <param name="received">When complete points were received, in any order; the last one before <paramref name="after"/> among them,
    /// where there was one.</param>
    /// <param name="after">Only gaps that ended after this moment.</param>
    public static IReadOnlyList<DayGap> Ended(IEnumerable<DateTimeOffset> received, DateTimeOffset after)
    {
        var worst = new SortedDictionary<DateOnly, TimeSpan>();
        DateTimeOffset? former = null;
        foreach (var at in received.Order())
        {
            if (former is { } from && at > after)
            {
                var day = Day(at);
                if (!(worst.GetValueOrDefault(day) > at - from)) worst[day] = at - from;
            }
            former = at;
        }
        return [.. worst.Select(one => new DayGap(one.Key, one.Value))];
    }

    /// <summary>The worst of the gaps that ended and of the one that is open now; null where there is no point.</summary>
    /// <param name="ended">The longest that ended inside the window; null for none.</param>
    /// <param name="newest">When the newest complete point was received, or the newest moment of a log that can be restored to.</param>
    /// <param name="now">Now.</param>
    public static TimeSpan? Worst(TimeSpan? ended, DateTimeOffset? newest, DateTimeOffset now)
    {
        var open = newest is { } at ? now > at ? now - at : TimeSpan.Zero : (TimeSpan?)null;
        return open is null || ended > open ? ended : open;
    }

    /// <summary>A day, UTC.</summary>
    public static DateOnly Day(DateTimeOffset at) => DateOnly.FromDateTime(at.UtcDateTime);

    /// <summary>The first day of the window that ends now.</summary>
    public static DateOnly FirstDay(DateTimeOffset now) => Day(now).AddDays(1 - (int)Window.TotalDays);
}
