using BackupDr.Sources.PostgreSql;

namespace BackupDr.Sources.Tests;

/// <summary>What may go without a gap in what stays.</summary>
public sealed class ClusterRetentionTests
{
    const int Segment = 16 << 20;
    static readonly DateTimeOffset Monday = new(2026, 11, 16, 0, 0, 0, TimeSpan.Zero);

    // One a day, each in the tenth segment of its day.
    static BaseBackup Base(int day, bool isSound = true, uint timeline = 1) => new($"base{day}", timeline,
        new Lsn((ulong)(day * 10) * Segment + 100), new Lsn((ulong)(day * 10) * Segment + 200), Monday.AddDays(day), isSound);

    static LogSnapshot Log(int first, int last, uint timeline = 1, params uint[] histories)
        => new($"log{first}", [(new WalSegment(timeline, (ulong)first), new WalSegment(timeline, (ulong)last))], histories);

    static (string Kept, string Bases, string Logs) Plan(BaseBackup[] bases, LogSnapshot[] logs, int keepLast, double? days = null)
    {
        var plan = ClusterRetention.Plan(bases, logs, keepLast, days is { } count ? TimeSpan.FromDays(count) : null, Monday.AddDays(6),
            Segment);
        return (string.Join(' ', plan.KeptBases.Select(from => from.Id)), string.Join(' ', plan.Bases.Select(from => from.Id)),
            string.Join(' ', plan.Logs.Select(log => log.Id)));
    }

    static readonly BaseBackup[] Week = [.. Enumerable.Range(1, 5).Select(day => Base(day))];
    static readonly LogSnapshot[] Logs = [.. Enumerable.Range(0, 30).Select(at => Log(at * 2, at * 2 + 1))];

    [Fact]
    public void The_newest_stay_and_log_before_the_oldest_of_them_goes()
    {
        var (kept, bases, logs) = Plan(Week, Logs, keepLast: 2);

        Assert.Equal(("base4 base5", "base1 base2 base3"), (kept, bases));
        Assert.Equal(string.Join(' ', Enumerable.Range(0, 20).Select(at => $"log{at * 2}")), logs);   // up to segment 39
    }

    [Fact]
    public void A_snapshot_that_holds_the_first_needed_segment_stays()
        => Assert.Equal("log0", Plan([Base(1), Base(2)], [Log(0, 19), Log(20, 25), Log(18, 20)], keepLast: 1).Logs);

    [Theory]
    [InlineData(0.5, "base5")]   // reached from the backup of a day ago
    [InlineData(1.5, "base4 base5")]
    [InlineData(3.5, "base2 base3 base4 base5")]
    [InlineData(30, "base1 base2 base3 base4 base5")]   // nothing is that old
    public void A_window_needs_the_backup_before_its_beginning(double days, string kept) => Assert.Equal(kept, Plan(Week, Logs, 1,
        days).Kept);

    [Fact]
    public void Broken_backups_push_no_sound_one_out()
    {
        Assert.Equal("base3 base4 base5", Plan([Base(2), Base(3), Base(4, isSound: false), Base(5, isSound: false)], [], 1).Kept);
        Assert.Equal("base1 base2", Plan([Base(1, isSound: false), Base(2, isSound: false)], [], 1).Kept);
    }

    [Fact]
    public void Fewer_backups_than_are_to_stay_are_all_kept_with_their_log() => Assert.Equal(("base1 base2", "", ""), Plan([Base(1),
        Base(2)], Logs, 3));

    [Fact]
    public void A_history_that_no_kept_backup_holds_stays()
    {
        var logs = new[] { Log(0, 3, 1, 2), Log(4, 5, 1), Log(6, 7, 1, 3) };

        Assert.Equal("log0 log4", Plan([Base(1), Base(2, timeline: 2)], logs, 1).Logs);
    }
}
