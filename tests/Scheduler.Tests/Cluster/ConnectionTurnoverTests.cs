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

    void Look(params (Guid Node, int Agents)[] serving)
    {
        _clock.Advance(Beat);
        _turnover.Know([.. serving.Select(node => new ServingNode(node.Node, node.Agents))]);
    }

    void LookFor(TimeSpan time, params (Guid Node, int Agents)[] serving)
    {
        for (var over = TimeSpan.Zero; over < time; over += Beat) Look(serving);
    }

    int Ended(int connections, long openedAt)
        => Enumerable.Range(0, connections).Count(number => _turnover.Ends($"connection {number}", openedAt));

    [Fact]
    public void When_a_node_comes_all_connections_from_before_the_balancer_knew_it_end_within_the_time_and_none_that_is_newer()
    {
        Look((One, 20));
        var before = _clock.GetTimestamp();
        Look((One, 20), (Two, 0));
        var whileUnknown = _clock.GetTimestamp();
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0, Ended(1_000, before));
        LookFor(ConnectionTurnover.UntilTrusted, (One, 20), (Two, 0));
        var after = _clock.GetTimestamp();

        Assert.InRange(Ended(1_000, before), 0, 20);
        _clock.Advance(ConnectionTurnover.Shortest / 2);
        Assert.InRange(Ended(1_000, before), 400, 600);   // 500 on average; 100 are six standard deviations
        _clock.Advance(ConnectionTurnover.Shortest / 2);
        Assert.Equal((1_000, 1_000, 0), (Ended(1_000, before), Ended(1_000, whileUnknown), Ended(1_000, after)));
    }

    [Fact]
    public void A_large_fleet_takes_longer_so_that_few_connect_at_once()
    {
        Look((One, 5_000));
        var before = _clock.GetTimestamp();
        Look((One, 5_000), (Two, 0));
        LookFor(ConnectionTurnover.UntilTrusted, (One, 5_000), (Two, 0));

        _clock.Advance(TimeSpan.FromSeconds(50));   // half of 10,000 connections, 100 in a second
        Assert.InRange(Ended(10_000, before), 4_700, 5_300);
        _clock.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(10_000, Ended(10_000, before));
    }

    [Theory]
    [InlineData(0, ConnectionTurnover.MostTurns)]   // the balancer is slow, or no agent can reach it
    [InlineData(4, ConnectionTurnover.MostTurns)]
    [InlineData(5, 1)]
    [InlineData(9, 1)]
    public void Connections_end_once_more_where_the_node_that_came_has_less_than_half_of_its_share_and_then_no_more(int has, int turns)
    {
        (Guid, int)[] serving = [(One, 20 - has), (Two, has)];
        Look((One, 20));
        Look((One, 20), (Two, 0));
        var (seen, last) = (0, _clock.GetTimestamp());
        for (var look = 0; look < 100; look++)
        {
            var before = _clock.GetTimestamp();
            Look(serving);
            // A turn that began with the look before has what was open then, and nothing that was opened since.
            if (Ended(1_000, last) > 0 && Ended(1_000, before) == 0) seen++;
            last = before;
        }
        Assert.Equal(turns, seen);
    }

    [Fact]
    public void Nothing_ends_at_the_first_look_nor_when_a_node_goes_nor_for_those_who_were_silent_with_the_database()
    {
        var before = _clock.GetTimestamp();
        Look((One, 1), (Two, 1));
        Look((One, 1));   // the second one went
        LookFor(TimeSpan.FromMinutes(1), (One, 1));
        Assert.Equal(0, Ended(100, before));

        Look((One, 1), (Three, 0));   // and the third one came, which begins a turn
        LookFor(TimeSpan.FromMinutes(1), (One, 1), (Three, 1));
        Assert.Equal(100, Ended(100, before));
        var turned = _clock.GetTimestamp();
        _clock.Advance(TimeSpan.FromMinutes(1));   // the database is away; when it is back this node beats first
        Look((One, 1));
        LookFor(TimeSpan.FromMinutes(1), (One, 1), (Three, 1));

        Assert.Equal(0, Ended(100, turned));
    }

    [Fact]
    public void A_node_that_goes_before_its_turn_disturbs_nobody()
    {
        Look((One, 20));
        var before = _clock.GetTimestamp();
        Look((One, 20), (Two, 0));
        LookFor(TimeSpan.FromMinutes(2), (One, 20));

        Assert.Equal(0, Ended(100, before));
    }
}
