using System.Globalization;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Calendar;

/// <summary>When runs of a policy may start: inside its windows, and outside its blackouts. Pure.</summary>
/// <remarks>By the clock on the wall of the zone: a moment is inside 22:00-06:00 when that clock shows a time between them. So a window
/// in which the clock is put back is open for an hour more, and one that lies wholly in a gap does not open that night.</remarks>
public sealed class StartHours
{
    /// <summary>How far an opening is looked for.</summary>
    public const int FarthestDays = 400;

    readonly record struct Hours(int Days, int From, int To, DateOnly First, DateOnly Last, string? Why)
    {
        public bool Hold(DateTime reading)
        {
            var (day, minute) = (DateOnly.FromDateTime(reading), reading.Hour * 60 + reading.Minute);
            return From < To ? IsOn(day) && minute >= From && minute < To
                : IsOn(day) && minute >= From || IsOn(day.AddDays(-1)) && minute < To;
        }

        bool IsOn(DateOnly day) => (Days >> (int)day.DayOfWeek & 1) != 0 && day >= First && day <= Last;
    }

    readonly TimeZoneInfo _zone;
    readonly string _zoneName;
    readonly Hours[] _windows, _blackouts;
    readonly int[] _boundaries;

    StartHours(ScheduleSpec schedule)
    {
        (_zoneName, _zone) = (schedule.TimeZone, WallClock.Zone(schedule.TimeZone));
        _windows = [.. schedule.Windows.Select(window
            => Of("windows", window.Days, window.From, window.To, DateOnly.MinValue, DateOnly.MaxValue, null))];
        _blackouts = [.. schedule.Blackouts.Select(blackout => Of("blackouts", blackout.Days, blackout.From, blackout.To,
            blackout.First ?? DateOnly.MinValue, blackout.Last ?? DateOnly.MaxValue, blackout.Why))];
        _boundaries = [.. _windows.Concat(_blackouts).SelectMany(hours => (int[])[hours.From, hours.To % (24 * 60)]).Append(0).Distinct()
            .Order()];
    }

    /// <summary>Those of a schedule.</summary>
    /// <exception cref="BadInputException">A time, a date or the zone is none.</exception>
    public static StartHours Of(ScheduleSpec schedule) => new(schedule);

    /// <summary>Whether runs may start at any time.</summary>
    public bool IsAlways => _windows.Length == 0 && _blackouts.Length == 0;

    /// <summary>Whether a run may start at a moment.</summary>
    public bool IsOpen(DateTimeOffset at) => IsAlways || IsOpen(WallClock.Of(at, _zone));

    bool IsOpen(DateTime reading)
        => (_windows.Length == 0 || Array.Exists(_windows, window => window.Hold(reading))) && !InBlackout(reading);

    bool InBlackout(DateTime reading) => Array.Exists(_blackouts, blackout => blackout.Hold(reading));

    /// <summary>The first moment from one on at which a run may start; null for none in <see cref="FarthestDays"/> days.</summary>
    public DateTimeOffset? Opening(DateTimeOffset from) => First(from, true);

    /// <summary>The first moment from one on at which no run may start; null for none in <see cref="FarthestDays"/> days.</summary>
    public DateTimeOffset? Closing(DateTimeOffset from) => IsAlways ? null : First(from, false);

    DateTimeOffset? First(DateTimeOffset from, bool open)
    {
        if (IsOpen(from) == open) return from;
        DateTimeOffset? best = null;
        var day = DateOnly.FromDateTime(WallClock.Of(from, _zone)).AddDays(-1);
        for (var left = FarthestDays + 2; left > 0; left--, day = day.AddDays(1))
        {
            var isLast = best is not null;
            foreach (var at in Boundaries(day))
                if (at > from && (best is null || at < best) && IsOpen(at) == open) best = at;
            if (isLast) return best;
        }
        return best;
    }

    /// <summary>The moments of a day at which anything may open or close.</summary>
    IEnumerable<DateTimeOffset> Boundaries(DateOnly day)
    {
        var midnight = day.ToDateTime(TimeOnly.MinValue);
        if (WallClock.IsRegular(day, _zone))
        {
            var start = WallClock.FirstAt(midnight, _zone);
            foreach (var minute in _boundaries) yield return start.AddMinutes(minute);
            yield break;
        }
        foreach (var minute in _boundaries)
        {
            var (first, second) = WallClock.Shown(midnight.AddMinutes(minute), _zone);
            if (first is { } one) yield return one;
            if (second is { } two) yield return two;
        }
        var around = new DateTimeOffset(midnight, TimeSpan.Zero);
        foreach (var change in WallClock.Changes(around.AddHours(-26), around.AddHours(50), _zone))
            if (IsOn(day, change) || IsOn(day, change.AddMinutes(-1))) yield return change;
    }

    bool IsOn(DateOnly day, DateTimeOffset at) => DateOnly.FromDateTime(WallClock.Of(at, _zone)) == day;

    /// <summary>What a run waits for that may not start at a moment: "window 22:00 Europe/Berlin".</summary>
    /// <param name="at">The moment, at which it is closed.</param>
    /// <param name="opening">When it opens.</param>
    public string Words(DateTimeOffset at, DateTimeOffset opening)
    {
        var (reading, opens) = (WallClock.Of(at, _zone), WallClock.Of(opening, _zone));
        var blackout = Array.Find(_blackouts, one => one.Hold(reading));
        var time = opens.ToString(opens - reading < TimeSpan.FromHours(24) ? "HH:mm" : opens - reading < TimeSpan.FromDays(6) ? "ddd HH:mm"
            : "d MMM yyyy HH:mm", CultureInfo.InvariantCulture);
        return blackout == default ? $"window {time} {_zoneName}"
            : $"the end of the blackout{(blackout.Why is { } why ? $" '{why}'" : "")}, {time} {_zoneName}";
    }

    /// <summary>What of a day is open, as minutes since its midnight by the clock on the wall.</summary>
    public IReadOnlyList<(int From, int To)> OpenOn(DateOnly day)
    {
        var midnight = day.ToDateTime(TimeOnly.MinValue);
        var open = new List<(int From, int To)>();
        int[] minutes = [.. _boundaries, 24 * 60];
        for (var at = 0; at + 1 < minutes.Length; at++)
        {
            if (!IsOpen(midnight.AddMinutes(minutes[at]))) continue;
            if (open.Count > 0 && open[^1].To == minutes[at]) open[^1] = (open[^1].From, minutes[at + 1]);
            else open.Add((minutes[at], minutes[at + 1]));
        }
        return open;
    }

    static Hours Of(string field, IReadOnlyList<DayOfWeek> days, string from, string to, DateOnly first, DateOnly last, string? why)
    {
        if (HoursText.Minute(from) is not { } begin || begin == 24 * 60 || HoursText.Minute(to) is not { } end)
            throw new BadInputException(field, $"'{from}' to '{to}' is no part of a day.", "For example 22:00 to 06:00.");
        if (days.FirstOrDefault(day => !Enum.IsDefined(day)) is var odd && !Enum.IsDefined(odd))
            throw new BadInputException(field, $"'{odd}' is no day of the week.", "Monday to Sunday.");
        if (first > last) throw new BadInputException(field, $"It would end on {last:yyyy-MM-dd}, before it begins on {first:yyyy-MM-dd}.",
            "Write the earlier date first.");
        var mask = days.Count == 0 ? 0x7f : days.Aggregate(0, (bits, day) => bits | 1 << (int)day);
        return new Hours(mask, begin, end, first, last, why);
    }
}
