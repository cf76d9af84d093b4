namespace BackupDr.Agent.Tests;

/// <summary>A host that joined under another address of the node than most has to reach its gateway there too.</summary>
public sealed class GatewayWayTests
{
    const string Gateway = "rest:https://backup.example.org:8421/gateway/repo_1/";

    [Theory]
    [InlineData("https://10.0.0.1:8421/", "rest:https://10.0.0.1:8421/gateway/repo_1/")]
    [InlineData("https://10.0.0.1:9000/ https://10.0.0.2:8421/", "rest:https://10.0.0.1:9000/gateway/repo_1/")]
    [InlineData("https://10.0.0.1:8421/ https://backup.example.org:8421/", Gateway)]
    [InlineData("https://BACKUP.example.org:8421", Gateway)]
    [InlineData("", Gateway)]
    public void It_is_asked_for_under_an_address_that_the_host_joined_under(string nodes, string expected)
        => Assert.Equal(expected, AgentStores.OnOurWay(Gateway, nodes.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
}
