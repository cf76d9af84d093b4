using BackupDr.Contracts;

namespace BackupDr.Agent.Tests;

public sealed class NodeAddressTests
{
    const string Joined = "https://balancer:8421/", One = "https://node1:8421/", Two = "https://node2:8421/", Three = "https://node3:8421/";

    static Membership Fresh() => new(HostId.New(TimeProvider.System), "web-1", [Joined]);

    [Fact]
    public void What_nodes_tell_comes_first_and_what_joining_used_stays_as_the_last_resort()
    {
        var told = Fresh().With(["https://node1:8421", "https://node2:8421"], "a");

        Assert.Equal([One, Two, Joined], told.Urls);
        Assert.Equal((2, "a"), (told.Told, told.Mark));
    }

    [Fact]
    public void A_later_list_replaces_the_earlier_one_and_nothing_else()
    {
        var told = Fresh().With(["https://node1:8421", "https://node2:8421"], "a").With(["https://node2:8421", "https://node3:8421"], "b");

        Assert.Equal([Two, Three, Joined], told.Urls);
        Assert.Equal((2, "b"), (told.Told, told.Mark));
    }

    [Fact]
    public void An_address_that_joining_used_and_a_node_tells_stands_once()
        => Assert.Equal([Joined, One], Fresh().With(["https://balancer:8421", "https://node1:8421"], "a").Urls);

    [Theory]
    [InlineData("http://node1:8421")]
    [InlineData("node1")]
    [InlineData("")]
    public void What_is_no_https_address_is_left_out(string bad)
        => Assert.Equal([One, Joined], Fresh().With([bad, "https://node1:8421"], "a").Urls);

    [Fact]
    public void A_fleet_spreads_over_the_nodes_that_were_told_and_no_agent_prefers_the_last_resort()
    {
        var preferred = Enumerable.Range(0, 300).Select(_ => NodeConnection.Preferred(Fresh().With([One, Two, Three], "a"))).ToList();

        Assert.Equal([0u, 1u, 2u], preferred.Distinct().Order());
        Assert.All(preferred.CountBy(node => node), node => Assert.InRange(node.Value, 60, 140));
        Assert.Equal(0u, NodeConnection.Preferred(Fresh()));
    }

    [Fact]
    public void The_same_agent_prefers_the_same_node_after_each_start()
    {
        var membership = Fresh().With([One, Two, Three], "a");

        Assert.Equal(NodeConnection.Preferred(membership), NodeConnection.Preferred(membership with { HostName = "renamed" }));
    }
}
