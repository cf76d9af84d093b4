using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Web.Verification;

namespace BackupDr.Web.Tests;

public sealed class ReadBackTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    static RepositorySummary Repository(long stored, RollingCheck? check) => new()
    {
        Id = RepositoryId.New(TimeProvider.System),
        Host = HostId.New(TimeProvider.System),
        HostName = "web-1",
        Location = LocationId.New(TimeProvider.System),
        LocationName = "nearby",
        Url = "/srv/backups/web-1",
        State = RepositoryState.Ready,
        StoredBytes = stored,
        Check = check,
    };

    static RollingCheck Whole(int daysAgo) => new()
    {
        Position = 0.1,
        LastRoundBeganAt = Now.AddDays(-daysAgo),
        LastRoundEndedAt = Now.AddDays(-1),
        DueAt = Now.AddHours(3),
    };

    [Fact]
    public void Bytes_count_and_not_repositories_and_a_whole_round_counts_as_all()
    {
        var read = ReadBack.Of([Repository(3_000, Whole(29)), Repository(1_000, new RollingCheck { Position = 0.5 })], Now);

        Assert.Equal(0.875, read.Share!.Value, 6);
        Assert.Null(read.LongestUnread);   // half of the second was never read
    }

    [Fact]
    public void The_longest_unread_is_that_of_the_repository_whose_round_before_began_first()
        => Assert.Equal(Now.AddDays(-29), ReadBack.Of([Repository(1, Whole(3)), Repository(9, Whole(29))], Now).LongestUnread);

    [Fact]
    public void What_is_not_read_back_is_counted_apart()
    {
        var read = ReadBack.Of([Repository(0, null), Repository(7, null)], Now);

        Assert.Equal((0, 2, null, null), (read.Checked, read.Left, read.Share, read.LongestUnread));
    }

    [Fact]
    public void Damage_and_checks_that_did_not_begin_in_time_are_counted()
    {
        var damaged = Whole(9) with { Damage = new CheckResult { Errors = ["pack: gone"] } };
        var read = ReadBack.Of([Repository(1, damaged), Repository(1, Whole(9) with { DueAt = Now.AddMinutes(-50) }),
            Repository(1, Whole(9) with { DueAt = Now.AddMinutes(-70) }), Repository(1, Whole(9) with { DueAt = null })], Now);

        Assert.Equal((1, 1), (read.Damaged, read.Late));
    }
}
