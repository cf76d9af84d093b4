using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

public sealed class UpkeepCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    string Repository(int snapshots)
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        for (var at = 0; at < snapshots; at++)
        {
            var noise = new byte[300_000];
            new Random(at).NextBytes(noise);
            File.WriteAllBytes(_scratch.At("data.bin"), noise);
            BackupdrProgram.Succeed("backup", "--repo", repository, "--quiet", _scratch.At("data.bin"));
        }
        return repository;
    }

    ResticCli Restic(string repository) => new(repository, BackupdrProgram.Password, _scratch.At("cache"));

    [Fact]
    public void Forget_with_prune_keeps_what_the_rules_keep_and_gives_the_rest_back()
    {
        var repository = Repository(3);

        var dry = BackupdrProgram.Succeed("forget", "--repo", repository, "--keep-last", "1", "--dry-run");
        Assert.Contains("Would remove 2 snapshots", dry, StringComparison.Ordinal);
        Assert.Equal(3, Restic(repository).Snapshots().Count);
        var before = BackupdrProgram.Files(repository);
        var floor = BackupdrProgram.Succeed("forget", "--repo", repository, "--keep-last", "1", "--keep-at-least", "3", "--json");
        using (var plan = JsonDocument.Parse(floor))
            Assert.Equal(3, Assert.Single(plan.RootElement.EnumerateArray()).GetProperty("keep").GetArrayLength());
        Assert.Equal(before, BackupdrProgram.Files(repository));

        BackupdrProgram.Succeed("forget", "--repo", repository, "--keep-last", "1", "--prune", "--max-unused", "0");

        Assert.Single(Restic(repository).Snapshots());
        Assert.True(BackupdrProgram.Files(repository).Count < before.Count);
        Restic(repository).Check();
        var nothing = BackupdrProgram.Succeed("prune", "--repo", repository, "--dry-run");
        Assert.Contains("Would give back 0 B", nothing, StringComparison.Ordinal);
        Assert.Contains("to free 0 B; 0 B stays unused", BackupdrProgram.Succeed("prune", "--repo", repository), StringComparison.Ordinal);
        Restic(repository).Succeed("prune", "--max-unused", "0");
    }

    [Fact]
    public void Named_snapshots_go_and_without_rules_none_do()
    {
        var repository = Repository(2);
        var first = Restic(repository).Snapshots()[0].GetProperty("id").GetString()!;

        Assert.Contains("No rule was given", BackupdrProgram.Succeed("forget", "--repo", repository), StringComparison.Ordinal);
        Assert.Equal(2, Restic(repository).Snapshots().Count);
        BackupdrProgram.Succeed("forget", "--repo", repository, first[..12]);

        Assert.DoesNotContain(Restic(repository).Snapshots(), snapshot => snapshot.GetProperty("id").GetString() == first);
    }

    [Fact]
    public void Unlock_removes_the_locks_of_the_dead_and_with_remove_all_every_one()
    {
        var repository = Repository(1);
        // A backup that is killed while it holds its lock leaves it behind.
        var locks = Directory.CreateDirectory(Path.Combine(repository, "locks")).FullName;
        using var sleeper = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("restic",
            ["-r", repository, "backup", "--stdin"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["RESTIC_PASSWORD"] = BackupdrProgram.Password, ["RESTIC_CACHE_DIR"] = _scratch.At("cache") },
        })!;
        var begun = TimeProvider.System.GetTimestamp();
        while (Directory.GetFiles(locks).Length == 0)
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(60), "restic took no lock");
        Assert.Contains("Removed 0 locks", BackupdrProgram.Succeed("unlock", "--repo", repository), StringComparison.Ordinal);
        sleeper.Kill();
        sleeper.WaitForExit();

        Assert.Contains("Removed 1 lock.", BackupdrProgram.Succeed("unlock", "--repo", repository), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(locks));
    }

    [Theory]
    [InlineData("prune", "--max-unused", "half")]
    [InlineData("prune", "--max-unused", "100%")]
    [InlineData("prune", "--max-repack-size", "-1")]
    [InlineData("prune", "--keep-delete", "5")]
    [InlineData("forget", "--keep-daily", "some")]
    [InlineData("forget", "--keep-last", "-2")]
    [InlineData("forget", "--group-by", "size")]
    [InlineData("forget", "--keep-within", "3w")]
    public void A_value_that_cannot_be_used_is_named_and_nothing_is_touched(string verb, string option, string value)
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        var before = BackupdrProgram.Files(repository);

        var refused = BackupdrProgram.Run(verb, "--repo", repository, $"{option}={value}");

        Assert.Equal(1, refused.ExitCode);
        Assert.Contains(value.TrimStart('-'), refused.Errors, StringComparison.Ordinal);
        Assert.Equal(before, BackupdrProgram.Files(repository));
    }
}
