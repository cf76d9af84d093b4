using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Objectives;

namespace BackupDr.Contracts.Tests.Rules;

/// <summary>What was achieved of the objectives, and how long a restore will take.</summary>
public sealed class ObjectiveTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    static TimeSpan? Hours(double? hours) => hours is { } some ? TimeSpan.FromHours(some) : null;

    // Hours before now at which points were received; hours before now of the last look; "days before today: hours of the worst gap".
    [Theory]
    [InlineData(new double[0], 48, "")]
    [InlineData(new double[] { 30 }, 48, "")]                                     // one point has no gap before it
    [InlineData(new double[] { 2, 1, 3 }, 48, "0: 1")]                            // in any order
    [InlineData(new double[] { 60, 10, 8 }, 48, "0: 50")]                         // it ended today, however long ago it began
    [InlineData(new double[] { 100, 50, 40, 14, 2 }, 48, "2: 10, 1: 26, 0: 12")]  // the one that ended 50 hours ago was counted before
    [InlineData(new double[] { 40, 20, 14, 2, 1 }, 72, "1: 20, 0: 12")]
    [InlineData(new double[] { 1, 1 }, 48, "0: 0")]
    public void A_gap_counts_whole_on_the_day_on_which_it_ended(double[] received, double look, string expected)
    {
        var gaps = AchievedRpo.Ended(received.Select(hours => Now.AddHours(-hours)), Now.AddHours(-look));

        Assert.Equal(expected, string.Join(", ", gaps.Select(gap => string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{AchievedRpo.Day(Now).DayNumber - gap.Day.DayNumber}: {gap.Gap.TotalHours}"))));
    }

    [Theory]
    [InlineData(null, null, null)]
    [InlineData(5, null, 5.0)]     // all points are gone; what was, was
    [InlineData(null, 2, 2.0)]     // the first point is two hours old
    [InlineData(5, 2, 5.0)]
    [InlineData(5, 30, 30.0)]      // the present wait is the longest
    [InlineData(5, -1, 5.0)]       // a clock that is ahead
    public void The_present_wait_counts_like_one_that_ended(int? ended, int? newest, double? expected)
        => Assert.Equal(Hours(expected), AchievedRpo.Worst(Hours(ended), newest is { } age ? Now.AddHours(-age) : null, Now));

    [Fact]
    public void The_window_is_today_and_the_29_days_before()
        => Assert.Equal(new DateOnly(2026, 10, 23), AchievedRpo.FirstDay(Now));

    const long GiB = 1L << 30;

    [Theory]
    [InlineData(240, 10 * GiB, 10 * GiB, 240, false)]
    [InlineData(240, 10 * GiB, 5 * GiB, 240, false)]          // never less: small files take their time
    [InlineData(240, 10 * GiB, 15 * GiB, 360, true)]
    [InlineData(240, 10 * GiB, 0, 240, false)]                // how much it will be is not known
    [InlineData(240, 0, 15 * GiB, 240, false)]                // how much it was neither
    [InlineData(1, 1L << 20, 40L << 20, 40, true)]            // both small
    public void An_estimate_is_the_last_drill_scaled_up_by_size(double took, long drilled, long bytes, double expected, bool scaled)
    {
        var (estimate, why) = RestoreTimes.Of(new MeasuredRestores { Took = TimeSpan.FromSeconds(took), Bytes = drilled, At = Now }, bytes);

        Assert.Null(why);
        Assert.Equal((TimeSpan.FromSeconds(expected), scaled, Now), (estimate!.Time, estimate.IsScaled, estimate.DrilledAt));
    }

    public static TheoryData<MeasuredRestores, long, NoEstimate> Without => new()
    {
        { new MeasuredRestores(), GiB, NoEstimate.NeverDrilled },
        { new MeasuredRestores { HasFailed = true }, GiB, NoEstimate.DrillFailed },
        { new MeasuredRestores { AreWanted = false }, GiB, NoEstimate.NoDrills },
        { new MeasuredRestores { Took = TimeSpan.Zero, Bytes = GiB }, GiB, NoEstimate.NeverDrilled },
        { new MeasuredRestores { Took = TimeSpan.FromSeconds(2), Bytes = GiB }, 20 * GiB, NoEstimate.DrillTooSmall },
    };

    [Theory]
    [MemberData(nameof(Without))]
    public void Without_a_measured_restore_of_like_size_there_is_a_reason_instead(MeasuredRestores known, long bytes, NoEstimate expected)
        => Assert.Equal((null, expected), RestoreTimes.Of(known, bytes));

    [Fact]
    public void A_drill_that_failed_later_does_not_take_the_estimate_away()
        => Assert.NotNull(RestoreTimes.Of(new MeasuredRestores { Took = TimeSpan.FromSeconds(9), Bytes = GiB, HasFailed = true }, GiB)
            .Estimate);
}
