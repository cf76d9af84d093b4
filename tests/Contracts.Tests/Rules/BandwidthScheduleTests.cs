using BackupDr.Contracts.Rules.Calendar;

namespace BackupDr.Contracts.Tests.Rules;

public sealed class BandwidthScheduleTests
{
    static long? At(string schedule, string time) => BandwidthSchedule.Parse(schedule).At(TimeOnly.Parse(time,
        System.Globalization.CultureInfo.InvariantCulture));

    [Theory]
    [InlineData("08:00-18:00 20 MiB/s, else unlimited", "07:59", null)]
    [InlineData("08:00-18:00 20 MiB/s, else unlimited", "08:00", 20L << 20)]
    [InlineData("08:00-18:00 20 MiB/s, else unlimited", "17:59:59", 20L << 20)]
    [InlineData("08:00-18:00 20 MiB/s, else unlimited", "18:00", null)]
    [InlineData("22:00-06:00 unlimited, else 512 KiB/s", "23:30", null)]
    [InlineData("22:00-06:00 unlimited, else 512 KiB/s", "05:59", null)]
    [InlineData("22:00-06:00 unlimited, else 512 KiB/s", "06:00", 512L << 10)]
    [InlineData("12:00-13:00 unlimited\n08:00-18:00 1MiB/s", "12:30", null)]   // the first that holds it counts
    [InlineData("00:00-24:00 1 GiB/s", "00:00", 1L << 30)]
    [InlineData("18:00-24:00 unlimited, else 16 KiB/s", "23:59", null)]
    [InlineData("16 KiB/s", "12:00", 16L << 10)]
    public void A_time_of_the_day_has_the_rate_of_its_window(string schedule, string time, long? rate)
        => Assert.Equal(rate, At(schedule, time));

    [Theory]
    [InlineData("")]
    [InlineData("fast")]
    [InlineData("0 MiB/s")]
    [InlineData("15 KiB/s")]
    [InlineData("20 MB/s")]
    [InlineData("99999999999 GiB/s")]
    [InlineData("8:00-18:00 1 MiB/s")]
    [InlineData("08:00-08:00 1 MiB/s")]
    [InlineData("08:00 1 MiB/s")]
    [InlineData("25:00-26:00 1 MiB/s")]
    [InlineData("08:00-18:00")]
    [InlineData("else 1 MiB/s, 08:00-18:00 2 MiB/s")]
    public void What_is_no_schedule_is_refused_with_an_example(string text)
    {
        var e = Assert.Throws<BadInputException>(() => BandwidthSchedule.Parse(text));
        Assert.Equal("bandwidth", e.Field);
        Assert.Contains("08:00-18:00 20 MiB/s", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_schedule_gives_for_each_minute_what_its_first_fitting_window_says_and_survives_being_written()
    {
        const int seed = 20261122;
        var random = new Random(seed);
        for (var round = 0; round < 300; round++)
        {
            var windows = Enumerable.Range(0, random.Next(1, 5)).Select(_ => Window(random)).ToList();
            long? otherwise = random.Next(3) == 0 ? null : random.Next(16, 5000) * 1024L;
            var text = string.Join(", ", windows.Select(window => $"{Clock(window.From)}-{Clock(window.To)} {Rate(window.Rate)}"))
                + $", else {Rate(otherwise)}";

            var schedule = BandwidthSchedule.Parse(text);

            Assert.Equal(schedule, BandwidthSchedule.Parse(schedule.ToString()));
            for (var minute = 0; minute < 1440; minute += 7)
            {
                var expected = otherwise;
                foreach (var window in Enumerable.Reverse(windows))
                    if (Walks(window.From, window.To).Contains(minute)) expected = window.Rate;
                Assert.True(expected == schedule.At(new TimeOnly(minute / 60, minute % 60)), $"{text} at {Clock(minute)}, seed {seed}");
            }
        }
    }

    // Minute by minute from the beginning on, over midnight where it must.
    static HashSet<int> Walks(int from, int to)
    {
        var minutes = new HashSet<int>();
        for (var minute = from; minute != to % 1440 || minutes.Count == 0; minute = (minute + 1) % 1440) minutes.Add(minute);
        return minutes;
    }

    static (int From, int To, long? Rate) Window(Random random)
    {
        var from = random.Next(1440);
        int to;
        do to = random.Next(1, 1441); while (to % 1440 == from);
        return (from, to, random.Next(3) == 0 ? null : random.Next(16, 5000) * 1024L);
    }

    static string Clock(int minute) => $"{minute / 60:00}:{minute % 60:00}";

    static string Rate(long? rate) => rate is { } bytes ? $"{bytes / 1024} KiB/s" : "unlimited";
}
