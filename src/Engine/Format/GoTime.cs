using System.Globalization;

namespace BackupDr.Engine.Format;

/// <summary>RFC 3339 with nanoseconds, trailing zeros of the fraction cut, as Go writes it.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-7.6. We write UTC; any offset is read.</remarks>
public static class GoTime
{
    const long MinimumSeconds = -62167219200, MaximumSeconds = 253402300799;   // years 0 and 9999

    /// <summary>The text of an instant in UTC. Years outside 0 to 9999 are moved to the nearest that fits.</summary>
    public static string Format(UnixTime time)
    {
        if (time.Seconds < MinimumSeconds) time = new UnixTime(MinimumSeconds, 0);
        if (time.Seconds > MaximumSeconds) time = new UnixTime(MaximumSeconds, 999_999_999);
        var (days, second) = (Math.DivRem(time.Seconds, 86400, out var rest), rest);
        if (second < 0) { days--; second += 86400; }
        var (year, month, day) = CivilFrom(days);
        var text = string.Create(CultureInfo.InvariantCulture,
            $"{year:d4}-{month:d2}-{day:d2}T{second / 3600:d2}:{second / 60 % 60:d2}:{second % 60:d2}");
        if (time.Nanoseconds != 0) text += string.Create(CultureInfo.InvariantCulture, $".{time.Nanoseconds:d9}").TrimEnd('0');
        return text + "Z";
    }

    /// <summary>Reads the text; false where it is no such time.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out UnixTime time)
    {
        time = default;
        if (text.Length < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') return false;
        if (!Digits(text[..4], out var year) || !Digits(text.Slice(5, 2), out var month) || !Digits(text.Slice(8, 2), out var day)
            || !Digits(text.Slice(11, 2), out var hour) || !Digits(text.Slice(14, 2), out var minute)
            || !Digits(text.Slice(17, 2), out var second)) return false;
        if (month is < 1 or > 12 || day < 1 || day > DaysIn(year, month) || hour > 23 || minute > 59 || second > 59) return false;
        var rest = text[19..];
        var nanoseconds = 0;
        if (rest[0] == '.' && !Fraction(ref rest, out nanoseconds)) return false;
        if (!Offset(rest, out var offset)) return false;
        time = new UnixTime(DaysFrom(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset, nanoseconds);
        return true;
    }

    static bool Fraction(ref ReadOnlySpan<char> rest, out int nanoseconds)
    {
        nanoseconds = 0;
        var length = 0;
        while (length + 1 < rest.Length && char.IsAsciiDigit(rest[length + 1])) length++;
        if (length is 0 or > 9 || !Digits(rest.Slice(1, length), out nanoseconds)) return false;
        for (var i = length; i < 9; i++) nanoseconds *= 10;
        rest = rest[(length + 1)..];
        return true;
    }

    static bool Offset(ReadOnlySpan<char> text, out int seconds)
    {
        seconds = 0;
        if (text is "Z" or "z") return true;
        if (text.Length != 6 || text[0] is not ('+' or '-') || text[3] != ':') return false;
        if (!Digits(text.Slice(1, 2), out var hours) || !Digits(text.Slice(4, 2), out var minutes) || hours > 23 || minutes > 59)
            return false;
        seconds = (hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
        return true;
    }

    static bool Digits(ReadOnlySpan<char> text, out int value)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    static int DaysIn(int year, int month) => month switch
    {
        4 or 6 or 9 or 11 => 30,
        2 => year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28,
        _ => 31,
    };

    // Day counts of the proleptic Gregorian calendar with years that begin in March, so that the leap day comes last.
    static long DaysFrom(int year, int month, int day)
    {
        long y = month <= 2 ? year - 1 : year;
        var era = (y >= 0 ? y : y - 399) / 400;
        var yearOfEra = y - era * 400;
        var dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        return era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468;
    }

    static (long Year, long Month, long Day) CivilFrom(long days)
    {
        days += 719468;
        var era = (days >= 0 ? days : days - 146096) / 146097;
        var dayOfEra = days - era * 146097;
        var yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
        var dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        var shifted = (5 * dayOfYear + 2) / 153;
        var month = shifted + (shifted < 10 ? 3 : -9);
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1);
    }
}
