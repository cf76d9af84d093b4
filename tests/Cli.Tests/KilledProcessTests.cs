using System.Diagnostics;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>What a program that was killed while it held a lock leaves to the next one, ours or stock restic.</summary>
public sealed class KilledProcessTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    ResticCli Restic(string repository) => new(repository, BackupdrProgram.Password, _scratch.At("cache"));

    /// <summary>A repository with something to prune.</summary>
    string Repository()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        for (var at = 0; at < 2; at++)
        {
            var noise = new byte[300_000];
            new Random(at).NextBytes(noise);
            File.WriteAllBytes(_scratch.At("data.bin"), noise);
            BackupdrProgram.Succeed("backup", "--repo", repository, "--quiet", _scratch.At("data.bin"));
        }
        BackupdrProgram.Succeed("forget", "--repo", repository, "--quiet", "--keep-last", "1");
        return repository;
    }

    /// <summary>A program of ours at work in the repository, which goes on until it is killed.</summary>
    static Process AtWork(string repository, IReadOnlyList<string> command, params IReadOnlyList<string> under)
        => AtWork(repository, command, () => Locks(repository) > 0, under);

    static Process AtWork(string repository, IReadOnlyList<string> command, Func<bool> isAtWork, params IReadOnlyList<string> under)
    {
        var all = new List<string>([.. under, PublishedProgram.Path, .. command, "--repo", repository]);
        var started = Process.Start(new ProcessStartInfo(all[0], all[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["BACKUPDR_PASSWORD"] = BackupdrProgram.Password },
        })!;
        var begun = TimeProvider.System.GetTimestamp();
        while (!isAtWork())
            Assert.True(!started.HasExited && TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(60), "it is not at work");
        return started;
    }

    static int Locks(string repository)
        => new DirectoryInfo(Path.Combine(repository, "locks")) is { Exists: true } folder
            ? folder.GetFiles().Count(file => file.Name.Length == 64 && file.Length > 0) : 0;

    static readonly string[] Prune = ["prune", "--max-unused", "0", "--keep-delete", "1h", "--wait"];

    static void Kill(Process process)
    {
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
    }

    [Fact]
    public void The_snapshot_of_a_file_system_that_a_killed_backup_left_is_removed_by_the_next()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        using var tree = Mount.Btrfs(_scratch.At("tree"));
        var noise = new byte[32 << 20];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(Path.Combine(tree.Path, "noise"), noise);
        string[] command = ["backup", "--fs-snapshot", "required", tree.Path];
        string[] Snapshots() => Directory.GetDirectories(tree.Path, ".backupdr-snapshot-*");

        using (var killed = AtWork(repository, command, () => Snapshots().Any(room => Directory.Exists(Path.Combine(room, "tree")))))
            Kill(killed);
        Assert.Single(Snapshots());

        BackupdrProgram.Succeed([.. command, "--repo", repository, "--quiet"]);

        Assert.Empty(Snapshots());
        Assert.Equal("", Tool.Succeed("btrfs", "subvolume", "list", tree.Path));
        Restic(repository).Check();
    }

    [Fact, Clause("F-9.5")]
    public void After_a_killed_prune_the_next_one_succeeds_without_unlock()
    {
        var repository = Repository();
        using (var killed = AtWork(repository, Prune)) Kill(killed);
        Assert.Equal(1, Locks(repository));

        var next = BackupdrProgram.Run("prune", "--repo", repository, "--max-unused", "0");

        Assert.True(next.ExitCode == 0, next.Errors);
        Assert.Contains("Removed the lock that ", next.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("Waiting for", next.Output, StringComparison.Ordinal);
        Assert.Equal(0, Locks(repository));
        Restic(repository).Check();
    }

    [Fact, Clause("F-9.5")]
    public void A_living_prune_keeps_the_next_one_out()
    {
        var repository = Repository();
        using var living = AtWork(repository, Prune);

        var refused = BackupdrProgram.Run("prune", "--repo", repository, "--max-unused", "0");

        Assert.Equal(11, refused.ExitCode);
        Assert.Equal(1, Locks(repository));
        Kill(living);
    }

    [Fact, Clause("F-9.5")]
    public void The_lock_of_another_pid_namespace_stays_until_somebody_removes_it()
    {
        Tool.Need("unshare", "util-linux");
        var repository = Repository();
        using (var killed = AtWork(repository, Prune, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")) Kill(killed);

        var refused = BackupdrProgram.Run("prune", "--repo", repository, "--max-unused", "0");
        Assert.Equal(11, refused.ExitCode);
        Assert.Contains("Removed 0 locks", BackupdrProgram.Succeed("unlock", "--repo", repository), StringComparison.Ordinal);
        Assert.Equal(1, Locks(repository));

        Assert.Contains("Removed 1 lock.", BackupdrProgram.Succeed("unlock", "--repo", repository, "--remove-all"),
            StringComparison.Ordinal);
        BackupdrProgram.Succeed("prune", "--repo", repository, "--max-unused", "0");
    }

    [Fact, Clause("F-9.5")]
    public void Stock_restic_reads_our_locks_heeds_them_and_removes_them_when_they_are_stale()
    {
        var repository = Repository();
        var restic = Restic(repository);
        using var living = AtWork(repository, Prune);

        var id = restic.Succeed("list", "locks", "--no-lock").Trim();
        Assert.Contains("\"pid\": " + living.Id, restic.Succeed("cat", "lock", id, "--no-lock"), StringComparison.Ordinal);
        restic.Succeed("backup", _scratch.At("data.bin"));
        var refused = restic.Run("prune");
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains($"PID {living.Id}", refused.Output + refused.Errors, StringComparison.Ordinal);
        restic.Succeed("unlock");
        Assert.Equal(1, Locks(repository));
        Kill(living);

        restic.Succeed("unlock");
        Assert.Equal(0, Locks(repository));
        restic.Succeed("prune", "--max-unused", "0");
        restic.Check();
    }
}
