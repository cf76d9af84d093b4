using BackupDr.Contracts.Rules.Placement;

namespace BackupDr.Contracts.Tests.Rules.Placement;

public sealed class MoverPlacementTests
{
    static readonly HostId[] Ids = [.. Enumerable.Range(1, 4).Select(number => new HostId(new Guid(number, 0, 0, new byte[8])))];

    static Mover A(int number, int held = 0, double load = 0, int processors = 1, string? site = null, int silence = 1) => new()
    {
        Host = Ids[number - 1],
        Name = $"m{number}",
        Silence = TimeSpan.FromSeconds(silence),
        Held = held,
        Load = load,
        Processors = processors,
        Site = site,
    };

    static RunId Run(int number) => new(new Guid(number, 7, 7, new byte[8]));

    static Placed Choose(PlacementStrategy strategy, string? site, long turn, params Mover[] movers)
        => MoverPlacement.Choose(strategy, movers, site, Run(1), turn);

    public static TheoryData<string, PlacementStrategy, Mover[], string?, long, int> Table => new()
    {
        { "fewest held", PlacementStrategy.LeastConnections, [A(1, 1), A(2, 0), A(3, 1)], null, 0, 2 },
        { "equal: the first turn", PlacementStrategy.LeastConnections, [A(1), A(2), A(3)], null, 0, 1 },
        { "equal: the next turn", PlacementStrategy.LeastConnections, [A(1), A(2), A(3)], null, 1, 2 },
        { "the order of the question does not matter", PlacementStrategy.LeastConnections, [A(3), A(1), A(2)], null, 1, 2 },
        { "round robin looks at turns only", PlacementStrategy.RoundRobin, [A(1, 1), A(2), A(3)], null, 3, 1 },
        { "round robin leaves out the full one", PlacementStrategy.RoundRobin, [A(1, 2), A(2), A(3)], null, 0, 2 },
        { "the silent one is out", PlacementStrategy.LeastConnections, [A(1, silence: 35), A(2, 1)], null, 0, 2 },
        { "and back with a sign of life", PlacementStrategy.LeastConnections, [A(1, silence: 34), A(2, 1)], null, 0, 1 },
        { "the repository's site first", PlacementStrategy.LeastConnections, [A(1, site: "b"), A(2, 1, site: "a")], "a", 0, 2 },
        { "another site", PlacementStrategy.LeastConnections, [A(1, site: "b"), A(2, silence: 60, site: "a")], "a", 0, 1 },
        { "no site: all alike", PlacementStrategy.LeastConnections, [A(1, 1, site: "b"), A(2, site: "a")], null, 0, 2 },
        { "weighted: idle", PlacementStrategy.Weighted, [A(1, load: 3, processors: 2), A(2, load: 0.5, processors: 2)], null, 0, 2 },
        { "weighted: the bigger one", PlacementStrategy.Weighted, [A(1, processors: 2), A(2, 1, processors: 16)], null, 0, 2 },
        { "weighted: an odd load", PlacementStrategy.Weighted, [A(1, load: -1), A(2, 1, load: -5)], null, 0, 1 },
        { "no processors told", PlacementStrategy.Weighted, [A(1, processors: 0), A(2, 1, processors: 0)], null, 0, 1 },
    };

    [Theory, MemberData(nameof(Table))]
    public void Work_goes_where_the_table_says(string why, PlacementStrategy strategy, Mover[] movers, string? site, long turn,
        int expected)
    {
        var placed = Choose(strategy, site, turn, movers);

        Assert.True(Ids[expected - 1] == placed.Host, why);
        Assert.Null(placed.WaitsFor);
    }

    public static TheoryData<Mover[], string?, string> Waiting => new()
    {
        { [], null, "a host that may do repository work" },
        { [A(1, silence: 60)], null, "m1, which is not online" },
        { [A(1, silence: 60), A(2, silence: 60)], null, "m1 or m2, which are not online" },
        { [A(1, 2)], null, "a free slot on m1" },
        { [A(1, 2), A(2, 3), A(3, 2)], null, "a free slot on one of 3 movers" },
        { [A(1, 2, site: "a"), A(2, site: "b")], "a", "a free slot on m1 at a" },
    };

    [Theory, MemberData(nameof(Waiting))]
    public void What_waits_says_for_what(Mover[] movers, string? site, string words)
    {
        foreach (var strategy in Enum.GetValues<PlacementStrategy>())
            Assert.Equal(new Placed(null, words), Choose(strategy, site, 0, movers));
    }

    [Theory]
    [InlineData(PlacementStrategy.LeastConnections)]
    [InlineData(PlacementStrategy.RoundRobin)]
    [InlineData(PlacementStrategy.Random)]
    [InlineData(PlacementStrategy.Weighted)]
    public void Every_strategy_spreads_over_equal_hosts(PlacementStrategy strategy)
    {
        Mover[] movers = [A(1), A(2), A(3), A(4)];

        var placed = Enumerable.Range(0, 400).Select(turn => MoverPlacement.Choose(strategy, movers, null, Run(turn), turn).Host!.Value);

        Assert.All(placed.CountBy(host => host), host => Assert.InRange(host.Value, 60, 140));
        Assert.Equal(4, placed.Distinct().Count());
    }

    [Fact]
    public void By_chance_one_run_goes_to_one_host_and_a_host_that_goes_moves_only_its_own()
    {
        Mover[] all = [A(1), A(2), A(3)], fewer = [A(1), A(3)];
        Placed Of(Mover[] movers, int run) => MoverPlacement.Choose(PlacementStrategy.Random, movers, null, Run(run), run * 31);

        foreach (var run in Enumerable.Range(0, 200))
        {
            var before = Of(all, run);
            Assert.Equal(before, Of(all, run));
            if (before.Host != Ids[1]) Assert.Equal(before, Of(fewer, run));
        }
    }
}
