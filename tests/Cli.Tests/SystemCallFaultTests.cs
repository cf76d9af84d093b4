using BackupDr.Contracts;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Cli.Tests;

/// <summary>Backups whose system calls fail: strace makes them.</summary>
/// <remarks>A full disk ends a backup at once; an input/output error that passes is tried again on a new file.</remarks>
public sealed class SystemCallFaultTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <param name="call">The call that fails.</param>
    /// <param name="folder">The folder of the repository whose calls fail; empty for all of them.</param>
    /// <param name="error">How it fails.</param>
    /// <param name="when">Which of the calls of each thread fails, as strace writes it.</param>
    [Theory]
    [InlineData("pwrite64", "", "ENOSPC", "1+")]
    [InlineData("pwrite64", "", "ENOSPC", "2")]
    [InlineData("fsync", "", "ENOSPC", "3")]
    [InlineData("fsync", "index", "ENOSPC", "1")]
    [InlineData("fsync", "snapshots", "EDQUOT", "1")]
    [InlineData("renameat2", "locks", "ENOSPC", "1")]
    [InlineData("renameat2", "index", "ENOSPC", "1")]
    [InlineData("renameat2", "snapshots", "EDQUOT", "1")]
    [InlineData("mkdirat", "data", "ENOSPC", "1")]
    public void On_a_full_disk_a_backup_says_so_and_leaves_a_whole_repository(string call, string folder, string error, string when)
    {
        var faulty = BackupWith(call, folder, error, when);

        Assert.Equal(1, faulty.ExitCode);
        Assert.Contains(error == "ENOSPC" ? "No space left on device" : "quota", faulty.Errors, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(_scratch.At("repository"), faulty.Errors);
        AssertWholeAndGoingOn();
    }

    /// <inheritdoc cref="On_a_full_disk_a_backup_says_so_and_leaves_a_whole_repository"/>
    [Theory]
    [InlineData("pwrite64", "", "EIO", "2")]
    [InlineData("fsync", "", "EIO", "2")]
    [InlineData("fsync", "index", "EIO", "1")]
    [InlineData("renameat2", "snapshots", "EIO", "1")]
    public void An_error_that_passes_is_tried_again_and_the_backup_is_whole(string call, string folder, string error, string when)
    {
        var faulty = BackupWith(call, folder, error, when);

        Assert.True(faulty.ExitCode == 0, faulty.Errors);
        AssertSame();
        AssertWholeAndGoingOn();
    }

    ToolResult BackupWith(string call, string folder, string error, string when)
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("source/words", string.Concat(Enumerable.Repeat("some words ", 20_000)));
        Backup();
        var noise = new byte[6 << 20];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(_scratch.At("source/noise"), noise);
        var place = folder.Length == 0 ? (IEnumerable<string>)[] : ["-P", Path.Combine(repository, folder)];

        var faulty = BackupdrProgram.RunTraced(_scratch.At("trace"),
            [.. place, "-e", $"trace={call}", "-e", $"inject={call}:error={error}:when={when}"],
            "backup", "--repo", repository, _scratch.At("source"));

        Assert.Contains("(INJECTED)", File.ReadAllText(_scratch.At("trace")));
        return faulty;
    }

    void AssertWholeAndGoingOn()
    {
        BackupdrProgram.Succeed("check", "--read-data", "--repo", _scratch.At("repository"));
        new ResticCli(_scratch.At("repository"), BackupdrProgram.Password, _scratch.At("cache"))
            .Succeed("check", "--read-data", "--no-lock");
        _scratch.File("source/later", "after the fault");
        Backup();
        AssertSame();
    }

    void Backup() => BackupdrProgram.Succeed("backup", "--repo", _scratch.At("repository"), _scratch.At("source"));

    void AssertSame()
    {
        var target = _scratch.At("target");
        BackupdrProgram.Succeed("restore", $"latest:{_scratch.At("source")}", "--repo", _scratch.At("repository"), "--target", target);
        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("source")), FilePath.FromText(target),
            new FsDiffOptions { CompareRoots = false }));
        Directory.Delete(target, recursive: true);
    }
}
