using BackupDr.Contracts.Rules.Calendar;
using BackupDr.TestKit;

namespace BackupDr.Contracts.Tests.Rules;

public sealed class CronTimesTests
{
    /// <summary>Expressions, what they name said another way, and whether they are of all hours.</summary>
    static readonly (string Cron, Func<DateTime, bool> Names, bool OfAllHours)[] Expressions =
    [
        ("30 2 * * *", r => r is { Hour: 2, Minute: 30 }, false),
        ("0 0 * * *", r => r is { Hour: 0, Minute: 0 }, false),
        ("@daily", r => r is { Hour: 0, Minute: 0 }, false),
        ("59 23 * * *", r => r is { Hour: 23, Minute: 59 }, false),
        ("*/15 1-3 * * *", r => r.Hour is >= 1 and <= 3 && r.Minute % 15 == 0, false),
        ("0 22-2 * * *", r => r.Hour is >= 22 or <= 2 && r.Minute == 0, false),
        ("15 */6 * * *", r => r.Hour % 6 == 0 && r.Minute == 15, false),
        ("7 * * * *", r => r.Minute == 7, true),
        ("*/7 * * * *", r => r.Minute % 7 == 0, true),
        ("* * * * *", _ => true, true),
        ("0 3 29 2 *", r => r is { Month: 2, Day: 29, Hour: 3, Minute: 0 }, false),
        ("0 1 L * *", r => r.Day == DateTime.DaysInMonth(r.Year, r.Month) && r is { Hour: 1, Minute: 0 }, false),
        ("30 1 * mar,OCT,11 sun", r => r is { Month: 3 or 10 or 11, DayOfWeek: DayOfWeek.Sunday, Hour: 1, Minute: 30 }, false),
        ("0 2 1,28 * 5-7", r => (r.Day is 1 or 28 || r.DayOfWeek is DayOfWeek.Friday or DayOfWeek.Saturday or DayOfWeek.Sunday)
            && r is { Hour: 2, Minute: 0 }, false),
    ];

    [Fact]
    public void Times_are_those_that_a_walk_over_every_minute_finds_around_each_change_of_the_clock_and_each_leap_day()
    {
        // Nightly over thirty years, with the day that Samoa left out.
        var (first, last) = Nightly.IsOn ? (2005, 2034) : (2026, 2028);
        var (walked, fired) = (0, 0);
        foreach (var zone in WalkedMinutes.Zones)
            foreach (var stretch in WalkedMinutes.Around(zone, first, last))
            {
                walked++;
                foreach (var (cron, names, ofAllHours) in Expressions)
                {
                    var wanted = stretch.Named(names, ofAllHours);
                    fired += wanted.Count;
                    var told = $"{cron} in {zone} from {stretch.From:u}";
                    Assert.True(wanted.SequenceEqual(Fired(cron, zone, stretch)), told);
                    Assert.True(wanted.SequenceEqual(FiredBackwards(cron, zone, stretch)), $"{told}, backwards");
                }
            }
        Assert.True(walked > 30 && fired > 50_000, $"{walked} stretches, {fired} times");
    }

    // The walk knows nothing before its first minute.
    static IEnumerable<DateTimeOffset> Fired(string cron, string zone, WalkedMinutes stretch)
    {
        var times = CronTimes.Parse(cron, zone);
        for (var at = times.Next(stretch.From); at <= stretch.Until; at = times.Next(at.Value)) yield return at.Value;
    }

    static IEnumerable<DateTimeOffset> FiredBackwards(string cron, string zone, WalkedMinutes stretch)
    {
        var times = CronTimes.Parse(cron, zone);
        var fired = new List<DateTimeOffset>();
        for (var at = times.Last(stretch.Until); at > stretch.From; at = times.Last(at.Value.AddTicks(-1))) fired.Add(at.Value);
        return Enumerable.Reverse(fired);
    }

    [Theory]
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:00Z")]   // left out: at the end of the gap
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T00:30Z")]   // comes twice: the first
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30Z", "2026-10-26T01:30Z")]   // and not the second
    [InlineData("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00Z", "2026-04-23T22:00Z")]     // midnight itself is left out
    [InlineData("0 12 29 2 *", "UTC", "2096-03-01T00:00Z", "2104-02-29T12:00Z")]            // eight years without a leap day
    [InlineData("0 9 * * *", "Pacific/Apia", "2011-12-29T20:00Z", "2011-12-30T10:00Z")]     // the 30th was left out whole
    public void Rules_for_hours_that_come_never_or_twice_are_kept(string cron, string zone, string after, string wanted)
        => Assert.Equal(DateTimeOffset.Parse(wanted, null), CronTimes.Parse(cron, zone).Next(DateTimeOffset.Parse(after, null)));

    [Theory]
    [InlineData("")]
    [InlineData("30 2 * *")]
    [InlineData("60 2 * * *")]
    [InlineData("30 24 * * *")]
    [InlineData("30 2 0 * *")]
    [InlineData("30 2 32 * *")]
    [InlineData("30 2 * 13 *")]
    [InlineData("30 2 * * 8")]
    [InlineData("30 2 * * sunday")]
    [InlineData("*/0 * * * *")]
    [InlineData("1-2-3 * * * *")]
    [InlineData("1/2/3 * * * *")]
    [InlineData("a * * * *")]
    [InlineData("-1 * * * *")]
    [InlineData("99999999999 * * * *")]
    [InlineData(", * * * *")]
    [InlineData("@often")]
    public void What_is_no_expression_is_refused_with_the_field_and_an_example(string cron)
    {
        var e = Assert.Throws<BadInputException>(() => CronTimes.Parse(cron, "UTC"));

        Assert.Equal("cron", e.Field);
        Assert.Contains("02:30", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_zone_is_refused_and_a_day_that_never_comes_gives_no_time()
    {
        Assert.Equal("timeZone", Assert.Throws<BadInputException>(() => CronTimes.Parse("* * * * *", "Mars/Olympus")).Field);
        Assert.Null(CronTimes.Parse("0 0 31 2 *", "UTC").Next(DateTimeOffset.UnixEpoch.AddYears(50)));
        Assert.Null(CronTimes.Parse("0 0 31 2 *", "UTC").Last(DateTimeOffset.UnixEpoch.AddYears(50)));
    }
}
