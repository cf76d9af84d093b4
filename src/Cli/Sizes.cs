using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Cli;

/// <summary>Reads sizes and lengths of time as people type them.</summary>
static class Sizes
{
    /// <summary>Bytes: "1048576", "512K", "200M", "2G", "1T"; multiples of 1,024.</summary>
    /// <exception cref="BadInputException">It is no size.</exception>
    public static long Parse(string text, string field)
    {
        var shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        var number = shift == 0 ? text : text[..^1];
        return long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value <= long.MaxValue >> shift
            ? value << shift
            : throw new BadInputException(field, $"'{text}' is no size.", "Write bytes, or for example 200M or 2G.");
    }

    /// <summary>A length of time: "0", "90s", "15m", "24h", "7d".</summary>
    /// <exception cref="BadInputException">It is none.</exception>
    public static TimeSpan ParseTime(string text, string field)
    {
        var unit = text.Length == 0 ? 0 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => 0 };
        var number = unit == 0 ? text : text[..^1];
        if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || (unit == 0 && value != 0))
            throw new BadInputException(field, $"'{text}' is no length of time.", "Write for example 90s, 15m, 24h or 7d.");
        return TimeSpan.FromSeconds((long)value * unit);
    }
}
