using System.Text.Json;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules;

public sealed class StartTimesTests
{
    static readonly DateTimeOffset Monday = new(2026, 11, 23, 0, 0, 0, TimeSpan.Zero);
    static readonly ItemId SomeItem = ItemId.From(Guid.Parse("01935b2c-0000-7000-8000-000000000001"));

    static ScheduleSpec Every(double hours, params string[] windows) => new()
    {
        Every = TimeSpan.FromHours(hours),
        Windows = [.. windows.Select(HoursText.Window)],
    };

    static List<DateTimeOffset> Starts(ScheduleSpec schedule, DateTimeOffset from, int count)
    {
        var (times, starts) = (StartTimes.Of(schedule), new List<DateTimeOffset>());
        for (var at = times.Next(from); starts.Count < count && at is { } start; at = times.Next(start)) starts.Add(start);
        return starts;
    }

    [Fact]
    public void Times_that_wait_for_the_same_opening_are_one_start()
    {
        var starts = Starts(Every(1, "22:00-01:30"), Monday.AddHours(9), 5);

        Assert.Equal([22, 23, 24, 25, 46], starts.Select(at => (at - Monday).TotalHours));
    }

    [Fact]
    public void Starts_are_the_openings_of_all_nominal_times_whatever_the_rules()
    {
        ScheduleSpec[] schedules =
        [
            Every(1, "22:00-01:30"), Every(24, "20:00-22:00"), Every(7, "Mon-Fri 18:00-06:00", "Sat,Sun"),
            new() { Cron = "*/20 * * * *", TimeZone = "Europe/Berlin", Windows = [HoursText.Window("01:30-02:30")] },
            new() { Cron = "30 2 * * *", TimeZone = "Europe/Berlin", Blackouts = [HoursText.Blackout("Sun")] },
        ];
        var from = new DateTimeOffset(2026, 10, 20, 5, 7, 0, TimeSpan.Zero);
        foreach (var schedule in schedules)
        {
            var times = StartTimes.Of(schedule);
            var wanted = new SortedSet<DateTimeOffset>();
            for (var nominal = times.NextNominal(from.AddDays(-9)); nominal < from.AddDays(12); nominal = times.NextNominal(nominal.Value))
                if (times.Hours.Opening(nominal.Value) is { } opening && opening > from) wanted.Add(opening);

            Assert.Equal(wanted.Take(20), Starts(schedule, from, 20).Take(wanted.Count));
        }
    }

    [Fact]
    public void Five_hundred_items_spread_evenly_over_the_span_and_each_keeps_its_place()
    {
        var times = StartTimes.Of(Every(24));
        var items = Enumerable.Range(0, 500).Select(_ => ItemId.New(TimeProvider.System)).ToList();

        var starts = items.Select(item => times.Plan(Monday, item)!.Value.At - Monday).ToList();

        Assert.Equal(TimeSpan.FromMinutes(30), times.Spread);
        Assert.All(starts, start => Assert.InRange(start, TimeSpan.Zero, TimeSpan.FromMinutes(30)));
        Assert.InRange(starts.GroupBy(start => (int)start.TotalMinutes).Max(minute => minute.Count()), 17, 40);
        Assert.Equal(30, starts.GroupBy(start => (int)start.TotalMinutes).Count());
        Assert.Equal(starts, items.Select(item => times.Plan(Monday.AddDays(1), item)!.Value.At - Monday.AddDays(1)));
    }

    [Theory]
    [InlineData(24, null, null, 1800)]
    [InlineData(1, null, null, 360)]
    [InlineData(0.0166666667, null, null, 6)]
    [InlineData(24, "30 2 * * *", null, 0)]
    [InlineData(24, "30 2 * * *", 600, 600)]
    [InlineData(24, null, 0, 0)]
    public void The_span_is_the_policys_or_a_tenth_of_the_interval_and_none_with_cron(double hours, string? cron, int? given, int wanted)
        => Assert.Equal(wanted, StartTimes.SpreadOf(Every(hours) with
        {
            Cron = cron,
            Spread = given is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        }).TotalSeconds);

    [Fact]
    public void Items_are_also_spread_behind_an_opening_and_within_a_window_that_is_shorter_than_the_span()
    {
        var items = Enumerable.Range(0, 200).Select(_ => ItemId.New(TimeProvider.System)).ToList();
        var (wide, narrow) = (StartTimes.Of(Every(24, "22:00-06:00")), StartTimes.Of(Every(24, "22:00-22:10")));

        var behind = items.Select(item => wide.Plan(Monday.AddHours(12), item)!.Value).ToList();
        var within = items.Select(item => narrow.Plan(Monday.AddHours(12), item)!.Value.At).ToList();

        Assert.All(behind, start => Assert.InRange(start.At, Monday.AddHours(22), Monday.AddHours(22.5)));
        Assert.All(behind, start => Assert.Equal("window 22:00 UTC", start.WaitsFor));
        Assert.True(behind.Select(start => start.At).Distinct().Count() > 150);
        Assert.All(within, start => Assert.True(narrow.Hours.IsOpen(start), $"{start:u}"));
        Assert.True(within.Distinct().Count() > 100);
    }

    [Fact]
    public void What_is_late_starts_at_once_or_with_the_next_opening()
    {
        var any = StartTimes.Of(Every(24));
        var night = StartTimes.Of(Every(24, "22:00-06:00"));

        var (planned, nine) = (any.Plan(Monday, SomeItem)!.Value, Monday.AddHours(9));

        Assert.Equal(planned, any.Plan(Monday, SomeItem, Monday)!.Value);
        Assert.StartsWith("its start at 00:", planned.WaitsFor, StringComparison.Ordinal);
        Assert.Equal(new PlannedStart(nine, null), any.Plan(Monday, SomeItem, nine));
        Assert.InRange(night.Plan(Monday, SomeItem, nine)!.Value.At, Monday.AddHours(22), Monday.AddHours(22.5));
        Assert.Equal("window 22:00 UTC", night.Plan(Monday, SomeItem, nine)!.Value.WaitsFor);
        Assert.Equal(new PlannedStart(Monday.AddHours(23), null), night.Plan(Monday.AddDays(-3), SomeItem, Monday.AddHours(23)));
    }

    [Fact]
    public void What_was_missed_is_left_out_only_where_the_policy_says_so_and_not_before_an_hour_or_the_closing()
    {
        var schedule = Every(24) with { Spread = TimeSpan.Zero };
        var (once, skip) = (StartTimes.Of(schedule), StartTimes.Of(schedule with { CatchUp = CatchUp.Skip }));
        var night = StartTimes.Of(Every(24, "23:00-00:30") with { CatchUp = CatchUp.Skip, Spread = TimeSpan.Zero });

        Assert.False(once.IsMissed(Monday, SomeItem, Monday.AddDays(3)));
        Assert.False(skip.IsMissed(Monday, SomeItem, Monday.AddMinutes(59)));
        Assert.True(skip.IsMissed(Monday, SomeItem, Monday.AddMinutes(61)));
        Assert.False(night.IsMissed(Monday, SomeItem, Monday.AddMinutes(29)));
        Assert.True(night.IsMissed(Monday, SomeItem, Monday.AddMinutes(31)));
        Assert.False(skip.IsMissed(Monday, SomeItem, Monday.AddMinutes(-5)));
    }

    [Fact]
    public void The_worst_gap_counts_closed_windows_weekends_and_blackouts_to_come()
    {
        var now = Monday.AddHours(8);

        Assert.Equal(24, StartTimes.Of(Every(24)).Worst(now).Gap.TotalHours);
        Assert.Equal(1, StartTimes.Of(Every(1)).Worst(now).Gap.TotalHours);
        Assert.Equal(17, StartTimes.Of(Every(1, "22:00-06:00")).Worst(now).Gap.TotalHours);           // 05:00 to 22:00
        Assert.Equal(72, StartTimes.Of(new ScheduleSpec { Cron = "0 2 * * 1-5" }).Worst(now).Gap.TotalHours);
        Assert.Equal(66, StartTimes.Of(Every(1, "Mon-Fri 18:00-01:00")).Worst(now).Gap.TotalHours);   // Saturday 00:00 to Monday 18:00
        var closed = StartTimes.Of(Every(24) with { Blackouts = [HoursText.Blackout("2027-03-01..2027-03-10")] }).Worst(now);
        Assert.Equal((11, new DateTimeOffset(2027, 2, 28, 0, 0, 0, TimeSpan.Zero)), (closed.Gap.TotalDays, closed.From));
    }

    [Fact]
    public void What_was_stored_before_there_were_windows_reads_as_a_schedule_without()
    {
        var old = JsonSerializer.Deserialize("{\"every\":\"01:00:00\",\"timeZone\":\"UTC\"}", WireJson.Default.ScheduleSpec)!;
        var brief = JsonSerializer.Deserialize("{\"cron\":\"0 2 * * *\",\"windows\":[{\"to\":\"06:00\"}],\"blackouts\":[{\"days\":"
            + "[\"Sunday\"]}]}", WireJson.Default.ScheduleSpec)!;

        Assert.Equal((0, 0, null, CatchUp.Once), (old.Windows.Count, old.Blackouts.Count, old.Spread, old.CatchUp));
        Assert.Equal(("UTC", "00:00-06:00", "Sun"), (brief.TimeZone, HoursText.Of(brief.Windows[0]), HoursText.Of(brief.Blackouts[0])));
        Assert.True(StartTimes.Of(old).Hours.IsAlways);
    }

    [Fact]
    public void Missed_times_are_counted()
    {
        Assert.Equal(6, StartTimes.Of(Every(1)).Between(Monday, Monday.AddHours(6.5)));
        Assert.Equal(0, StartTimes.Of(Every(1)).Between(Monday, Monday.AddMinutes(10)));
        Assert.Equal(1000, StartTimes.Of(Every(1 / 60.0)).Between(Monday, Monday.AddDays(30)));
    }

    static readonly (string Field, ScheduleSpec Schedule)[] Wrong =
    [
        ("schedule", new() { Every = TimeSpan.Zero }),
        ("schedule", new() { Every = TimeSpan.FromDays(8) }),
        ("cron", new() { Cron = "0 0 31 2 *" }),
        ("cron", new() { Cron = "at noon" }),
        ("timeZone", new() { TimeZone = "Berlin" }),
        ("spread", new() { Spread = TimeSpan.FromHours(13) }),
        ("spread", new() { Spread = TimeSpan.FromMinutes(-1) }),
        ("spread", new() { Every = TimeSpan.FromHours(1), Spread = TimeSpan.FromMinutes(31) }),
        ("windows", new() { Windows = [new WindowSpec { From = "25:00" }] }),
        ("windows", new() { Windows = [new WindowSpec { From = "24:00" }] }),
        ("windows", new() { Windows = [new WindowSpec { Days = [(DayOfWeek)9] }] }),
        ("windows", new() { Windows = [.. Enumerable.Repeat(new WindowSpec(), 21)] }),
        ("blackouts", new() { Blackouts = [new BlackoutSpec { To = "6 am" }] }),
        ("blackouts", new() { Blackouts = [new BlackoutSpec { First = new(2026, 2, 2), Last = new(2026, 2, 1) }] }),
        ("blackouts", new() { Blackouts = [new BlackoutSpec { Why = new string('x', 101) }] }),
        ("blackouts", new() { Blackouts = [.. Enumerable.Repeat(new BlackoutSpec(), 51)] }),
        ("catchUp", new() { CatchUp = (CatchUp)7 }),
    ];

    [Fact]
    public void What_a_schedule_cannot_be_is_named_with_its_field()
    {
        foreach (var (field, schedule) in Wrong)
            Assert.Contains(field, DueTimes.Problems(new PolicySpec { Rpo = TimeSpan.FromDays(30), Schedule = schedule })
                .Select(problem => problem.Field));
    }
}
