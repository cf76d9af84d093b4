using System.Text.Json;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.Cli.Tests;

/// <summary>What forget, prune and check say of a repository in a bucket with object lock.</summary>
public sealed class ObjectLockCommandTests(S3Server server) : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    ToolResult Run(string url, params IEnumerable<string> arguments)
    {
        var environment = S3Server.Keys;
        environment["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        environment["BACKUPDR_CACHE_DIR"] = _scratch.At("cache");
        return BackupdrProgram.Run(environment, [.. arguments, "--repo", url, "-o", "s3.retention-days=2"]);
    }

    string Succeed(string url, params IEnumerable<string> arguments)
    {
        var all = arguments.ToList();
        var result = Run(url, all);
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', all)} ended with {result.ExitCode}: {result.Output}{result.Errors}");
        return result.Output;
    }

    static string Day(int days) => TimeProvider.System.GetUtcNow().AddDays(days).ToString("yyyy-MM-dd", null);

    async Task<string> WithTwoSnapshots()
    {
        var url = (await server.NewLockedBucket()).ToString();
        Succeed(url, "repo", "init");
        for (var seed = 1; seed <= 2; seed++)
        {
            var noise = new byte[3 << 20];
            new Random(seed).NextBytes(noise);
            File.WriteAllBytes(_scratch.At("noise"), noise);
            Succeed(url, "backup", _scratch.At("noise"));
        }
        return url;
    }

    [Fact]
    public async Task Forget_and_prune_say_until_when_the_store_keeps_what_was_removed()
    {
        var url = await WithTwoSnapshots();

        var forgotten = Succeed(url, "forget", "--keep-last", "1");
        var dry = Succeed(url, "prune", "--dry-run");
        var pruned = Succeed(url, "prune");
        var again = Succeed(url, "prune", "--json");

        Assert.Contains("1 of them is locked until ", forgotten, StringComparison.Ordinal);
        Assert.Contains("kept by the store until then", forgotten, StringComparison.Ordinal);
        foreach (var told in (string[])[dry, pruned])
        {
            Assert.Contains("that nothing needs are locked: space returns with a prune from ", told, StringComparison.Ordinal);
            // A retention that ends on the second day is surely over on the third; midnight may pass while this runs.
            Assert.True(told.Contains(Day(3), StringComparison.Ordinal) || told.Contains(Day(2), StringComparison.Ordinal), told);
        }
        Assert.Contains("Gave back 0 B in 0 packs.", pruned, StringComparison.Ordinal);
        Assert.Contains("Extended the retention of ", pruned, StringComparison.Ordinal);
        using var summary = JsonDocument.Parse(again);
        var json = summary.RootElement;
        Assert.Equal(0, json.GetProperty("removed_packs").GetInt32());
        Assert.Equal(0, json.GetProperty("extended_locks").GetInt32());
        Assert.True(json.GetProperty("locked_bytes").GetInt64() > 3 << 20);
        Assert.True(json.GetProperty("locked_objects").GetInt32() >= 2);
        Assert.InRange(json.GetProperty("locked_last").GetDateTimeOffset(), TimeProvider.System.GetUtcNow().AddDays(1.9),
            TimeProvider.System.GetUtcNow().AddDays(2));
        Assert.Contains("no errors were found", Succeed(url, "check", "--read-data"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_retention_is_refused_where_it_would_have_no_meaning()
    {
        var bucket = Run((await server.NewBucket("p")).ToString(), "repo", "init");
        var folder = Run(_scratch.At("folder"), "repo", "init");

        Assert.Equal((1, 1), (bucket.ExitCode, folder.ExitCode));
        Assert.Contains("s3.retention-days asks for object lock", bucket.Errors, StringComparison.Ordinal);
        Assert.Contains("s3.retention-days has no meaning for", folder.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_scratch.At("folder")));
    }
}
