using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.Contracts.Tests.Rules;

public sealed class StartHoursTests
{
    static ScheduleSpec Schedule(string zone, string[] windows, params string[] blackouts) => new()
    {
        TimeZone = zone,
        Windows = [.. windows.Select(HoursText.Window)],
        Blackouts = [.. blackouts.Select(HoursText.Blackout)],
    };

    static bool IsWeekday(DateTime reading) => reading.DayOfWeek is not (DayOfWeek.Saturday or DayOfWeek.Sunday);

    static readonly (string[] Windows, string[] Blackouts, Func<DateTime, bool> IsOpen)[] Rules =
    [
        (["22:00-06:00"], [], r => r.Hour is >= 22 or < 6),
        (["02:15-02:45"], [], r => r is { Hour: 2, Minute: >= 15 and < 45 }),
        (["00:00-24:00"], ["01:30-03:30"], r => r.TimeOfDay < new TimeSpan(1, 30, 0) || r.TimeOfDay >= new TimeSpan(3, 30, 0)),
        (["Mon-Fri 23:30-02:30"], [], r => IsWeekday(r) && r.TimeOfDay >= new TimeSpan(23, 30, 0)
            || IsWeekday(r.AddDays(-1)) && r.TimeOfDay < new TimeSpan(2, 30, 0)),
        ([], ["Sun"], r => r.DayOfWeek != DayOfWeek.Sunday),
        ([], ["Sun 00:00-00:00"], r => r.DayOfWeek != DayOfWeek.Sunday),
        (["Sat,Sun", "20:00-24:00"], ["2026-03-29", "2026-10-25..2026-10-26 22:00-04:00 # inventory"],
            r => (!IsWeekday(r) || r.Hour >= 20) && r.Date != new DateTime(2026, 3, 29)
                && !(r >= new DateTime(2026, 10, 25, 22, 0, 0) && r < new DateTime(2026, 10, 26, 4, 0, 0))
                && !(r >= new DateTime(2026, 10, 26, 22, 0, 0) && r < new DateTime(2026, 10, 27, 4, 0, 0))),
    ];

    [Fact]
    public void Openings_and_closings_are_those_of_a_walk_over_every_minute_around_each_change_of_the_clock()
    {
        var (first, last) = Nightly.IsOn ? (2005, 2034) : (2025, 2026);
        var compared = 0;
        foreach (var zone in WalkedMinutes.Zones)
            foreach (var stretch in WalkedMinutes.Around(zone, first, last))
                foreach (var (windows, blackouts, isOpen) in Rules)
                    compared += Compare(StartHours.Of(Schedule(zone, windows, blackouts)), [.. stretch.Open(isOpen)],
                        $"{string.Join(" + ", windows)} without {string.Join(" + ", blackouts)} in {zone} from {stretch.From:u}");
        Assert.True(compared > 1000, $"only {compared} turns");
    }

    static int Compare(StartHours hours, (DateTimeOffset At, bool IsOpen)[] walked, string told)
    {
        var turns = 0;
        DateTimeOffset? opening = null, closing = null;
        for (var i = walked.Length - 1; i >= 0; i--)
        {
            var (at, isOpen) = walked[i];
            if (hours.IsOpen(at) != isOpen) Assert.Fail($"{told}: {at:u} is {(isOpen ? "open" : "closed")}");
            var isTurn = i == 0 || walked[i - 1].IsOpen != isOpen;
            if (isOpen) opening = at;
            else closing = at;
            if (!isTurn && i % 97 != 0) continue;
            turns++;
            if (opening is { } opens) Assert.True(hours.Opening(at) == opens, $"{told}: opening after {at:u}");
            if (closing is { } closes) Assert.True(hours.Closing(at) == closes, $"{told}: closing after {at:u}");
        }
        return turns;
    }

    [Fact]
    public void What_a_run_waits_for_is_said_with_the_time_that_the_clock_will_show()
    {
        var night = StartHours.Of(Schedule("Europe/Berlin", ["22:00-06:00"]));
        var weekend = StartHours.Of(Schedule("Europe/Berlin", ["Sat"]));
        var closed = StartHours.Of(Schedule("UTC", [], "2026-12-24..2027-01-03 # inventory"));
        var noon = new DateTimeOffset(2026, 11, 23, 11, 0, 0, TimeSpan.Zero);   // a Monday

        Assert.Equal("window 22:00 Europe/Berlin", night.Words(noon, night.Opening(noon)!.Value));
        Assert.Equal("window Sat 00:00 Europe/Berlin", weekend.Words(noon, weekend.Opening(noon)!.Value));
        var eve = new DateTimeOffset(2026, 12, 24, 3, 0, 0, TimeSpan.Zero);
        Assert.Equal("the end of the blackout 'inventory', 4 Jan 2027 00:00 UTC", closed.Words(eve, closed.Opening(eve)!.Value));
    }

    [Fact]
    public void Without_rules_it_is_always_open_and_where_blackouts_cover_all_it_never_is()
    {
        var now = DateTimeOffset.UnixEpoch.AddYears(56);
        var (always, never) = (StartHours.Of(new ScheduleSpec()), StartHours.Of(Schedule("UTC", ["22:00-23:00"], "21:00-24:00")));

        Assert.Equal((true, now, null), (always.IsAlways, always.Opening(now), always.Closing(now)));
        Assert.Null(never.Opening(now));
    }

    [Theory]
    [InlineData("22:00-06:00")]
    [InlineData("Mon-Fri 22:00-06:00")]
    [InlineData("Sat,Sun")]
    [InlineData("Mon,Wed-Fri,Sun 00:00-12:00")]
    [InlineData("00:00-24:00")]
    public void A_window_is_written_as_it_is_read(string text) => Assert.Equal(text, HoursText.Of(HoursText.Window(text)));

    [Theory]
    [InlineData("2026-12-24")]
    [InlineData("2026-12-24..2027-01-03 # end of the year")]
    [InlineData("2026-12-24.. Sun 08:00-12:00")]
    [InlineData("..2026-12-24 Sun")]
    [InlineData("Sun 08:00-12:00 # market")]
    public void A_blackout_is_written_as_it_is_read(string text) => Assert.Equal(text, HoursText.Of(HoursText.Blackout(text)));

    [Theory]
    [InlineData("")]
    [InlineData("22:00")]
    [InlineData("24:00-06:00")]
    [InlineData("22:00-25:00")]
    [InlineData("2026-12-24 22:00-06:00")]
    [InlineData("Someday")]
    [InlineData("Mon-Tue-Wed")]
    [InlineData("S 22:00-06:00")]
    [InlineData("10pm-6am")]
    public void What_is_no_window_is_refused_with_an_example(string text)
    {
        var e = Assert.Throws<BadInputException>(() => HoursText.Window(text));

        Assert.Contains("22:00-06:00", e.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("2026-02-30")]
    [InlineData("2026-12-24..2026-12-25..2026-12-26")]
    [InlineData("..")]
    [InlineData("# only a reason")]
    [InlineData("24.12.2026")]
    public void What_is_no_blackout_is_refused_with_the_field(string text)
        => Assert.Equal("blackouts", Assert.Throws<BadInputException>(() => HoursText.Blackout(text)).Field);
}
