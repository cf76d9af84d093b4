using System.Globalization;
using System.Numerics;

namespace BackupDr.Contracts.Rules.Calendar;

/// <summary>Nominal times of a cron expression in a time zone. Pure. Not for several threads at once.</summary>
/// <remarks>
/// Five fields as in crontab: minute, hour, day of the month, month, day of the week; lists, ranges (also over the end: 22-2), steps,
/// English names of months and days, L for the last day of the month, and @hourly, @daily, @weekly, @monthly, @yearly. Where both fields
/// of days name days, either counts.
/// When the clock changes: an expression of certain hours fires once for each time it names: what a gap leaves out comes together at the
/// gap's end, and of an hour that comes twice the first counts. One of all hours follows the time that really passes: it fires in both.
/// </remarks>
public sealed class CronTimes
{
    // 29 February may be eight years away.
    const int FarthestDays = 9 * 366;
    const string Hint = "For example 30 2 * * * for 02:30 each day.";
    static readonly string[] Months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    static readonly string[] Weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

    static readonly Dictionary<string, string> Macros = new(StringComparer.OrdinalIgnoreCase)
    {
        ["@hourly"] = "0 * * * *",
        ["@daily"] = "0 0 * * *",
        ["@midnight"] = "0 0 * * *",
        ["@weekly"] = "0 0 * * 0",
        ["@monthly"] = "0 0 1 * *",
        ["@yearly"] = "0 0 1 1 *",
        ["@annually"] = "0 0 1 1 *",
    };

    readonly TimeZoneInfo _zone;
    readonly ulong _minutes, _hours, _days, _months, _weekdays;
    readonly bool _anyDay, _anyWeekday, _lastDay;
    readonly Dictionary<DateOnly, List<DateTimeOffset>> _seen = [];

    CronTimes(string text, TimeZoneInfo zone)
    {
        var fields = Macros.GetValueOrDefault(text.Trim(), text).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length != 5) throw Wrong(text, $"it has {fields.Length} fields");
        _zone = zone;
        _minutes = Mask(text, fields[0], 0, 59);
        _hours = Mask(text, fields[1], 0, 23);
        (_anyDay, _anyWeekday) = (fields[2] is "*" or "?", fields[4] is "*" or "?");
        _lastDay = fields[2].Split(',').Contains("L", StringComparer.OrdinalIgnoreCase);
        var days = string.Join(',', fields[2].Split(',').Where(part => !part.Equals("L", StringComparison.OrdinalIgnoreCase)));
        _days = days.Length == 0 ? 0 : Mask(text, days, 1, 31);
        _months = Mask(text, fields[3], 1, 12, Months);
        var weekdays = Mask(text, fields[4], 0, 7, Weekdays);
        _weekdays = weekdays | weekdays >> 7 & 1;
    }

    /// <summary>Reads an expression.</summary>
    /// <param name="text">Five fields, or a macro.</param>
    /// <param name="timeZone">The IANA name of the zone in which it is meant.</param>
    /// <exception cref="BadInputException">The expression or the zone is none.</exception>
    public static CronTimes Parse(string text, string timeZone) => new(text, WallClock.Zone(timeZone));

    bool IsOfAllHours => BitOperations.PopCount(_hours) == 24;

    /// <summary>The first time after a moment; null where there is none in nine years.</summary>
    public DateTimeOffset? Next(DateTimeOffset after)
    {
        DateTimeOffset? best = null;
        var day = DateOnly.FromDateTime(WallClock.Of(after, _zone)).AddDays(-1);
        for (var left = FarthestDays; left > 0; left--, day = day.AddDays(1))
        {
            // Where a clock is put back over midnight, a time of the next day may come before one of this day.
            var isLast = best is not null;
            foreach (var at in Of(day))
                if (at > after && (best is null || at < best)) best = at;
            if (isLast) return best;
        }
        return best;
    }

    /// <summary>The newest time that is not after a moment; null where there is none in nine years.</summary>
    public DateTimeOffset? Last(DateTimeOffset until)
    {
        DateTimeOffset? best = null;
        var day = DateOnly.FromDateTime(WallClock.Of(until, _zone)).AddDays(1);
        for (var left = FarthestDays; left > 0; left--, day = day.AddDays(-1))
        {
            var isLast = best is not null;
            foreach (var at in Of(day))
                if (at <= until && (best is null || at > best)) best = at;
            if (isLast) return best;
        }
        return best;
    }

    List<DateTimeOffset> Of(DateOnly day)
    {
        if (!IsDay(day)) return [];
        if (_seen.TryGetValue(day, out var known)) return known;
        if (_seen.Count > 8) _seen.Clear();
        return _seen[day] = Make(day);
    }

    List<DateTimeOffset> Make(DateOnly day)
    {
        var times = new List<DateTimeOffset>();
        var isRegular = WallClock.IsRegular(day, _zone);
        var midnight = day.ToDateTime(TimeOnly.MinValue);
        var offset = isRegular ? midnight - WallClock.FirstAt(midnight, _zone).UtcDateTime : default;
        for (var minute = 0; minute < 24 * 60; minute++)
        {
            if ((_hours >> minute / 60 & 1) == 0 || (_minutes >> minute % 60 & 1) == 0) continue;
            var reading = midnight.AddMinutes(minute);
            if (isRegular) times.Add(new DateTimeOffset(reading, offset).ToUniversalTime());
            else if (!IsOfAllHours) times.Add(WallClock.FirstAt(reading, _zone));
            else
            {
                var (first, second) = WallClock.Shown(reading, _zone);
                if (first is { } one) times.Add(one);
                if (second is { } two) times.Add(two);
            }
        }
        return times;
    }

    bool IsDay(DateOnly day)
    {
        if ((_months >> day.Month & 1) == 0) return false;
        var isDay = (_days >> day.Day & 1) != 0 || _lastDay && day.Day == DateTime.DaysInMonth(day.Year, day.Month);
        var isWeekday = (_weekdays >> (int)day.DayOfWeek & 1) != 0;
        return (_anyDay, _anyWeekday) switch
        {
            (true, true) => true,
            (true, false) => isWeekday,
            (false, true) => isDay,
            _ => isDay || isWeekday,
        };
    }

    static ulong Mask(string text, string field, int least, int most, string[]? names = null)
    {
        var mask = 0UL;
        foreach (var part in field.Split(','))
        {
            var (range, step) = part.Split('/') switch
            {
                [var only] => (only, 1),
                [var some, var by] when Number(by) is { } count && count > 0 => (some, count),
                _ => throw Wrong(text, $"'{part}' is no list, range or step"),
            };
            var (from, to) = range is "*" or "?" ? (least, most) : range.Split('-') switch
            {
                [var only] => (Value(only), part.Contains('/', StringComparison.Ordinal) ? most : Value(only)),
                [var first, var last] => (Value(first), Value(last)),
                _ => throw Wrong(text, $"'{part}' is no range"),
            };
            var values = most - least + 1;
            var length = from <= to ? to - from : to + values - from;
            for (var at = 0; at <= length; at += step) mask |= 1UL << least + (from - least + at) % values;
        }
        return mask;

        int Value(string word)
        {
            var named = names is null ? -1 : Array.FindIndex(names, name => name.Equals(word, StringComparison.OrdinalIgnoreCase));
            var value = named >= 0 ? named + (least == 1 ? 1 : 0) : Number(word) ?? throw Wrong(text, $"'{word}' is no number");
            return value >= least && value <= most ? value : throw Wrong(text, $"{value} is not from {least} to {most}");
        }
    }

    static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    static BadInputException Wrong(string text, string why) => new("cron", $"'{text}' is no cron expression of five fields: {why}.", Hint);
}
