namespace BackupDr.Contracts.Rules.Calendar;

/// <summary>What the clock on the wall of a zone shows, and when. Pure, but for the zones that the machine knows.</summary>
/// <remarks>Only the way from an instant to the clock is asked of the zone: it is right in every zone, also where the base offset changes
/// or a whole day is left out. The way back is looked for.</remarks>
static class WallClock
{
    // Clocks are at most 14 hours from UTC; a transition that is further away does not touch a reading.
    static readonly TimeSpan Around = TimeSpan.FromHours(26);

    /// <exception cref="BadInputException">There is no such zone.</exception>
    public static TimeZoneInfo Zone(string name) => TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) ? zone
        : throw new BadInputException("timeZone", $"'{name}' is no time zone known here.", "For example Europe/Berlin or UTC.");

    /// <summary>What the clock shows.</summary>
    public static DateTime Of(DateTimeOffset at, TimeZoneInfo zone)
        => DateTime.SpecifyKind(at.UtcDateTime + zone.GetUtcOffset(at), DateTimeKind.Unspecified);

    /// <summary>The instants at which it shows a reading: none in a gap, two where an hour comes twice, else one.</summary>
    public static (DateTimeOffset? First, DateTimeOffset? Second) Shown(DateTime reading, TimeZoneInfo zone)
    {
        var (before, after) = Offsets(reading, zone);
        var one = At(reading, before);
        if (before == after) return (one, null);
        var other = At(reading, after);
        var (isOne, isOther) = (Of(one, zone) == reading, Of(other, zone) == reading);
        return (isOne, isOther) switch
        {
            (true, true) => one < other ? (one, other) : (other, one),
            (true, false) => (one, null),
            (false, true) => (other, null),
            _ => (null, null),
        };
    }

    /// <summary>The first instant at which it shows a reading, or the end of the gap in which that is left out.</summary>
    public static DateTimeOffset FirstAt(DateTime reading, TimeZoneInfo zone)
    {
        if (Shown(reading, zone).First is { } shown) return shown;
        var (before, after) = Offsets(reading, zone);
        return Change(At(reading, after), At(reading, before), zone);
    }

    /// <summary>The instants between two at which the clock is put forward or back, in order.</summary>
    public static IEnumerable<DateTimeOffset> Changes(DateTimeOffset from, DateTimeOffset until, TimeZoneInfo zone)
    {
        for (var at = from; at < until; at += TimeSpan.FromHours(1))
            if (zone.GetUtcOffset(at) != zone.GetUtcOffset(at.AddHours(1))) yield return Change(at, at.AddHours(1), zone);
    }

    /// <summary>Whether the clock of a day goes as on any other.</summary>
    public static bool IsRegular(DateOnly day, TimeZoneInfo zone)
        => Offsets(day.ToDateTime(TimeOnly.MinValue), zone).Before == Offsets(day.AddDays(1).ToDateTime(TimeOnly.MinValue), zone).After;

    /// <summary>The first minute that has the offset of the end.</summary>
    static DateTimeOffset Change(DateTimeOffset from, DateTimeOffset until, TimeZoneInfo zone)
    {
        var wanted = zone.GetUtcOffset(until);
        while (until - from > TimeSpan.FromMinutes(1))
        {
            var middle = from + TimeSpan.FromMinutes(Math.Floor((until - from).TotalMinutes / 2));
            if (zone.GetUtcOffset(middle) == wanted) until = middle;
            else from = middle;
        }
        return until;
    }

    static (TimeSpan Before, TimeSpan After) Offsets(DateTime reading, TimeZoneInfo zone)
        => (zone.GetUtcOffset(At(reading, TimeSpan.Zero) - Around), zone.GetUtcOffset(At(reading, TimeSpan.Zero) + Around));

    static DateTimeOffset At(DateTime reading, TimeSpan offset)
        => new(DateTime.SpecifyKind(reading, DateTimeKind.Utc) - offset, TimeSpan.Zero);
}
