using System.Globalization;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules;

/// <summary>The planner of the fleet against a reference that asks of each point, for each rule, how many later units have
/// one.</summary>
public sealed class KeepPlanTests
{
    static readonly DateTimeOffset Now = new(2026, 6, 30, 12, 0, 0, TimeSpan.Zero);

    static List<KeptPoint> Points(Random random)
    {
        var spread = random.Next(3) switch { 0 => 3_000, 1 => 100_000, _ => 2_000_000 };
        return [.. Enumerable.Range(0, random.Next(1, 90)).Select(_ => Now.AddMinutes(-random.Next(spread))).Distinct()
            .Select(time => new KeptPoint
            {
                ReceivedAt = time,
                IsComplete = random.Next(5) > 0,
                IsProven = random.Next(9) == 0,
                IsHeld = random.Next(15) == 0,
                IsGone = random.Next(12) == 0,
                TakenOutUntil = random.Next(20) == 0 ? Now.AddMinutes(random.Next(-100, 100)) : null,
            })];
    }

    static KeepTerms Terms(Random random)
    {
        int Some(int most) => random.Next(3) == 0 ? random.Next(most) : 0;
        return new KeepTerms
        {
            Rules = new KeepRules
            {
                Last = Some(6),
                Hourly = Some(30),
                Daily = Some(20),
                Weekly = Some(9),
                Monthly = Some(14),
                Yearly = Some(4),
                Within = random.Next(5) == 0 ? new RetentionSpan(0, random.Next(2), random.Next(20), random.Next(24)) : default,
            },
            Floor = random.Next(1, 6),
            IsOnHold = random.Next(25) == 0,
            MayForget = random.Next(25) > 0,
        };
    }

    /// <summary>Slow and plain: a unit's point stays where no later one is in the unit, and fewer later units than the rule counts have
    /// one.</summary>
    static HashSet<int> Reference(List<KeptPoint> points, KeepTerms terms)
    {
        var there = Enumerable.Range(0, points.Count).Where(at => !points[at].IsGone).ToList();
        var complete = there.Where(at => points[at].IsComplete).ToList();
        var rules = terms.Rules;
        (int Count, Func<DateTimeOffset, string> Unit)[] units =
        [
            (rules.Last, time => time.UtcTicks.ToString(CultureInfo.InvariantCulture)),
            (rules.Hourly, time => time.ToString("yyyyMMddHH", CultureInfo.InvariantCulture)),
            (rules.Daily, time => time.ToString("yyyyMMdd", CultureInfo.InvariantCulture)),
            (rules.Weekly, time => $"{ISOWeek.GetYear(time.DateTime)}/{ISOWeek.GetWeekOfYear(time.DateTime)}"),
            (rules.Monthly, time => time.ToString("yyyyMM", CultureInfo.InvariantCulture)),
            (rules.Yearly, time => time.ToString("yyyy", CultureInfo.InvariantCulture)),
        ];
        bool Ruled(List<int> among, int at)
        {
            var time = points[at].ReceivedAt;
            var later = among.Select(other => points[other].ReceivedAt).Where(other => other > time).ToList();
            if (!rules.Within.IsZero && time > rules.Within.Before(among.Max(other => points[other].ReceivedAt))) return true;
            return units.Any(unit => later.All(other => unit.Unit(other) != unit.Unit(time))
                && later.Select(unit.Unit).Distinct().Count() < unit.Count);
        }
        var kept = there.Where(at => !terms.MayForget || terms.IsOnHold || rules.IsEmpty || points[at].IsHeld
            || points[at].TakenOutUntil > Now || Ruled(there, at) || (points[at].IsComplete && Ruled(complete, at))).ToHashSet();
        if (complete.Count > 0) kept.Add(complete.MaxBy(at => points[at].ReceivedAt));
        var proven = there.Where(at => points[at].IsProven).ToList();
        if (proven.Count > 0) kept.Add(proven.MaxBy(at => points[at].ReceivedAt));
        foreach (var at in complete.OrderByDescending(at => points[at].ReceivedAt))
            if (complete.Count(kept.Contains) < terms.Floor) kept.Add(at);
        return kept;
    }

    [Fact]
    public void Equals_the_reference_in_thousands_of_cases()
    {
        for (var seed = 0; seed < 2_500; seed++)
        {
            var random = new Random(seed);
            var (points, terms) = (Points(random), Terms(random));

            var verdicts = KeepPlan.Make(points, terms, Now);

            var wanted = Reference(points, terms);
            for (var at = 0; at < points.Count; at++)
            {
                Assert.True(verdicts[at].Keeps == wanted.Contains(at),
                    $"seed {seed}, point {at}: {string.Join(", ", verdicts[at].Reasons)}");
                Assert.Equal(points[at].IsGone, verdicts[at].Fate == PointFate.Gone);
                Assert.Equal(verdicts[at].Keeps, verdicts[at].Reasons.Count > 0);
            }
        }
    }

    [Fact]
    public void What_is_planned_again_without_what_was_dropped_stays()
    {
        for (var seed = 0; seed < 2_000; seed++)
        {
            var random = new Random(seed);
            var (points, terms) = (Points(random), Terms(random));
            var verdicts = KeepPlan.Make(points, terms, Now);
            List<KeptPoint> left = [.. points.Where((_, at) => verdicts[at].Keeps)];

            Assert.All(KeepPlan.Make(left, terms, Now), verdict => Assert.True(verdict.Keeps, $"seed {seed}"));
        }
    }

    [Fact]
    public void An_incomplete_point_more_takes_no_complete_one_away()
    {
        for (var seed = 0; seed < 2_000; seed++)
        {
            var random = new Random(seed);
            var (points, terms) = (Points(random), Terms(random));
            var before = KeepPlan.Make(points, terms, Now);
            List<KeptPoint> more = [.. points, new KeptPoint { ReceivedAt = Now.AddSeconds(-random.Next(100_000)), IsComplete = false }];

            var after = KeepPlan.Make(more, terms, Now);

            for (var at = 0; at < points.Count; at++)
                Assert.True(!points[at].IsComplete || !before[at].Keeps || after[at].Keeps, $"seed {seed}, point {at}");
        }
    }

    // restic's documented attack: snapshots that a taken-over host dates into the past fill the days, and push the good ones out.
    [Fact]
    public void Back_dated_snapshots_push_no_good_point_out()
    {
        List<KeptPoint> good = [.. Enumerable.Range(0, 30).Select(day => new KeptPoint { ReceivedAt = Now.AddDays(-day - 1) })];
        List<RetentionPoint> byOwnTime = [.. good.Select(point => new RetentionPoint(point.ReceivedAt, []))];
        var rules = new RetentionSpec { KeepHourly = 0, KeepDaily = 30, KeepMonthly = 12 };
        var terms = new KeepTerms { Rules = rules.Rules(), Floor = rules.Floor };
        var junk = Enumerable.Range(0, 30)
            .Select(number => (ReceivedAt: Now.AddMinutes(number), Claims: Now.AddDays(-number - 1).AddHours(6))).ToList();

        var fooled = RetentionPlan.Make([.. byOwnTime, .. junk.Select(one => new RetentionPoint(one.Claims, []))], terms.Rules, Now);
        var ours = KeepPlan.Make([.. good, .. junk.Select(one => new KeptPoint { ReceivedAt = one.ReceivedAt })], terms, Now.AddHours(1));

        Assert.True(fooled.Take(good.Count).Count(verdict => verdict.Keeps) <= 1);
        Assert.True(ours.Take(good.Count).Count(verdict => verdict.Keeps) >= 29);
    }

    [Fact]
    public void A_forecast_forgets_nothing_before_its_time_in_the_trash_is_over_and_keeps_what_the_plan_keeps()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            var (points, terms, trash) = (Points(random), Terms(random), TimeSpan.FromDays(random.Next(1, 10)));
            var every = TimeSpan.FromHours(random.Next(1, 30));

            var forecast = RetentionForecast.Run(points, [.. points.Select(_ => (DateTimeOffset?)null)], at => at + every, terms, trash,
                Now, random.Next(60));

            Assert.All(forecast.Points.Where(one => one.ForgottenAt is not null),
                one => Assert.True(one.ForgottenAt - one.DroppedAt >= trash, $"seed {seed}"));
            var end = forecast.Days[^1].At;
            List<ForecastPoint> left = [.. forecast.Points.Where(one => one.ForgottenAt is null && !one.Point.IsGone)];
            var verdicts = KeepPlan.Make([.. left.Select(one => one.Point)], terms, end);
            for (var at = 0; at < left.Count; at++) Assert.Equal(verdicts[at].Keeps, left[at].DroppedAt is null);
            Assert.Equal((left.Count(one => one.DroppedAt is null), left.Count(one => one.DroppedAt is not null)),
                (forecast.Days[^1].Kept, forecast.Days[^1].InTrash));
        }
    }

    [Fact]
    public void More_than_can_be_played_is_refused()
        => Assert.Equal("days", Assert.Throws<BadInputException>(() => RetentionForecast.Run([], [], at => at.AddMinutes(1),
            new KeepTerms { Rules = new KeepRules { Last = 1 } }, TimeSpan.FromDays(1), Now, 400)).Field);

    [Theory]
    [InlineData(48, 30, 12, null, "Keeps the newest of each of 48 hours, 30 days and 12 months, and never fewer than 3. What goes can be "
        + "restored and taken back for 7 days more.")]
    [InlineData(0, 1, 0, "1y6m", "Keeps all of the last 1 year and 6 months and the newest of each of 1 day, and never fewer than 3. What "
        + "goes can be restored and taken back for 7 days more.")]
    [InlineData(0, 0, 0, null, "Keeps every recovery point: there is no rule by which one would go.")]
    public void A_policy_says_in_words_what_it_keeps(int hourly, int daily, int monthly, string? within, string words)
        => Assert.Equal(words, RetentionWords.Sentence(new RetentionSpec
        {
            KeepHourly = hourly,
            KeepDaily = daily,
            KeepMonthly = monthly,
            KeepWithin = within
        }));

    [Fact]
    public void What_leads_into_a_later_stretch_of_a_log_stays_while_an_older_point_does()
    {
        KeptPoint At(int day, bool begins = false, bool held = false)
            => new() { ReceivedAt = Now.AddDays(-day), BeginsLog = begins, IsHeld = held };
        var terms = new KeepTerms { Rules = new KeepRules { Daily = 1 } };
        List<KeptPoint> points = [At(1), At(2), At(3, begins: true), At(4), At(5, begins: true, held: true), At(6, begins: true)];
        string Kept(IReadOnlyList<KeptPoint> of) => string.Concat(KeepPlan.Make(of, terms, Now).Select(one => one.Keeps ? 'k' : '-'));

        Assert.Equal("k-k-k-", Kept(points));
        Assert.Equal("k-----", Kept([.. points.Select(point => point with { IsHeld = false })]));   // its log goes with it
        Assert.Equal("kkk", Kept([points[0], points[2], points[4]]));
        Assert.Equal([KeepReason.BeginsLog], KeepPlan.Make(points, terms, Now)[2].Reasons);
    }
}
