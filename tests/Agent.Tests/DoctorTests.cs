using BackupDr.Agent.Doctor;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>What the doctor makes of what it measured.</summary>
public sealed class DoctorTests
{
    static readonly DateTimeOffset Now = new(2031, 5, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0, Health.Good)]
    [InlineData(-29, Health.Good)]
    [InlineData(31, Health.Remark)]
    [InlineData(-299, Health.Remark)]
    [InlineData(301, Health.Bad)]
    [InlineData(-86_400, Health.Bad)]
    public void A_clock_is_judged_by_how_far_it_is_off(int seconds, Health expected)
        => Check(expected, Verdicts.Clock(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(1, 20, Health.Bad)]   // not begun
    [InlineData(-15, 15, Health.Good)]
    [InlineData(-25, 5, Health.Remark)]
    [InlineData(-31, -1, Health.Bad)]
    public void A_certificate_is_judged_by_its_days(int from, int until, Health expected)
        => Check(expected, Verdicts.Certificate(Now.AddDays(from), Now.AddDays(until), Now));

    [Theory]
    [InlineData(50L << 20, Health.Bad)]
    [InlineData(500L << 20, Health.Remark)]
    [InlineData(5L << 30, Health.Good)]
    public void A_disk_is_judged_by_what_is_free(long free, Health expected) => Check(expected, Verdicts.Disk("/var/lib/x", free));

    [Theory]
    [InlineData("CapEff:\t000001ffffffffff", Health.Good)]
    [InlineData("CapEff:\t0000000000000004", Health.Remark)]   // reads anything, isolates nothing
    [InlineData("CapEff:\t0000000000000000", Health.Remark)]
    [InlineData("Name:\tx", Health.Remark)]
    public void Rights_are_judged_by_capabilities(string line, Health expected)
        => Check(expected, Verdicts.Rights(Checkup.Capabilities(["Uid:\t0", line])));

    [Theory]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.UserWrite, Health.Good)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.GroupRead, Health.Bad)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.OtherWrite, Health.Bad)]
    public void A_key_that_others_can_read_is_bad(UnixFileMode mode, Health expected) => Check(expected, Verdicts.Private("/k", mode));

    [Fact]
    public async Task A_host_that_has_not_joined_is_told_so_and_how_to_join()
    {
        using var scratch = new ScratchFolder();
        var found = new List<Finding>();

        var isWell = await new Checkup(new AgentState(scratch.At("state")), TimeProvider.System).Run(found.Add, default);

        Assert.False(isWell);
        var bad = Assert.Single(found, one => one.Health == Health.Bad);
        Assert.Equal("identity", bad.Check);
        Assert.Contains("backupdr-agent join", bad.Remedy, StringComparison.Ordinal);
    }

    /// <summary>Whoever reads it can do something.</summary>
    static void Check(Health expected, Finding finding)
        => Assert.Equal((expected, expected != Health.Good), (finding.Health, finding.Remedy is not null));
}
