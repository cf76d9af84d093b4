using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Hosts;

public sealed class InstallerTests(SchedulerDatabases databases)
{
    static readonly byte[] Archive = RandomNumberGenerator.GetBytes(5000);

    async Task<TestNode> NodeWithArchive()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("bdr-archive-").FullName, "agent.tar.gz");
        await File.WriteAllBytesAsync(file, Archive);
        return await TestNode.Start(databases, settings => settings with { Agents = settings.Agents with { Archive = file } });
    }

    [Fact]
    public async Task The_line_of_Add_host_pins_the_key_that_the_listener_shows()
    {
        await using var node = await NodeWithArchive();
        var token = await node.NewToken();

        var right = await Curl(token.Command);
        var wrong = await Curl(token.Command.Replace("sha256//", "sha256//AAAA", StringComparison.Ordinal));

        Assert.StartsWith("#!/", right.Output, StringComparison.Ordinal);
        Assert.Equal(0, right.ExitCode);
        Assert.NotEqual(0, wrong.ExitCode);
        Assert.Empty(wrong.Output);
    }

    [Fact]
    public async Task The_script_carries_address_pin_hash_and_token_and_its_fetching_shows()
    {
        await using var node = await NodeWithArchive();
        var token = await node.NewToken();

        var script = await node.AgentClient().GetStringAsync($"/install.sh?token={token.Token}");

        Assert.Contains(token.Token, script, StringComparison.Ordinal);
        Assert.Contains(token.AgentsUrl, script, StringComparison.Ordinal);
        Assert.Contains(node.Get<CertificateAuthority>().ListenerPin, script, StringComparison.Ordinal);
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(Archive)), script, StringComparison.Ordinal);
        Assert.DoesNotContain("{{", script, StringComparison.Ordinal);
        var progress = await node.Get<ShowJoinToken>().Handle(TestNode.Admin, new ShowJoinTokenRequest(token.Id), default);
        Assert.NotNull(progress.ScriptFetchedAt);
        Assert.Null(progress.ArchiveFetchedAt);
    }

    [Fact]
    public async Task The_archive_is_served_as_it_is_and_its_fetching_shows()
    {
        await using var node = await NodeWithArchive();
        var token = await node.NewToken();

        var bytes = await node.AgentClient().GetByteArrayAsync($"/agent.tar.gz?token={token.Token}");

        Assert.Equal(Archive, bytes);
        Assert.NotNull((await node.Get<ShowJoinToken>().Handle(TestNode.Admin, new ShowJoinTokenRequest(token.Id), default))
            .ArchiveFetchedAt);
    }

    [Theory]
    [InlineData("bdr1_unknown")]
    [InlineData("$(touch /tmp/never)")]
    [InlineData("")]
    public async Task A_token_that_does_not_work_gives_a_script_that_says_so_and_fails(string token)
    {
        await using var node = await NodeWithArchive();

        var response = await node.AgentClient().GetAsync($"/install.sh?token={Uri.EscapeDataString(token)}");

        var script = await response.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);   // an error status would leave the shell with nothing to say
        Assert.EndsWith("exit 1\n", script, StringComparison.Ordinal);
        Assert.DoesNotContain("$(", script, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_used_token_installs_nothing()
    {
        await using var node = await NodeWithArchive();
        var token = await node.NewToken();
        await node.Db.Execute("update join_token set used_at = clock()", [], default);

        var script = await node.AgentClient().GetStringAsync($"/install.sh?token={token.Token}");

        Assert.Contains("was used already", script, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_without_the_archive_says_how_to_build_it()
    {
        await using var node = await TestNode.Start(databases, settings =>
            settings with { Agents = settings.Agents with { Archive = "/nowhere/agent.tar.gz" } });
        var token = await node.NewToken();

        var script = await node.AgentClient().GetStringAsync($"/install.sh?token={token.Token}");

        Assert.Contains("/nowhere/agent.tar.gz is not there", script, StringComparison.Ordinal);
        Assert.EndsWith("exit 1\n", script, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://a.example'; rm -rf /; '")]
    [InlineData("http://backup.example.com")]
    [InlineData("https://backup.example.com/path")]
    [InlineData("https://user@backup.example.com")]
    [InlineData("not a url")]
    public async Task An_address_that_could_not_stand_in_a_shell_line_is_refused(string url)
    {
        await using var node = await TestNode.Start(databases);

        var e = await Assert.ThrowsAsync<Contracts.BadInputException>(()
            => node.Get<CreateJoinToken>().Handle(TestNode.Admin, new CreateJoinTokenRequest(url), default));

        Assert.Equal("agentsUrl", e.Field);
    }

    /// <summary>Runs the line up to the pipe.</summary>
    static async Task<(int ExitCode, string Output)> Curl(string command)
    {
        if (!File.Exists("/usr/bin/curl")) Assert.Skip("needs the package curl");
        var line = command[..command.IndexOf('|', StringComparison.Ordinal)];
        using var shell = Process.Start(new ProcessStartInfo("sh", ["-c", line])
        {
            RedirectStandardOutput = true,
            RedirectStandardError =
            true
        })!;
        var output = await shell.StandardOutput.ReadToEndAsync();
        await shell.WaitForExitAsync();
        return (shell.ExitCode, output);
    }
}
