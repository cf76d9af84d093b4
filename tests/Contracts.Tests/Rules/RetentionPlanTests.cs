using BackupDr.Contracts.Rules.Retention;

namespace BackupDr.Contracts.Tests.Rules;

public sealed class RetentionPlanTests
{
    static readonly DateTimeOffset Now = new(2026, 6, 30, 12, 0, 0, TimeSpan.Zero);

    static List<RetentionPoint> Points(Random random)
        => [.. Enumerable.Range(0, random.Next(1, 120)).Select(_ => new RetentionPoint(
            Now.AddMinutes(-random.Next(random.Next(2) == 0 ? 10_000 : 2_000_000)),
            random.Next(4) switch { 0 => ["a"], 1 => ["a", "b"], _ => [] }))];

    static KeepRules Rules(Random random)
    {
        int Some(int most) => random.Next(3) == 0 ? random.Next(-1, most) : 0;
        return new KeepRules
        {
            Last = Some(6),
            Hourly = Some(30),
            Daily = Some(20),
            Weekly = Some(9),
            Monthly = Some(14),
            Yearly = Some(5),
            Within = random.Next(4) == 0 ? new RetentionSpan(0, random.Next(3), random.Next(40), random.Next(24)) : default,
            Tags = random.Next(4) == 0 ? [["a", "b"]] : [],
            Floor = random.Next(3) == 0 ? random.Next(10) : 0,
        };
    }

    static IReadOnlyList<RetentionVerdict> Plan(List<RetentionPoint> points, KeepRules rules) => RetentionPlan.Make(points, rules, Now);

    [Fact]
    public void Kept_are_those_with_a_reason_never_fewer_than_the_floor_and_the_newest_is_among_them()
    {
        for (var seed = 0; seed < 2_000; seed++)
        {
            var random = new Random(seed);
            var (points, rules) = (Points(random), Rules(random));
            var verdicts = Plan(points, rules);

            Assert.All(verdicts, verdict => Assert.Equal(verdict.Keeps, verdict.Reasons.Count > 0));
            Assert.True(verdicts.Count(verdict => verdict.Keeps) >= Math.Min(points.Count, rules.Floor), $"seed {seed}: below the floor");
            var counts = new[] { rules.Last, rules.Hourly, rules.Daily, rules.Weekly, rules.Monthly, rules.Yearly };
            var newest = points.IndexOf(points.MaxBy(point => point.Time));
            if (rules.IsEmpty || counts.Any(count => count != 0)) Assert.True(verdicts[newest].Keeps, $"seed {seed}: the newest goes");
        }
    }

    [Fact]
    public void More_rules_never_keep_less_and_the_order_of_the_points_does_not_matter()
    {
        for (var seed = 0; seed < 1_000; seed++)
        {
            var random = new Random(seed);
            var (points, rules) = (Points(random), Rules(random) with { Floor = 0 });
            if (rules.IsEmpty) continue;
            points = [.. points.DistinctBy(point => point.Time)];
            var verdicts = Plan(points, rules);
            var more = Plan(points, rules with
            {
                Daily = rules.Daily < 0 ? -1 : rules.Daily + 3,
                Last = rules.Last < 0 ? -1 : rules.Last + 1,
            });
            for (var at = 0; at < points.Count; at++) Assert.True(!verdicts[at].Keeps || more[at].Keeps, $"seed {seed}");
            var turned = Plan([.. Enumerable.Reverse(points)], rules);
            Assert.Equal(verdicts.Select(verdict => verdict.Keeps), turned.Select(verdict => verdict.Keeps).Reverse());
        }
    }

    [Fact]
    public void What_is_forgotten_again_by_the_same_rules_stays()
    {
        for (var seed = 0; seed < 1_000; seed++)
        {
            var random = new Random(seed);
            var (points, rules) = (Points(random), Rules(random));
            var verdicts = Plan(points, rules);
            List<RetentionPoint> left = [.. points.Where((_, at) => verdicts[at].Keeps)];

            Assert.All(Plan(left, rules), verdict => Assert.True(verdict.Keeps, $"seed {seed}"));
        }
    }

    [Fact]
    public void Without_rules_everything_stays_and_a_floor_alone_is_no_rule()
    {
        List<RetentionPoint> points = [new(Now, []), new(Now.AddDays(-1), [])];

        Assert.All(Plan(points, new KeepRules { Floor = 1 }), verdict => Assert.True(verdict.Keeps));
    }

    [Theory]
    [InlineData("1m", "2026-03-31T00:00:00Z", "2026-03-03T00:00:00Z")]   // February has no 31st
    [InlineData("1y", "2024-02-29T00:00:00Z", "2023-03-01T00:00:00Z")]
    [InlineData("2d3h", "2026-01-01T01:00:00Z", "2025-12-29T22:00:00Z")]
    [InlineData("14m", "2026-01-15T06:00:00Z", "2024-11-15T06:00:00Z")]
    [InlineData("9999y", "2026-01-15T06:00:00Z", "0001-01-01T00:00:00Z")]
    public void A_span_counts_back_on_the_calendar(string span, string from, string to)
        => Assert.Equal(Time(to), RetentionSpan.Parse(span, "--keep-within").Before(Time(from)));

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("d")]
    [InlineData("1d1d")]
    [InlineData("-1d")]
    [InlineData("1w")]
    [InlineData("99999999999999d")]
    public void What_is_no_span_is_refused(string text)
        => Assert.Equal("input.invalid", Assert.Throws<BadInputException>(() => RetentionSpan.Parse(text, "--keep-within")).Code);

    static DateTimeOffset Time(string text) => DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
}
