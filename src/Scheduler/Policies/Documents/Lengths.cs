using System.Globalization;
using System.Text.RegularExpressions;

namespace BackupDr.Scheduler.Policies.Documents;

/// <summary>Lengths of time as documents write them: "90s", "15m", "24h", "30d", "1d12h".</summary>
static partial class Lengths
{
    /// <summary>Longest; no policy has a longer one.</summary>
    static readonly TimeSpan Longest = TimeSpan.FromDays(36_500);

    static readonly (string Unit, TimeSpan Length)[] Units =
    [
        ("d", TimeSpan.FromDays(1)), ("h", TimeSpan.FromHours(1)), ("m", TimeSpan.FromMinutes(1)), ("s", TimeSpan.FromSeconds(1)),
        ("ms", TimeSpan.FromMilliseconds(1)),
    ];

    [GeneratedRegex(@"^(?:(\d{1,9}(?:\.\d{1,7})?)(ms|[dhms])){1,5}$", RegexOptions.CultureInvariant)]
    private static partial Regex Shape { get; }

    /// <summary>The largest unit of which it is a whole number; a day is "24h", as objectives are spoken of.</summary>
    public static string Write(TimeSpan time)
    {
        if (time == TimeSpan.Zero) return "0s";
        foreach (var (unit, length) in Units)
            if (time.Ticks % length.Ticks == 0 && (unit != "d" || time.Ticks >= 2 * length.Ticks))
                return string.Create(CultureInfo.InvariantCulture, $"{time.Ticks / length.Ticks}{unit}");
        return string.Create(CultureInfo.InvariantCulture, $"{(decimal)time.Ticks / TimeSpan.TicksPerMillisecond}ms");
    }

    /// <summary>Reads one, also as the API's JSON writes it ("1.00:00:00"); null where it is none.</summary>
    public static TimeSpan? Read(string text)
    {
        if (text.Contains(':', StringComparison.Ordinal)) return TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture,
            out var wire)
            && wire >= TimeSpan.Zero && wire <= Longest ? wire : null;
        var match = Shape.Match(text);
        if (!match.Success) return null;
        var ticks = 0m;
        for (var at = 0; at < match.Groups[1].Captures.Count; at++)
            ticks += decimal.Parse(match.Groups[1].Captures[at].ValueSpan, CultureInfo.InvariantCulture)
                * Units.First(one => one.Unit == match.Groups[2].Captures[at].Value).Length.Ticks;
        return ticks <= Longest.Ticks ? TimeSpan.FromTicks((long)ticks) : null;
    }
}
