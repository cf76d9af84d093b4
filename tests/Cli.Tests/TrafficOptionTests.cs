using System.Text.Json;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.Cli.Tests;

/// <summary>What stores are asked is limited and told on the command line.</summary>
public sealed class TrafficOptionTests(S3Server s3) : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void What_the_store_was_asked_is_told_at_the_end_in_words_and_as_JSON()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/note", "words");

        var words = BackupdrProgram.Run("backup", "--repo", repository, "--store-stats", _scratch.At("data"));
        var json = BackupdrProgram.Run("snapshots", "--repo", repository, "--store-stats", "--json");

        Assert.Equal((0, 0), (words.ExitCode, json.ExitCode));
        Assert.Contains($"{repository}: 0 retries\n  put ", words.Errors, StringComparison.Ordinal);
        using var line = JsonDocument.Parse(json.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);
        Assert.Equal("store_stats", line.RootElement.GetProperty("message_type").GetString());
        Assert.True(line.RootElement.GetProperty("read").GetProperty("bytes").GetInt64() > 0);
        Assert.False(line.RootElement.TryGetProperty("put", out _));   // whoever only looks writes nothing
    }

    [Fact]
    public async Task A_limit_that_is_too_small_is_refused_and_one_that_is_not_changes_nothing_but_the_time()
    {
        var url = (await s3.NewBucket("p")).ToString();
        var keys = S3Server.Keys;
        keys["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        _scratch.File("data/note", "words");

        var refused = BackupdrProgram.Run(keys, ["repo", "init", "--repo", url, "--limit-upload", "15"]);
        var made = BackupdrProgram.Run(keys, ["repo", "init", "--repo", url, "--limit-upload", "4096"]);
        var taken = BackupdrProgram.Run(keys,
            ["backup", "--repo", url, "--limit-upload", "4096", "--limit-download", "4096", _scratch.At("data")]);
        var read = BackupdrProgram.Run(keys, ["check", "--read-data", "--repo", url]);

        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("--limit-upload 15 is too little.", refused.Errors, StringComparison.Ordinal);
        Assert.All([made, taken, read], result => Assert.True(result.ExitCode == 0, result.Output + result.Errors));
    }
}
