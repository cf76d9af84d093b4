using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Cli.Tests;

public sealed class ReplicateCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly string _repository;

    public ReplicateCommandTests()
    {
        _repository = BackupdrProgram.NewRepository(_scratch);
        var noise = new byte[3 << 20];
        new Random(3).NextBytes(noise);
        Directory.CreateDirectory(_scratch.At("data"));
        File.WriteAllBytes(_scratch.At("data/noise"), noise);
        Backup(_repository);
    }

    public void Dispose() => _scratch.Dispose();

    string Replica => _scratch.At("replica");

    void Backup(string repository, params IEnumerable<string> more)
        => BackupdrProgram.Succeed(["backup", "--repo", repository, "--quiet", "--chunker", "fastcdc", _scratch.At("data"), .. more]);

    string Replicate(params IEnumerable<string> more)
        => BackupdrProgram.Succeed(["replicate", "--repo", _repository, "--to", Replica, .. more]);

    void StockCheck(string repository) => new ResticCli(repository, BackupdrProgram.Password, _scratch.At("cache")).Check();

    static string Largest(string repository)
        => Directory.GetFiles(Path.Combine(repository, "data"), "*", SearchOption.AllDirectories).MaxBy(path => new FileInfo(path).Length)!;

    static void Damage(string path)
    {
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 16;
        File.WriteAllBytes(path, bytes);
    }

    [Fact]
    public void Both_places_are_repositories_that_stock_restic_checks_clean_whichever_is_written()
    {
        var dry = Replicate("--dry-run");
        Assert.False(Directory.Exists(Path.Combine(Replica, "data")));
        var said = Replicate();
        StockCheck(Replica);
        File.WriteAllText(_scratch.At("data/second"), "in the first place");
        Backup(_repository);
        File.WriteAllText(_scratch.At("data/third"), "in the second place");
        Backup(Replica);
        using var lines = JsonDocument.Parse($"[{string.Join(',', Replicate("--json").Trim().Split('\n'))}]");

        Assert.Contains("has no repository", dry, StringComparison.Ordinal);
        Assert.Contains("was empty", said, StringComparison.Ordinal);
        Assert.All(lines.RootElement.EnumerateArray(), line =>
        {
            Assert.Equal(3, line.GetProperty("snapshots").GetInt32());
            Assert.True(line.GetProperty("objects").GetInt32() >= 3);
        });
        foreach (var place in (string[])[_repository, Replica]) StockCheck(place);
    }

    [Fact]
    public void A_restore_takes_what_is_damaged_from_the_replica_puts_it_right_and_says_so()
    {
        Replicate();
        Damage(Largest(_repository));
        Assert.Equal(3, BackupdrProgram.Run("restore", "latest", "--repo", _repository, "--target", _scratch.At("alone")).ExitCode);

        var done = BackupdrProgram.Run("restore", "latest", "--repo", _repository, "--replica", Replica, "--target", _scratch.At("back"));

        Assert.True(done.ExitCode == 0, done.Errors);
        Assert.Contains($"came from {Replica}", done.Errors, StringComparison.Ordinal);
        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("data")), FilePath.FromText(_scratch.At("back") + _scratch.At("data"))));
        StockCheck(_repository);
    }

    [Fact]
    public void A_first_place_that_is_gone_or_empty_does_not_stop_a_restore_and_is_filled_again()
    {
        Replicate();
        Directory.Delete(_repository, recursive: true);

        var done = BackupdrProgram.Run("restore", "latest", "--repo", _repository, "--replica", Replica, "--target", _scratch.At("back"));
        var refused = BackupdrProgram.Run("replicate", "--repo", _repository, "--to", Replica);
        var refilled = Replicate("--refill");

        Assert.True(done.ExitCode == 0, done.Errors);
        Assert.Equal(10, refused.ExitCode);
        Assert.Contains("--refill", refused.Errors, StringComparison.Ordinal);
        Assert.Contains($"{_repository} was not used", done.Errors, StringComparison.Ordinal);
        Assert.Contains($"{_repository}: was empty", refilled, StringComparison.Ordinal);
        StockCheck(_repository);
    }

    [Fact]
    public void Every_place_is_named_once_and_holds_the_same_repository()
    {
        var twice = BackupdrProgram.Run("replicate", "--repo", _repository, "--to", _repository);
        BackupdrProgram.Succeed("repo", "init", "--repo", _scratch.At("other"));
        var other = BackupdrProgram.Run("replicate", "--repo", _repository, "--to", _scratch.At("other"));

        Assert.Equal((1, 1), (twice.ExitCode, other.ExitCode));
        Assert.Contains("given twice", twice.Errors, StringComparison.Ordinal);
        Assert.Contains("another repository", other.Errors, StringComparison.Ordinal);
    }
}
