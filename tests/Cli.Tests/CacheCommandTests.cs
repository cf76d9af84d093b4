using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

public sealed class CacheCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    string Run(params IEnumerable<string> arguments)
    {
        var result = BackupdrProgram.Run(new()
        {
            ["BACKUPDR_CACHE_DIR"] = _scratch.At("cache"),
            ["BACKUPDR_PASSWORD"] = BackupdrProgram.Password,
        }, arguments);
        Assert.True(result.ExitCode == 0, result.Errors);
        return result.Output;
    }

    [Fact]
    public void It_lists_what_is_kept_and_removes_only_what_was_not_used_for_long()
    {
        Assert.Contains("0 repositories in ", Run("cache"), StringComparison.Ordinal);
        var repository = _scratch.At("repository");
        _scratch.File("data/a.txt", "a");
        Run("repo", "init", "--repo", repository);
        Run("backup", "--repo", repository, _scratch.At("data"));
        Run("stats", "--repo", repository);
        var id = Path.GetFileName(Assert.Single(Directory.GetDirectories(_scratch.At("cache"))));
        var old = Directory.CreateDirectory(_scratch.At($"cache/{new string('a', 64)}"));
        File.WriteAllText(Path.Combine(old.FullName, "index"), new string('x', 2048));
        old.LastWriteTimeUtc = (TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(40)).UtcDateTime;
        _scratch.File("cache/somebody/note", "not ours");
        Directory.SetLastWriteTimeUtc(_scratch.At("cache/somebody"), old.LastWriteTimeUtc);

        var table = Run("cache");
        using var list = JsonDocument.Parse(Run("cache", "--json"));
        Assert.Contains("Removed 0 cached repositories", Run("cache", "--cleanup", "--max-age", "41"), StringComparison.Ordinal);
        Assert.Contains("Removed 1 cached repository, 2.000 KiB.", Run("cache", "--cleanup"), StringComparison.Ordinal);

        Assert.Contains("2 repositories in ", table, StringComparison.Ordinal);
        Assert.Contains("aaaaaaaa  40 days ago", table, StringComparison.Ordinal);
        Assert.Equal([(id, false), (old.Name, true)], list.RootElement.EnumerateArray()
            .Select(one => (one.GetProperty("repository").GetString()!, one.GetProperty("old").GetBoolean())));
        Assert.Equal([id, "somebody"], Directory.GetDirectories(_scratch.At("cache")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Use_makes_it_young_again()
    {
        var repository = _scratch.At("repository");
        _scratch.File("data/a.txt", "a");
        Run("repo", "init", "--repo", repository);
        Run("backup", "--repo", repository, _scratch.At("data"));
        Run("stats", "--repo", repository);
        var folder = Assert.Single(Directory.GetDirectories(_scratch.At("cache")));
        Directory.SetLastWriteTimeUtc(folder, (TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(40)).UtcDateTime);

        Run("stats", "--repo", repository);

        Assert.Contains("Removed 0 cached repositories", Run("cache", "--cleanup"), StringComparison.Ordinal);
        Assert.True(Directory.Exists(folder));
    }
}
