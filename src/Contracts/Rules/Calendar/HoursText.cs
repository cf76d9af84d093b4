using System.Globalization;
using System.Text;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Calendar;

/// <summary>Windows and blackouts as people write them: "Mon-Fri 22:00-06:00", "2026-12-24..2026-12-27 # inventory". Pure.</summary>
public static class HoursText
{
    const string Windows = "windows", Blackouts = "blackouts";
    const string WindowHint = "For example Mon-Fri 22:00-06:00, or 20:00-24:00 for every day.";
    const string BlackoutHint = "For example 2026-12-24..2026-12-27 # inventory, or Sun 08:00-12:00.";
    const string Dates = "yyyy-MM-dd";

    // As people count the week.
    static readonly DayOfWeek[] Week = [DayOfWeek.Monday, DayOfWeek.Tuesday, DayOfWeek.Wednesday, DayOfWeek.Thursday, DayOfWeek.Friday,
        DayOfWeek.Saturday, DayOfWeek.Sunday];

    /// <summary>Reads a window: days, hours, or both.</summary>
    /// <exception cref="BadInputException">It is none; the field is "windows".</exception>
    public static WindowSpec Window(string text)
    {
        var read = Read(text.Trim(), Windows, WindowHint);
        return read.First is not null ? throw Wrong(Windows, text, "a window has no date", WindowHint)
            : new WindowSpec { Days = read.Days, From = read.From, To = read.To };
    }

    /// <summary>Reads a blackout: a date or two, days, hours, and behind # what it is for.</summary>
    /// <exception cref="BadInputException">It is none; the field is "blackouts".</exception>
    public static BlackoutSpec Blackout(string text)
    {
        var parts = text.Split('#', 2, StringSplitOptions.TrimEntries);
        return Read(parts[0], Blackouts, BlackoutHint) with { Why = parts is [_, { Length: > 0 } why] ? why : null };
    }

    /// <summary>As <see cref="Window"/> reads it.</summary>
    public static string Of(WindowSpec window) => Text("", window.Days, window.From, window.To);

    /// <summary>As <see cref="Blackout"/> reads it.</summary>
    public static string Of(BlackoutSpec blackout)
    {
        var dates = (blackout.First, blackout.Last) switch
        {
            (null, null) => "",
            ({ } first, { } last) when first == last => Date(first),
            ({ } first, { } last) => $"{Date(first)}..{Date(last)}",
            ({ } first, null) => $"{Date(first)}..",
            (null, { } last) => $"..{Date(last)}",
        };
        return Text(dates, blackout.Days, blackout.From, blackout.To) + (blackout.Why is { } why ? $" # {why}" : "");
    }

    /// <summary>Minutes since midnight, or null for what is no time of the day from 00:00 to 24:00.</summary>
    internal static int? Minute(string text) => text == "24:00" ? 24 * 60
        : TimeOnly.TryParseExact(text, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? time.Hour * 60 + time.Minute : null;

    static BlackoutSpec Read(string text, string field, string hint)
    {
        if (text.Length == 0) throw Wrong(field, text, "it is empty", hint);
        var read = new BlackoutSpec();
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (word.Contains(':', StringComparison.Ordinal)) read = Hours(read, text, word, field, hint);
            else if (char.IsAsciiDigit(word[0]) || word[0] == '.') read = Between(read, text, word, hint);
            else read = read with { Days = Days(text, word, field, hint) };
        }
        return read;
    }

    static BlackoutSpec Hours(BlackoutSpec read, string text, string word, string field, string hint)
        => word.Split('-') is [var from, var to] && Minute(from) is < 24 * 60 && Minute(to) is not null ? read with { From = from, To = to }
            : throw Wrong(field, text, $"'{word}' is no part of a day", hint);

    static BlackoutSpec Between(BlackoutSpec read, string text, string word, string hint)
    {
        var ends = word.Split("..");
        if (ends.Length > 2 || ends.All(end => end.Length == 0)) throw Wrong(Blackouts, text, $"'{word}' is no date", hint);
        DateOnly? first = ends[0].Length == 0 ? null : Day(ends[0]), last = ends[^1].Length == 0 ? null : Day(ends[^1]);
        return read with { First = first, Last = last };

        DateOnly Day(string date) => DateOnly.TryParseExact(date, Dates, CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            ? day : throw Wrong(Blackouts, text, $"'{date}' is no date", hint);
    }

    static IReadOnlyList<DayOfWeek> Days(string text, string word, string field, string hint)
    {
        var days = new HashSet<DayOfWeek>();
        foreach (var part in word.Split(','))
        {
            var ends = part.Split('-');
            if (ends.Length > 2) throw Wrong(field, text, $"'{part}' is no day", hint);
            for (var (at, last) = (Index(ends[0]), Index(ends[^1])); ; at = (at + 1) % Week.Length)
            {
                days.Add(Week[at]);
                if (at == last) break;
            }
        }
        return [.. Week.Where(days.Contains)];

        int Index(string name)
        {
            var at = name.Length < 2 ? -1
                : Array.FindIndex(Week, day => day.ToString().StartsWith(name, StringComparison.OrdinalIgnoreCase));
            return at >= 0 ? at : throw Wrong(field, text, $"'{name}' is no day of the week", hint);
        }
    }

    static string Text(string dates, IReadOnlyList<DayOfWeek> days, string from, string to)
    {
        var isWhole = from == "00:00" && to == "24:00";
        string[] parts = [dates, Words(days), isWhole && (dates.Length > 0 || days.Count > 0) ? "" : $"{from}-{to}"];
        return string.Join(' ', parts.Where(part => part.Length > 0));
    }

    /// <summary>"Mon-Fri", "Sat,Sun"; nothing for every day.</summary>
    public static string Words(IReadOnlyList<DayOfWeek> days)
    {
        if (days.Count == 0 || Week.All(days.Contains)) return "";
        var text = new StringBuilder();
        for (var at = 0; at < Week.Length; at++)
        {
            if (!days.Contains(Week[at])) continue;
            var last = at;
            while (last + 1 < Week.Length && days.Contains(Week[last + 1])) last++;
            if (text.Length > 0) text.Append(',');
            text.Append(Short(Week[at]));
            if (last > at) text.Append(last > at + 1 ? '-' : ',').Append(Short(Week[last]));
            at = last;
        }
        return text.ToString();
    }

    static string Short(DayOfWeek day) => day.ToString()[..3];
    static string Date(DateOnly day) => day.ToString(Dates, CultureInfo.InvariantCulture);

    static BadInputException Wrong(string field, string text, string why, string hint)
        => new(field, $"'{text}' is no {(field == Windows ? "window" : "blackout")}: {why}.", hint);
}
