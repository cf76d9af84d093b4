namespace BackupDr.Cli.Tests;

public sealed class NodeCommandTests : IDisposable
{
    readonly TestKit.ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(new[] { "node", "list" }, "is given")]
    [InlineData(new[] { "node", "add", "--url", "http://127.0.0.1:1", "--api-key-file", "/nonexistent/key" }, "cannot be read")]
    [InlineData(new[] { "node", "join", "https://127.0.0.1:1" }, "There is no node's token")]
    [InlineData(new[] { "node", "join", "http://127.0.0.1:1" }, "is no address of the agents' listener")]
    [InlineData(new[] { "node", "drain" }, "Required argument")]
    public void What_cannot_be_used_is_refused_in_words(string[] words, string expected)
    {
        var ended = BackupdrProgram.Run(words);

        Assert.Equal(1, ended.ExitCode);
        Assert.Contains(expected, ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_that_is_a_node_already_does_not_use_the_token_up()
    {
        var settings = _scratch.File("settings.json", "{}");
        var token = $"bdn1_{new string('A', 43)}_{new string('0', 64)}";

        var ended = TestKit.Tool.Run(TestKit.PublishedProgram.Path, ["node", "join", "https://127.0.0.1:1", "--settings", settings,
            "--key-file", _scratch.At("key")], new Dictionary<string, string> { ["BACKUPDR_JOIN_TOKEN"] = token });

        Assert.Equal(1, ended.ExitCode);
        Assert.Contains("is a node already", ended.Errors, StringComparison.Ordinal);
        Assert.Equal("{}", File.ReadAllText(settings));
    }
}
