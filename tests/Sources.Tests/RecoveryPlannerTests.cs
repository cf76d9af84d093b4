using BackupDr.Sources.PostgreSql;

namespace BackupDr.Sources.Tests;

/// <summary>Which base backup and which log lead to a moment. Positions are counted in segments.</summary>
public sealed class RecoveryPlannerTests
{
    const int Segment = 16 << 20;
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    static Lsn At(double segments) => new((ulong)(segments * Segment));

    // A base backup that starts and stops within segment <number>, an hour after the one before.
    static BaseBackup Base(uint timeline, int number)
        => new($"base{number}", timeline, At(number + 0.25), At(number + 0.5), Noon.AddHours(number));

    static WalInventory Log(params (uint Timeline, int From, int To)[] runs)
    {
        var log = new WalInventory(Segment);
        foreach (var (timeline, from, to) in runs)
            for (var number = from; number <= to; number++) log.Add(new WalSegment(timeline, (ulong)number));
        return log;
    }

    static TimelineHistory History(uint timeline, params (uint, double)[] branches)
        => new(timeline, [.. branches.Select(branch => (branch.Item1, At(branch.Item2)))]);

    [Fact]
    public void An_unbroken_log_is_recoverable_to_its_end()
    {
        var range = RecoveryPlanner.RangeOf(Base(1, 3), Log((1, 1, 9)))!;

        Assert.Equal((At(10), 1u, false), (range.End, range.Timeline, range.HasGap));
        Assert.Equal([3UL, 4, 5, 6, 7, 8, 9], range.Segments.Select(segment => segment.Number));
    }

    [Fact]
    public void A_missing_segment_ends_the_range_and_is_told()
    {
        var range = RecoveryPlanner.RangeOf(Base(1, 3), Log((1, 1, 5), (1, 7, 9)))!;

        Assert.Equal((At(6), true), (range.End, range.HasGap));
    }

    [Fact]
    public void A_half_segment_counts_as_far_as_it_reaches()
    {
        var log = Log((1, 1, 5));
        log.Add(new WalSegment(1, 6), At(6.75));

        var range = RecoveryPlanner.RangeOf(Base(1, 3), log)!;

        Assert.Equal((At(6.75), false), (range.End, range.HasGap));
        Assert.Equal(6UL, range.Segments[^1].Number);
    }

    [Fact]
    public void A_base_backup_is_enough_to_reach_its_own_end()
    {
        var log = new WalInventory(Segment);
        log.Add(new WalSegment(1, 3), At(3.5));

        var range = RecoveryPlanner.RangeOf(Base(1, 3), log)!;

        Assert.Equal(At(3.5), range.End);
        Assert.Equal("base3", RecoveryPlanner.Candidates([Base(1, 3)], log, RecoveryTarget.EndOfBackup)[0].Base.Id);
    }

    [Fact]
    public void A_promotion_is_followed_through_the_segment_that_both_timelines_have()
    {
        var log = Log((1, 1, 5), (2, 5, 8));
        log.Add(History(2, (1, 5.5)));

        var range = RecoveryPlanner.RangeOf(Base(1, 3), log)!;

        Assert.Equal((At(9), 2u), (range.End, range.Timeline));
        Assert.Equal([(1u, 3UL), (1u, 4UL), (2u, 5UL), (2u, 6UL), (2u, 7UL), (2u, 8UL)],
            range.Segments.Select(segment => (segment.Timeline, segment.Number)));
    }

    [Fact]
    public void The_old_timeline_reaches_to_its_switch_where_the_new_one_is_missing()
    {
        var log = Log((1, 1, 6), (2, 7, 8));
        log.Add(History(2, (1, 5.5)));

        var range = RecoveryPlanner.RangeOf(Base(1, 3), log)!;

        Assert.Equal((At(5.5), true), (range.End, range.HasGap));
    }

    [Fact]
    public void The_old_timeline_can_be_asked_for_beyond_the_switch()
    {
        var log = Log((1, 1, 6), (2, 5, 8));
        log.Add(History(2, (1, 5.5)));

        Assert.Equal((At(7), 1u), RecoveryPlanner.RangeOf(Base(1, 3), log, timeline: 1) is { } range ? (range.End,
            range.Timeline) : default);
    }

    [Fact]
    public void A_base_backup_on_a_branch_that_was_left_is_not_used_for_the_new_timeline()
    {
        var log = Log((1, 1, 9), (2, 5, 9));
        log.Add(History(2, (1, 5.5)));

        // The second was taken on timeline 1 after the switch: nothing of timeline 2 follows from it.
        var best = RecoveryPlanner.Candidates([Base(1, 3), Base(1, 7)], log, RecoveryTarget.At(At(8)) with { Timeline = 2 });

        Assert.Equal("base3", Assert.Single(best).Base.Id);
        Assert.Null(RecoveryPlanner.RangeOf(Base(1, 7), log, timeline: 2));
        Assert.Equal(1u, RecoveryPlanner.RangeOf(Base(1, 7), log)!.Timeline);
    }

    [Fact]
    public void Two_promotions_in_one_segment_are_followed()
    {
        var log = Log((1, 1, 4), (3, 5, 6));
        log.Add(History(2, (1, 5.25)));
        log.Add(History(3, (1, 5.25), (2, 5.75)));

        Assert.Equal((At(7), 3u), RecoveryPlanner.RangeOf(Base(1, 3), log) is { } range ? (range.End, range.Timeline) : default);
    }

    [Fact]
    public void A_backup_on_a_later_timeline_whose_history_is_lost_is_followed_on_its_own()
        => Assert.Equal((At(9), 4u), RecoveryPlanner.RangeOf(Base(4, 6), Log((4, 6, 8))) is { } range ? (range.End,
            range.Timeline) : default);

    [Theory]
    [InlineData(2.99, null)]   // before any backup's end
    [InlineData(3.5, "base3")]   // at its very end
    [InlineData(6.4, "base3")]   // the second had not ended
    [InlineData(6.5, "base6")]
    [InlineData(10, "base6")]
    [InlineData(10.1, null)]   // behind the log's end
    public void A_position_is_reached_from_the_newest_backup_that_ended_before_it(double segments, string? best)
    {
        var log = Log((1, 1, 9));
        var target = RecoveryTarget.At(At(segments));

        if (best is null)
            Assert.Equal("postgres.unreachable_target", Assert.Throws<SourceException>(()
                => RecoveryPlanner.Candidates([Base(1, 3), Base(1, 6)], log, target)).Code);
        else Assert.Equal(best, RecoveryPlanner.Candidates([Base(1, 3), Base(1, 6)], log, target)[0].Base.Id);
    }

    [Theory]
    [InlineData(2, null)]
    [InlineData(3, "base3")]
    [InlineData(5, "base3")]
    [InlineData(6, "base6")]
    [InlineData(600, "base6")]   // whether the log reaches so far shows when it is read
    public void A_time_is_reached_from_the_newest_backup_that_had_ended_by_then(int hours, string? best)
    {
        var log = Log((1, 1, 9));
        var target = RecoveryTarget.At(Noon.AddHours(hours));

        if (best is null) Assert.Throws<SourceException>(() => RecoveryPlanner.Candidates([Base(1, 3), Base(1, 6)], log, target));
        else Assert.Equal(best, RecoveryPlanner.Candidates([Base(1, 3), Base(1, 6)], log, target)[0].Base.Id);
    }

    [Fact]
    public void A_name_may_lie_behind_any_backup_so_all_are_candidates_the_newest_first()
        => Assert.Equal(["base6", "base3"], RecoveryPlanner.Candidates([Base(1, 3), Base(1, 6)], Log((1, 1, 9)), RecoveryTarget.Named("x"))
            .Select(range => range.Base.Id));

    [Fact]
    public void A_backup_whose_own_log_is_gone_is_none()
    {
        var log = Log((1, 7, 9));

        Assert.Throws<SourceException>(() => RecoveryPlanner.Candidates([Base(1, 3)], log, RecoveryTarget.Latest));
        Assert.Equal("base8", RecoveryPlanner.Candidates([Base(1, 3), Base(1, 8)], log, RecoveryTarget.Latest)[0].Base.Id);
    }

    [Fact]
    public void Without_a_base_backup_it_says_so()
        => Assert.Equal("postgres.no_backup",
            Assert.Throws<SourceException>(() => RecoveryPlanner.Candidates([], Log((1, 1, 9)), RecoveryTarget.Latest)).Code);

    /// <summary>Against a plain model: walk segment by segment over one timeline with random holes.</summary>
    [Fact]
    public void Random_holes_end_the_range_at_the_first_one_behind_the_backup()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            var random = new Random(seed);
            var present = Enumerable.Range(0, 24).Where(_ => random.Next(6) > 0).ToHashSet();
            var number = random.Next(20);
            var log = new WalInventory(Segment);
            foreach (var there in present) log.Add(new WalSegment(1, (ulong)there));
            var end = number;
            while (present.Contains(end)) end++;

            var range = RecoveryPlanner.RangeOf(Base(1, number), log)!;

            var expected = end == number ? At(number + 0.25) : At(end);
            Assert.True(expected == range.End, $"seed {seed}: {range.End} instead of {expected}");
            Assert.True(range.HasGap == present.Any(there => At(there + 1) > range.End), $"seed {seed}: gap {range.HasGap}");
        }
    }
}
