using System.Globalization;

namespace BackupDr.Web.Parts;

/// <summary>Numbers and times as people read them. One way each, on every page.</summary>
public static class Words
{
    static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>"1.6 GiB": three digits that matter.</summary>
    public static string Size(double bytes)
    {
        var unit = 0;
        while (bytes >= 1000 && unit < Units.Length - 1) { bytes /= 1024; unit++; }
        var format = unit == 0 || bytes >= 100 ? "0" : bytes >= 10 ? "0.#" : "0.##";
        return $"{bytes.ToString(format, CultureInfo.InvariantCulture)} {Units[unit]}";
    }

    /// <summary>"1,234,567 bytes".</summary>
    public static string Exact(long bytes) => $"{Number(bytes)} bytes";

    /// <summary>"12,345".</summary>
    public static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>"1 file", "12,345 files".</summary>
    public static string Count(long count, string one, string? many = null) => $"{Number(count)} {(count == 1 ? one : many ?? one + "s")}";

    /// <summary>"2 h 10 min": the two largest units that count.</summary>
    public static string Duration(TimeSpan time)
    {
        if (time < TimeSpan.Zero) time = -time;
        if (time < TimeSpan.FromSeconds(1)) return "under 1 s";
        if (time < TimeSpan.FromMinutes(1)) return $"{(int)time.TotalSeconds} s";
        if (time < TimeSpan.FromHours(1)) return Pair(time.Minutes, "min", time.Seconds, "s");
        if (time < TimeSpan.FromDays(2)) return Pair((int)time.TotalHours, "h", time.Minutes, "min");
        return Pair(time.Days, "d", time.Hours, "h");
    }

    /// <summary>"3 min ago", "in 2 h", "just now".</summary>
    public static string Ago(DateTimeOffset at, DateTimeOffset now)
    {
        var size = (now - at).Duration();
        if (size < TimeSpan.FromSeconds(5)) return "just now";
        var text = size < TimeSpan.FromMinutes(1) ? $"{(int)size.TotalSeconds} s"
            : size < TimeSpan.FromHours(1) ? $"{(int)size.TotalMinutes} min"
            : size < TimeSpan.FromDays(2) ? $"{(int)size.TotalHours} h"
            : $"{(int)size.TotalDays} d";
        return at <= now ? $"{text} ago" : $"in {text}";
    }

    /// <summary>"2026-11-21 03:12:44 UTC".</summary>
    public static string Exact(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>"Sat 21 Nov, 03:12" in UTC, for lists of times; with the year where it is another one than now.</summary>
    public static string Moment(DateTimeOffset at, DateTimeOffset now) => at.UtcDateTime.ToString(
        at.UtcDateTime.Year == now.UtcDateTime.Year ? "ddd d MMM, HH:mm" : "ddd d MMM yyyy, HH:mm", CultureInfo.InvariantCulture);

    /// <summary>For a datetime attribute.</summary>
    public static string Machine(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>"15.4": a PostgreSQL version in the server's own counting.</summary>
    public static string Release(int version) => string.Create(CultureInfo.InvariantCulture, $"{version / 10_000}.{version % 10_000}");

    static string Pair(int large, string largeUnit, int small, string smallUnit)
        => small == 0 ? $"{large} {largeUnit}" : $"{large} {largeUnit} {small} {smallUnit}";
}
