using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

public sealed class RepairCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>A repository of one snapshot and a replica of its files.</summary>
    (string Repository, string Replica) WithReplica()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        var noise = new byte[3 << 20];
        new Random(3).NextBytes(noise);
        Directory.CreateDirectory(_scratch.At("data"));
        File.WriteAllBytes(_scratch.At("data/noise"), noise);
        BackupdrProgram.Succeed("backup", "--repo", repository, "--quiet", "--chunker", "fastcdc", _scratch.At("data"));
        Tool.Succeed("cp", "-a", repository, _scratch.At("replica"));
        return (repository, _scratch.At("replica"));
    }

    static string One(string repository, string folder)
        => Directory.GetFiles(Path.Combine(repository, folder), "*", SearchOption.AllDirectories).MaxBy(path => new FileInfo(path).Length)!;

    static void Damage(string path)
    {
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 16;
        File.WriteAllBytes(path, bytes);
    }

    void AssertWhole(string repository)
    {
        new ResticCli(repository, BackupdrProgram.Password, _scratch.At("cache")).Check();
        BackupdrProgram.Succeed("check", "--read-data", "--repo", repository);
    }

    [Fact]
    public void Objects_come_back_from_a_replica_also_where_the_repository_does_not_open_any_more()
    {
        var (repository, replica) = WithReplica();
        foreach (var folder in (string[])["keys", "snapshots", "index", "data"]) Damage(One(repository, folder));
        Damage(Path.Combine(repository, "config"));
        Assert.NotEqual(0, BackupdrProgram.Run("check", "--repo", repository).ExitCode);

        var said = BackupdrProgram.Succeed("repair", "objects", "--from", replica, "--repo", repository);

        Assert.Contains("5 objects came back from the replica.", said, StringComparison.Ordinal);
        AssertWhole(repository);
        Assert.Contains("0 objects came back", BackupdrProgram.Succeed("repair", "objects", "--from", replica, "--repo", repository),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Packs_come_back_from_a_replica_and_an_index_from_the_packs()
    {
        var (repository, replica) = WithReplica();
        Damage(One(repository, "data"));
        Damage(One(repository, "index"));

        var index = BackupdrProgram.Run("repair", "index", "--repo", repository);
        var packs = BackupdrProgram.Succeed("repair", "packs", "--from", replica, "--repo", repository);

        Assert.Contains("1 index file was replaced", index.Output, StringComparison.Ordinal);
        Assert.Contains("1 pack came back from the replica; what reads of 0 was saved; 0 blobs are lost.", packs, StringComparison.Ordinal);
        AssertWhole(repository);
    }

    [Fact]
    public void Without_a_replica_losses_are_listed_and_a_snapshot_gets_a_copy_that_reads()
    {
        var (repository, _) = WithReplica();
        Damage(One(repository, "data"));

        var packs = BackupdrProgram.Run("repair", "packs", "--repo", repository);
        var snapshots = BackupdrProgram.Succeed("repair", "snapshots", "--forget", "--repo", repository);

        Assert.Equal(1, packs.ExitCode);
        Assert.Contains("lost: pack ", packs.Output, StringComparison.Ordinal);
        Assert.Contains("1 blob is lost.", packs.Output, StringComparison.Ordinal);
        Assert.Contains("/noise: 1 of ", snapshots, StringComparison.Ordinal);
        Assert.Contains("1 snapshot was repaired.", snapshots, StringComparison.Ordinal);
        AssertWhole(repository);
        Assert.Contains("repaired", BackupdrProgram.Succeed("snapshots", "--repo", repository), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fastcdc")]
    [InlineData("rabin")]
    [InlineData("fixed")]
    [InlineData("fixed:16K")]
    [InlineData("auto")]
    public void A_way_to_cut_is_taken_and_stock_restic_restores_what_it_cut(string chunker)
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        var noise = new byte[2 << 20];
        new Random(4).NextBytes(noise);
        Directory.CreateDirectory(_scratch.At("data"));
        File.WriteAllBytes(_scratch.At("data/noise"), noise);

        BackupdrProgram.Succeed("backup", "--repo", repository, "--chunker", chunker, _scratch.At("data"));

        var restic = new ResticCli(repository, BackupdrProgram.Password, _scratch.At("cache"));
        restic.Check();
        restic.Succeed("restore", "latest", "--target", _scratch.At("out"));
        Assert.Equal(noise, File.ReadAllBytes(_scratch.At("out") + _scratch.At("data/noise")));
        var blobs = BackupdrProgram.Succeed("list", "blobs", "--repo", repository).Split('\n')
            .Count(line => line.StartsWith("data", StringComparison.Ordinal));
        if (chunker.StartsWith("fixed", StringComparison.Ordinal)) Assert.Equal(chunker == "fixed" ? 32 : 128, blobs);
        else Assert.InRange(blobs, 1, 4);
    }
}
