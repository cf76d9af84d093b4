using BackupDr.Contracts;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

public sealed class JoiningTests : IDisposable
{
    static readonly string Token = $"bdr1_{new string('A', 43)}_{new string('0', 64)}";
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    Task<HostId> Join(string url, string token)
        => Joining.Join(url, token, new AgentState(_scratch.At("state")), null, mover: false, labels: null, CancellationToken.None);

    [Theory]
    [InlineData("http://127.0.0.1:1", "is no address of the agents' listener")]
    [InlineData("scheduler", "is no address of the agents' listener")]
    public async Task An_address_that_is_none_is_refused(string url, string words)
        => Assert.Contains(words, (await Assert.ThrowsAsync<BadInputException>(() => Join(url, Token))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("bdr1_half")]
    [InlineData("bdr2_AAAA_0000000000000000000000000000000000000000000000000000000000000000")]
    public async Task A_token_that_is_none_is_refused_before_anybody_is_called(string token)
    {
        var refused = await Assert.ThrowsAsync<BadInputException>(() => Join("https://127.0.0.1:1", token));

        Assert.Equal("token", refused.Field);
        Assert.Contains("console", refused.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_is_not_there_leaves_no_identity_behind()
    {
        var away = await Assert.ThrowsAsync<UnavailableException>(() => Join("https://127.0.0.1:1", Token));   // port 1: nobody listens

        Assert.Contains("https://127.0.0.1:1", away.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(new AgentState(_scratch.At("state")).MembershipFile));
    }

    [Fact]
    public async Task A_host_that_has_joined_does_not_join_again()
    {
        _scratch.File("state/agent.json", "{}");

        var refused = await Assert.ThrowsAsync<BadInputException>(() => Join("https://127.0.0.1:1", Token));

        Assert.Contains("has joined already", refused.Message, StringComparison.Ordinal);
    }
}
