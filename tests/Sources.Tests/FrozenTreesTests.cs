using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;
using BackupDr.Sources.Volumes;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

/// <summary>Files that belong together and are written while they are backed up: with a snapshot of their file system they fit.</summary>
public sealed class FrozenTreesTests : IDisposable
{
    const int Files = 300;

    readonly ScratchFolder _scratch = new();
    readonly Mount _disk;
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public FrozenTreesTests() => _disk = Mount.Btrfs(_scratch.At("disk"));

    public void Dispose()
    {
        _disk.Dispose();
        _scratch.Dispose();
    }

    string Data => Path.Combine(_disk.Path, "data");

    async Task<Repository> NewRepository()
    {
        using var password = Secret.FromText("twelve characters");
        return await Repository.Init(StoreFactory.Open(_scratch.At("repository")), password,
            new RepositoryOptions { HostName = "here", UserName = "tester", Workers = 2, Kdf = new KdfCost(1024, 8, 1) }, _ct);
    }

    async Task<(BackupSummary Run, IReadOnlyList<string> Warnings)> Backup(Repository repository, SnapshotUse use, string? path = null,
        bool oneFileSystem = false)
    {
        var selection = new FileSelection { Paths = [FilePath.FromText(path ?? Data)], OneFileSystem = oneFileSystem };
        await using var frozen = await FrozenTrees.Take(selection.Paths, use, oneFileSystem, _ct);
        using var source = FileSource.Open(selection, frozen);
        var run = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, _ct);
        return (run, frozen.Warnings);
    }

    async Task<string> Restored(Repository repository, BackupSummary run, string name)
    {
        var snapshot = await repository.FindSnapshot(run.SnapshotId.ToString(), SnapshotFilter.All, _ct);
        using var target = FileTarget.Open(FilePath.FromText(_scratch.At(name)), OverwritePolicy.Always);
        var done = await RestoreRun.Execute(repository, snapshot, default, [], target, null, _ct);
        Assert.Empty(done.Failed);
        return _scratch.At(name) + Data;
    }

    static string Numbered(string folder, int number) => Path.Combine(folder, number.ToString("000", CultureInfo.InvariantCulture));

    /// <summary>Writes one number after another into all files, always in the same order, until it is told to end.</summary>
    Task Load(CancellationToken stop)
    {
        Directory.CreateDirectory(Data);
        void Round(int value)
        {
            for (var number = 0; number < Files; number++)
                File.WriteAllText(Numbered(Data, number), value.ToString("00000000", CultureInfo.InvariantCulture));
        }
        Round(0);
        return Task.Run(() =>
        {
            for (var value = 1; !stop.IsCancellationRequested; value++) Round(value);
        }, CancellationToken.None);
    }

    [Fact]
    public async Task Files_that_are_written_in_turn_are_of_one_moment()
    {
        using var repository = await NewRepository();
        using var stop = new CancellationTokenSource();
        var load = Load(stop.Token);

        var (run, warnings) = await Backup(repository, SnapshotUse.Required);
        await stop.CancelAsync();
        await load;

        Assert.Empty(warnings);
        Assert.True(run.IsComplete);
        var folder = await Restored(repository, run, "back");
        var values = Enumerable.Range(0, Files).Select(number => File.ReadAllText(Numbered(folder, number)))
            .Where(text => text.Length > 0)   // the one that was just cut to be written anew
            .Select(text => int.Parse(text, CultureInfo.InvariantCulture)).ToList();
        Assert.InRange(values.Count, Files - 1, Files);
        Assert.Equal(values.OrderDescending(), values);
        Assert.InRange(values[0] - values[^1], 0, 1);
    }

    [Fact]
    public async Task What_did_not_change_is_not_read_again_whether_it_was_frozen_or_not()
    {
        using var repository = await NewRepository();
        Directory.CreateDirectory(Data);
        for (var number = 0; number < 20; number++) File.WriteAllText(Numbered(Data, number), $"content {number}");

        await Backup(repository, SnapshotUse.None);
        var (frozen, _) = await Backup(repository, SnapshotUse.Required);
        File.AppendAllText(Numbered(Data, 3), "more");
        var (again, _) = await Backup(repository, SnapshotUse.Required);
        var (live, _) = await Backup(repository, SnapshotUse.None);

        Assert.Equal((20L, 0L), (frozen.FilesUnmodified, frozen.FilesChanged));
        Assert.Equal((19L, 1L), (again.FilesUnmodified, again.FilesChanged));
        Assert.Equal((20L, 0L), (live.FilesUnmodified, live.FilesChanged));
        Assert.Empty(Directory.GetDirectories(_disk.Path, ".backupdr*"));
    }

    [Fact]
    public async Task A_subvolume_and_a_file_system_below_are_taken_too()
    {
        using var repository = await NewRepository();
        Tool.Succeed("btrfs", "subvolume", "create", Data);
        Tool.Succeed("btrfs", "subvolume", "create", $"{Data}/inner");
        File.WriteAllText($"{Data}/inner/file", "of the subvolume");
        using var other = Mount.Memory($"{Data}/memory", "size=1m");
        File.WriteAllText($"{Data}/memory/file", "of the other file system");

        var (run, warnings) = await Backup(repository, SnapshotUse.WhenPossible);
        var (one, _) = await Backup(repository, SnapshotUse.Required, oneFileSystem: true);
        var (strict, _) = await Backup(repository, SnapshotUse.Required);

        var folder = await Restored(repository, run, "back");
        Assert.Equal("of the subvolume", File.ReadAllText($"{folder}/inner/file"));
        Assert.Equal("of the other file system", File.ReadAllText($"{folder}/memory/file"));
        Assert.Contains($"{Data}/memory was read without a snapshot", Assert.Single(warnings), StringComparison.Ordinal);
        folder = await Restored(repository, one, "one");
        Assert.True(one.IsComplete);
        Assert.Empty(Directory.GetFileSystemEntries($"{folder}/inner"));
        Assert.Empty(Directory.GetFileSystemEntries($"{folder}/memory"));
        Assert.Equal($"{Data}/memory", Assert.Single(strict.Missing).Path.ToString());
    }

    [Fact]
    public async Task A_snapshot_of_a_killed_run_is_removed_and_one_in_use_is_not()
    {
        Tool.Succeed("btrfs", "subvolume", "create", Data);
        File.WriteAllText($"{Data}/file", "content");
        Directory.CreateDirectory($"{Data}/.backupdr-snapshot-0123456789abcdef");
        Tool.Succeed("btrfs", "subvolume", "snapshot", "-r", Data, $"{Data}/.backupdr-snapshot-0123456789abcdef/tree");
        Tool.Succeed("btrfs", "subvolume", "snapshot", "-r", Data, $"{Data}/of-somebody-else");
        FilePath[] paths = [FilePath.FromText(Data)];

        var used = await FrozenTrees.Take(paths, SnapshotUse.Required, false, _ct);
        Assert.Single(Directory.GetDirectories(Data, ".backupdr-snapshot-*"));
        Assert.Equal(0, await FrozenTrees.RemoveLeft(_ct));
        await used.DisposeAsync();
        Assert.Empty(Directory.GetDirectories(Data, ".backupdr-snapshot-*"));

        Directory.CreateDirectory($"{Data}/.backupdr-snapshot-0123456789abcdef");
        Tool.Succeed("btrfs", "subvolume", "snapshot", "-r", Data, $"{Data}/.backupdr-snapshot-0123456789abcdef/tree");
        Assert.Equal(1, await FrozenTrees.RemoveLeft(_ct));
        Assert.Equal([$"{Data}/of-somebody-else"], Directory.GetDirectories(Data));
    }

    [Fact]
    public async Task Without_snapshots_a_run_goes_on_and_says_so_or_is_refused()
    {
        using var repository = await NewRepository();
        var plain = _scratch.File("plain/file", "content");

        var (run, warnings) = await Backup(repository, SnapshotUse.WhenPossible, plain);
        var refused = await Assert.ThrowsAsync<SourceException>(() => Backup(repository, SnapshotUse.Required, plain));

        Assert.True(run.IsComplete);
        Assert.Contains("has no snapshots that we can take", Assert.Single(warnings), StringComparison.Ordinal);
        Assert.Equal("snapshot.unavailable", refused.Code);
        Assert.Empty((await Backup(repository, SnapshotUse.None, plain)).Warnings);
    }
}
