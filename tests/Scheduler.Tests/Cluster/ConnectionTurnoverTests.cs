using BackupDr.Scheduler.Cluster;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Cluster;

public sealed class ConnectionTurnoverTests
{
    static readonly Guid One = new("00000000-0000-0000-0000-000000000001"), Two = new("00000000-0000-0000-0000-000000000002"),
        Three = new("00000000-0000-0000-0000-000000000003");
    static readonly TimeSpan Beat = TimeSpan.FromSeconds(2);

    readonly SteppedTime _clock = new();
    readonly ConnectionTurnover _turnover;

    public ConnectionTurnoverTests() => _turnover = new ConnectionTurnover(_clock);

    void Look(int agents, params Guid[] serving)
    {
        _clock.Advance(Beat);
        _turnover.Know(serving, agents);
    }

    int Ended(int connections, long openedAt)
        => Enumerable.Range(0, connections).Count(number => _turnover.Ends($"connection {number}", openedAt));

    [Fact]
    public void When_a_node_comes_every_connection_from_before_ends_within_the_time_and_none_that_is_newer()
    {
        Look(0, One);
        var before = _clock.GetTimestamp();
        Look(0, One, Two);
        var after = _clock.GetTimestamp();

        Assert.InRange(Ended(1_000, before), 0, 20);
        _clock.Advance(ConnectionTurnover.Shortest / 2);
        Assert.InRange(Ended(1_000, before), 400, 600);   // 500 on average; 100 are six standard deviations
        _clock.Advance(ConnectionTurnover.Shortest / 2);
        Assert.Equal(1_000, Ended(1_000, before));
        Assert.Equal(0, Ended(1_000, after));
    }

    [Fact]
    public void A_large_fleet_takes_longer_so_that_few_connect_at_once()
    {
        Look(5_000, One);
        var before = _clock.GetTimestamp();
        Look(5_000, One, Two);

        _clock.Advance(TimeSpan.FromSeconds(50));   // half of 10,000 connections, 100 in a second
        Assert.InRange(Ended(10_000, before), 4_700, 5_300);
        _clock.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(10_000, Ended(10_000, before));
    }

    [Fact]
    public void Nothing_ends_at_the_first_look_nor_when_a_node_goes_nor_for_those_who_were_silent_with_the_database()
    {
        var before = _clock.GetTimestamp();
        Look(0, One, Two);
        Look(0, One);   // the second one went
        _clock.Advance(ConnectionTurnover.Shortest);
        Assert.Equal(0, Ended(100, before));

        Look(0, One);
        Look(0, One, Three);   // and the third one came, which begins a turn
        var turned = _clock.GetTimestamp();
        _clock.Advance(TimeSpan.FromMinutes(1));   // the database is away; when it is back this node beats first
        _turnover.Know([One], 0);
        Look(0, One, Three);

        _clock.Advance(ConnectionTurnover.Shortest);
        Assert.Equal((100, 0), (Ended(100, before), Ended(100, turned)));
    }
}
