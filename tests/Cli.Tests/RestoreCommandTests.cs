using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

public sealed class RestoreCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly string _repository;

    public RestoreCommandTests()
    {
        _repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/a.conf", "a");
        _scratch.File("data/deep/B.CONF", "b");
        _scratch.File("data/deep/c.txt", "c");
        BackupdrProgram.Succeed("backup", "--repo", _repository, _scratch.At("data"));
    }

    public void Dispose() => _scratch.Dispose();

    string Restore(params IEnumerable<string> more) => BackupdrProgram.Succeed(
        ["restore", $"latest:{_scratch.At("data")}", "--repo", _repository, "--target", _scratch.At("out"), .. more]);

    IEnumerable<string> Restored() => Directory.EnumerateFileSystemEntries(_scratch.At("out"), "*", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(_scratch.At("out"), path)).Order(StringComparer.Ordinal);

    [Fact]
    public void A_dry_run_tells_what_a_restore_would_do_and_makes_nothing()
    {
        var words = Restore("--dry-run", "--verbose");

        Assert.Contains("Would restore 3 files", words, StringComparison.Ordinal);
        Assert.Contains("restored  /deep/B.CONF", words, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_scratch.At("out")));
    }

    [Fact]
    public void Patterns_choose_what_is_restored()
    {
        Restore("--iinclude", "*.conf", "--exclude", "a.*");

        Assert.Equal(["deep", "deep/B.CONF"], Restored());
    }

    [Fact]
    public void A_second_restore_writes_what_differs_and_verifies_it()
    {
        Restore();
        _scratch.File("out/a.conf", "of somebody");
        File.Delete(_scratch.At("out/deep/c.txt"));

        var lines = Restore("--verify", "--json", "--verbose").Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(["a.conf", "deep", "deep/B.CONF", "deep/c.txt"], Restored());
        Assert.Equal("a", File.ReadAllText(_scratch.At("out/a.conf")));
        using var summary = JsonDocument.Parse(lines[^1]);
        int Number(string name) => summary.RootElement.GetProperty(name).GetInt32();
        Assert.Equal((2, 1, 2), (Number("files_restored"), Number("files_unchanged"), Number("files_verified")));
        var actions = lines[..^1].Select(line => JsonDocument.Parse(line).RootElement)
            .ToDictionary(entry => entry.GetProperty("item").GetString()!, entry => entry.GetProperty("action").GetString());
        Assert.Equal("replaced", actions["/a.conf"]);
        Assert.Equal("unchanged", actions["/deep/B.CONF"]);
        Assert.Equal("restored", actions["/deep/c.txt"]);
    }
}
