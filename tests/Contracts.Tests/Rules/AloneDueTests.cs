using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules;

/// <summary>A host that is alone starts its backups when a node would, for the same nominal times.</summary>
public sealed class AloneDueTests
{
    static readonly TimeSpan Minute = TimeSpan.FromMinutes(1), Takes = TimeSpan.FromSeconds(450);
    // Places in the spread that differ.
    static readonly ItemId[] Items = [ItemId.From(new Guid("0199aaaa-0000-7000-8000-000000000001")),
        ItemId.From(new Guid("0199bbbb-0000-7000-8000-0000000000f7"))];

    static readonly Dictionary<string, ScheduleSpec> Schedules = new()
    {
        ["each day"] = new(),
        ["each quarter of an hour"] = new() { Every = TimeSpan.FromMinutes(15) },
        ["more often than it takes"] = new() { Every = TimeSpan.FromMinutes(2) },
        ["each hour, wide spread"] = new() { Every = TimeSpan.FromHours(1), Spread = TimeSpan.FromMinutes(30) },
        ["by night"] = new()
        {
            Every = TimeSpan.FromHours(1),
            TimeZone = "Europe/Berlin",
            Windows = [new WindowSpec { From = "22:30", To = "06:00" }],
            Spread = TimeSpan.FromMinutes(20),
        },
        ["in a gap"] = new() { Cron = "30 2 * * *", TimeZone = "Europe/Berlin" },
        ["each hour by the wall"] = new() { Cron = "17 * * * *", TimeZone = "Europe/Berlin" },
        ["short window"] = new()
        {
            Every = TimeSpan.FromHours(6),
            Windows = [new WindowSpec { From = "01:00", To = "01:20" }],
            TimeZone = "America/New_York",
        },
        ["with a blackout"] = new()
        {
            Every = TimeSpan.FromHours(2),
            Blackouts = [new BlackoutSpec { Days = [DayOfWeek.Sunday], From = "00:00", To = "24:00" }],
            CatchUp = CatchUp.Skip,
            TimeZone = "Europe/Berlin",
        },
    };

    public static TheoryData<string, string> Spans()
    {
        var spans = new TheoryData<string, string>();
        foreach (var schedule in Schedules.Keys)
            foreach (var from in (string[])["2026-03-28", "2026-10-24"]) spans.Add(schedule, from);   // Sundays on which clocks change
        return spans;
    }

    [Theory, MemberData(nameof(Spans))]
    public void A_host_alone_starts_what_a_node_would_at_the_same_moments_through_changes_of_the_clock(string schedule, string from)
    {
        var begin = DateTimeOffset.Parse(from + "T00:00Z", System.Globalization.CultureInfo.InvariantCulture);
        foreach (var item in Items)
        {
            var byNode = ByNode(Schedules[schedule], item, begin, begin.AddDays(3));
            var alone = Alone(Schedules[schedule], item, begin, begin.AddDays(3));

            Assert.NotEmpty(byNode);
            Assert.Equal(byNode, alone);
        }
    }

    /// <summary>As FireDue, FirePolicy and ScheduledStarts do it with a look a minute.</summary>
    static List<(DateTimeOffset Nominal, DateTimeOffset Start)> ByNode(ScheduleSpec spec, ItemId item, DateTimeOffset since,
        DateTimeOffset until)
    {
        var (times, starts, fired) = (StartTimes.Of(spec), new List<(DateTimeOffset, DateTimeOffset)>(), new HashSet<DateTimeOffset>());
        (DateTimeOffset Nominal, DateTimeOffset At)? waits = null;
        var busyUntil = since;
        for (var now = since + Minute; now < until; now += Minute)
        {
            if (times.Due(since, now) is { } nominal && fired.Add(nominal) && waits is null && busyUntil <= now)
                waits = (nominal, times.Plan(nominal, item, now)!.Value.At);
            if (waits is not { } waiting || waiting.At > now) continue;
            waits = null;
            if (times.IsMissed(waiting.Nominal, item, now)) continue;
            if (!times.Hours.IsOpen(now)) waits = (waiting.Nominal, times.Plan(waiting.Nominal, item, now)!.Value.At);
            else
            {
                starts.Add((waiting.Nominal, now));
                busyUntil = now + Takes;
            }
        }
        return starts;
    }

    static List<(DateTimeOffset Nominal, DateTimeOffset Start)> Alone(ScheduleSpec spec, ItemId item, DateTimeOffset since,
        DateTimeOffset until)
    {
        var (due, starts, done) = (new AloneDue(spec, item), new List<(DateTimeOffset, DateTimeOffset)>(), new List<DealtWith>());
        for (var now = since + Minute; now < until; now += Minute)
        {
            if (done is [.., { Until: var end }] && end > now) continue;
            if (due.Look(since, done, now) is not { } nominal) continue;
            starts.Add((nominal, now));
            done.Add(new DealtWith(nominal, now + Takes));
            if (done.Count > 16) done.RemoveAt(0);
        }
        return starts;
    }

    static readonly DateTimeOffset Noon = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    static readonly ScheduleSpec Hourly = new() { Every = TimeSpan.FromHours(1), Spread = TimeSpan.Zero };

    [Theory]
    [InlineData(-61, null, 0)]       // nothing since: the newest of those that passed is due
    [InlineData(0, null, null)]      // nodes have dealt with it
    [InlineData(-61, 0, null)]       // handed to this host, or made by it
    [InlineData(-121, -60, 0)]       // an earlier one was made
    public void Only_what_nobody_dealt_with_is_due(int sinceMinutes, int? madeMinutes, int? dueMinutes)
    {
        DealtWith[] done = madeMinutes is { } made ? [new DealtWith(Noon.AddMinutes(made), Noon.AddMinutes(made + 1))] : [];

        Assert.Equal(dueMinutes is { } minutes ? Noon.AddMinutes(minutes) : null,
            new AloneDue(Hourly, Items[0]).Look(Noon.AddMinutes(sinceMinutes), done, Noon.AddMinutes(10)));
    }

    [Fact]
    public void A_clock_that_was_a_day_ahead_for_a_minute_stops_nothing()
    {
        var due = new AloneDue(Hourly, Items[0]);
        var done = new List<DealtWith>();
        Assert.Equal(Noon.AddDays(1), due.Look(Noon.AddHours(-1), done, Noon.AddDays(1)));
        done.Add(new DealtWith(Noon.AddDays(1), Noon.AddDays(1).AddMinutes(1)));

        Assert.Equal(Noon, due.Look(Noon.AddHours(-1), done, Noon.AddMinutes(2)));
    }

    [Fact]
    public void What_was_missed_is_left_out_where_the_policy_says_so()
        => Assert.Null(new AloneDue(Hourly with { Every = TimeSpan.FromHours(12), CatchUp = CatchUp.Skip }, Items[0])
            .Look(Noon.AddDays(-1), [], Noon + StartTimes.Grace + Minute));
}
