using BackupDr.Sources.MariaDb;

namespace BackupDr.Sources.Tests;

/// <summary>Which base backup and which files of the log lead to a moment, and what may be forgotten.</summary>
public sealed class BinlogPlannerTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    static uint Seconds(double minutes) => (uint)Noon.AddMinutes(minutes).ToUnixTimeSeconds();

    static BinlogExtent File(int number, double minutes, long length = 1000, bool whole = true, bool gap = false)
        => new(new BinlogFile($"bin.{number:D6}", Seconds(minutes)), length, whole, gap);

    static BaseBackupOfServer Base(string id, int number, long position, double minutes, string gtid = "")
        => new(id, $"bin.{number:D6}", position, gtid, Noon.AddMinutes(minutes));

    static readonly BinlogExtent[] Log = [File(1, 0), File(2, 10), File(3, 20), File(4, 30, 500, whole: false)];

    [Theory]
    [InlineData("bin.000017", 17)]
    [InlineData("mysql-bin.1234567", 1234567)]
    [InlineData("bin", -1)]
    [InlineData("bin.x", -1)]
    public void A_file_is_numbered_by_its_end(string name, long number) => Assert.Equal(number, BinlogFile.NumberOf(name));

    [Fact]
    public void Names_that_lead_elsewhere_are_none()
    {
        Assert.All((string[])["../bin.000001", "a/bin.000001", ".bin.000001", "bin 1.000001", "bin"], name
            => Assert.False(BinlogFile.IsName(name)));
        Assert.True(BinlogFile.TryParse("my-bin.000001.1763782343", out var file));
        Assert.Equal(("my-bin.000001", 1763782343u, "my-bin.000001.1763782343"), (file.Name, file.CreatedAt, file.ToString()));
    }

    [Fact]
    public void The_files_behind_a_base_backup_follow_each_other_up_to_a_gap()
    {
        var range = BinlogPlanner.RangeOf(Base("a", 2, 300, 15), Log);
        Assert.Equal((3, "bin.000004:500", false), (range.Files.Count, range.End, range.EndsInGap));

        Assert.Equal("bin.000002:1000", BinlogPlanner.RangeOf(Base("a", 2, 300, 15), [Log[0], Log[1], Log[3]]).End);
        Assert.True(BinlogPlanner.RangeOf(Base("a", 2, 300, 15), [Log[1], File(3, 20, gap: true)]).EndsInGap);
        Assert.True(BinlogPlanner.RangeOf(Base("a", 2, 300, 15), [File(2, 10, whole: false), File(3, 20)]).EndsInGap);
        Assert.Empty(BinlogPlanner.RangeOf(Base("a", 2, 1300, 15), Log).Files);      // what it goes on from is not stored so far
        Assert.Empty(BinlogPlanner.RangeOf(new BaseBackupOfServer("a", "", 0, "", Noon), Log).Files);
    }

    [Fact]
    public void After_the_numbers_began_again_a_base_backup_goes_on_in_the_file_that_was_there()
    {
        BinlogExtent[] log = [.. Log, File(1, 40), File(2, 50, 700, whole: false)];

        Assert.Equal(("bin.000004:500", true), (BinlogPlanner.RangeOf(Base("old", 1, 4, 5), log).End,
            BinlogPlanner.RangeOf(Base("old", 1, 4, 5), log).EndsInGap));
        Assert.Equal("bin.000002:700", BinlogPlanner.RangeOf(Base("new", 1, 4, 45), log).End);
    }

    [Fact]
    public void The_unbroken_log_of_a_file_begins_behind_the_last_gap()
    {
        BinlogExtent[] again = [.. Log, File(1, 40), File(2, 50, 700, whole: false)];   // numbered anew
        string? Begin(BinlogExtent of, params BinlogExtent[] known) => BinlogPlanner.BeginOf(of.File, known)?.Name;

        Assert.Equal("bin.000001", Begin(Log[3], Log));
        Assert.Equal("bin.000003", Begin(Log[3], Log[0], File(2, 10, whole: false), Log[2], Log[3]));
        Assert.Equal("bin.000003", Begin(Log[3], Log[0], Log[1], File(3, 20, gap: true), Log[3]));
        Assert.Equal("bin.000004", Begin(Log[3], Log[0], Log[1], Log[3]));
        Assert.Equal(again[4].File, BinlogPlanner.BeginOf(again[5].File, again));
        Assert.Null(Begin(File(5, 60), Log));
    }

    [Fact]
    public void A_moment_is_reached_from_the_last_base_backup_before_it()
    {
        BaseBackupOfServer[] bases = [Base("a", 1, 100, 5, "0-1-10"), Base("b", 3, 200, 25, "0-1-30")];
        string Best(BinlogTarget target) => BinlogPlanner.Candidates(bases, Log, target)[0].Base.Id;

        Assert.Equal(("b", "a", "b"), (Best(BinlogTarget.Latest), Best(BinlogTarget.At(Noon.AddMinutes(24))),
            Best(BinlogTarget.At(Noon.AddMinutes(25)))));
        Assert.Equal(("a", "b", "b", "a"), (Best(BinlogTarget.At("bin.000003", 150)), Best(BinlogTarget.At("bin.000003", 200)),
            Best(BinlogTarget.Of(new Gtid(0, 1, 30))), Best(BinlogTarget.Of(new Gtid(0, 1, 30)) with { IsInclusive = false })));
        Assert.Equal("mariadb.unreachable_target", Assert.Throws<SourceException>(() => Best(BinlogTarget.At(Noon))).Code);
        Assert.Equal("mariadb.unreachable_target", Assert.Throws<SourceException>(() => Best(BinlogTarget.Of(new Gtid(0, 1, 9)))).Code);
        Assert.Equal("mariadb.unreachable_target", Assert.Throws<SourceException>(() => Best(BinlogTarget.At("bin.000004", 501))).Code);
    }

    [Fact]
    public void A_time_stands_for_the_beginning_of_its_second()
        => Assert.Equal(Noon, BinlogTarget.ParseTime("2026-11-21 12:00:00.999+00", "--to-time").Time);

    [Fact]
    public void Log_goes_where_no_base_backup_that_stays_needs_it_or_a_later_snapshot_holds_more()
    {
        BaseBackupOfServer[] bases = [Base("a", 1, 100, 5), Base("b", 3, 200, 25)];
        (string, IReadOnlyList<BinlogExtent>)[] logs =
        [
            ("1", [File(1, 0), File(2, 10, 400, whole: false)]), ("2", [File(2, 10), File(3, 20, 100, whole: false)]),
            ("3", [File(3, 20, 300, whole: false)]), ("4", [File(3, 20), File(4, 30, 500, whole: false)]),
        ];
        string Gone(int last, double? minutes) => string.Concat(MariaDbRetention.Plan(bases, logs, last,
            minutes is { } window ? TimeSpan.FromMinutes(window) : null, Noon.AddMinutes(40)) is var plan
            ? plan.Bases.Select(from => from.Id).Concat(plan.Logs) : []);

        Assert.Equal(("a1" + "23", "3", "3"), (Gone(1, null), Gone(2, null), Gone(1, 20)));
        Assert.Equal("a123", Gone(1, 15));
        Assert.Equal("", string.Concat(MariaDbRetention.Plan([], logs, 1, null, Noon).Logs));
    }
}
