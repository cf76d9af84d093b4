namespace BackupDr.Contracts.Tests.Rules;

/// <summary>Every minute of a stretch of time with what the clock on the wall shows, and what follows from reading it alone. Knows nothing
/// of how times are computed.</summary>
public sealed class WalkedMinutes
{
    /// <summary>Zones with what clocks do somewhere: northern, southern, at midnight, by half an hour, in Ramadan, by a day.</summary>
    public static readonly string[] Zones = ["UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Africa/Cairo",
        "Asia/Beirut", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "America/Havana", "Pacific/Chatham", "Pacific/Apia"];

    readonly (DateTimeOffset At, DateTime Reading)[] _minutes;

    WalkedMinutes(TimeZoneInfo zone, DateTimeOffset from, int days) => _minutes = [.. Enumerable.Range(0, days * 24 * 60)
        .Select(minute => from.AddMinutes(minute)).Select(at => (at, TimeZoneInfo.ConvertTime(at, zone).DateTime))];

    public DateTimeOffset From => _minutes[0].At;
    public DateTimeOffset Until => _minutes[^1].At;

    /// <summary>The days around each change of a zone's clock and around each 29 February.</summary>
    public static IEnumerable<WalkedMinutes> Around(string zoneName, int firstYear, int lastYear)
    {
        var zone = TimeZoneInfo.FindSystemTimeZoneById(zoneName);
        var end = new DateTimeOffset(lastYear + 1, 1, 1, 0, 0, 0, TimeSpan.Zero);
        for (var day = new DateTimeOffset(firstYear, 1, 1, 0, 0, 0, TimeSpan.Zero); day < end; day = day.AddDays(1))
        {
            var changes = zone.GetUtcOffset(day) != zone.GetUtcOffset(day.AddDays(1));
            if (!changes && (day.Month != 2 || day.Day != 28)) continue;
            yield return new WalkedMinutes(zone, day.AddDays(-2), 5);
            day = day.AddDays(3);
        }
    }

    /// <summary>The minutes that an expression names: of certain hours each reading once, of all hours whenever it is shown.</summary>
    public List<DateTimeOffset> Named(Func<DateTime, bool> names, bool ofAllHours)
    {
        var named = new List<DateTimeOffset>();
        var shown = new HashSet<DateTime>();
        for (var i = 1; i < _minutes.Length; i++)
        {
            var (at, reading) = _minutes[i];
            var isNamed = names(reading) && (ofAllHours || !shown.Contains(reading));
            for (var left = _minutes[i - 1].Reading.AddMinutes(1); !ofAllHours && left < reading; left = left.AddMinutes(1))
                isNamed |= names(left);
            if (isNamed) named.Add(at);
            shown.Add(reading);
        }
        return named;
    }

    /// <summary>Each minute and whether a clock that shows it is inside.</summary>
    public IEnumerable<(DateTimeOffset At, bool IsOpen)> Open(Func<DateTime, bool> isOpen)
        => _minutes.Select(minute => (minute.At, isOpen(minute.Reading)));
}
