using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.Files;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Sources.Tests;

/// <summary>The unmodified restic program and we read, check, restore and continue each other's repositories.</summary>
public sealed class ResticOracleTests : IDisposable
{
    const string Password = "örakel pässword 1";
    static readonly CancellationToken None = CancellationToken.None;
    static readonly FsDiffOptions WithoutHoles = new() { CompareHoles = false };   // restic 0.14 has no sparse restore

    readonly ScratchFolder _scratch = new();
    readonly ResticCli _restic;
    readonly FilePath _source;

    public ResticOracleTests()
    {
        _restic = new ResticCli(_scratch.At("repository"), Password, _scratch.At("cache"));
        _source = FilePath.FromText(_scratch.Folder("source"));
    }

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public async Task What_we_wrote_restic_finds_whole_and_restores_exactly(int seed)
    {
        OddTree.Make(_source, seed, forStockRestic: true);
        using var repository = await Init();

        var summary = await Backup(repository);

        Assert.Empty(summary.Missing);
        _restic.Check();
        _restic.Succeed("restore", summary.SnapshotId.ToString(), "--target", _scratch.At("restored"));
        Assert.Empty(FsDiff.Compare(_source, Restored(), WithoutHoles));
    }

    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    public async Task What_restic_wrote_we_find_whole_and_restore_exactly(int seed)
    {
        OddTree.Make(_source, seed, forStockRestic: true);
        _restic.Succeed("init");
        var id = _restic.Backup(_source.ToString());
        using var repository = await Open();

        var check = await RepositoryCheck.Execute(repository, readData: true, null, None);
        var summary = await Restore(repository, id);

        Assert.Empty(check.Errors);
        Assert.Empty(summary.Failed);
        Assert.Empty(FsDiff.Compare(_source, Restored()));
    }

    [Fact]
    public async Task Everything_comes_back_exactly_from_our_own_repository()
    {
        OddTree.Make(_source, seed: 31);
        using var repository = await Init();
        var backup = await Backup(repository);

        var summary = await Restore(repository, backup.SnapshotId.ToString());

        Assert.Empty(backup.Missing);
        Assert.Empty(summary.Failed);
        Assert.Empty(FsDiff.Compare(_source, Restored()));
    }

    [Fact]
    public async Task Both_programs_give_one_folder_the_same_tree()
    {
        OddTree.Make(_source, seed: 41, forStockRestic: true);
        Tool.Succeed("rm", "-r", _source + "/attributes");   // restic 0.14 writes attributes in the kernel's order, we by name
        Tool.Succeed("find", _source.ToString(), "-size", "+1024b", "-delete");   // above 512 KiB we cut files at other places
        using var repository = await Init();
        var ours = await Backup(repository);
        var theirs = _restic.Backup(_source.ToString());

        var browser = await TreeBrowser.Open(repository, None);
        var ourTree = (await browser.Find(await Find(repository, ours.SnapshotId.ToString()), _source, None))!.Subtree;
        var theirTree = (await browser.Find(await Find(repository, theirs), _source, None))!.Subtree;

        Assert.Equal(theirTree, ourTree);
    }

    [Fact]
    public async Task A_second_backup_of_what_did_not_change_reads_no_file_and_stores_no_data()
    {
        OddTree.Make(_source, seed: 51);
        using var repository = await Init();
        var first = await Backup(repository);

        var second = await Backup(repository);

        Assert.Equal(first.SnapshotId, second.ParentId);
        Assert.Equal((0, 0, first.Files), (second.FilesNew, second.FilesChanged, second.FilesUnmodified));
        // Folders above the source, such as /tmp, may have changed: their trees at most.
        Assert.InRange(second.BlobsNew, 0, _source.Parts().Count);
    }

    [Fact]
    public async Task The_programs_continue_each_others_chain_of_snapshots()
    {
        _scratch.File("source/a", new string('a', 100_000));
        using var repository = await Init();
        for (var round = 0; round < 3; round++)
        {
            _scratch.File($"source/ours-{round}", $"ours {round}");
            await Backup(repository);
            _scratch.File($"source/theirs-{round}", $"theirs {round}");
            _restic.Backup("--host", "oracle", _source.ToString());
        }

        var snapshots = _restic.Snapshots();

        Assert.Equal(6, snapshots.Count);
        Assert.Equal(snapshots.Take(5).Select(s => s.GetProperty("id").GetString()),
            snapshots.Skip(1).Select(s => s.GetProperty("parent").GetString()));
        Assert.All(snapshots, s => Assert.Equal(_source.ToString(), Assert.Single(s.GetProperty("paths").EnumerateArray()).GetString()));
        _restic.Check();
        await Restore(repository, "latest");
        Assert.Empty(FsDiff.Compare(_source, Restored()));
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_makes_the_run_incomplete_and_the_rest_is_there()
    {
        _scratch.File("source/fine", "fine");
        using var repository = await Init();
        // The kernel answers a read of its first page with EIO, for root too.
        using var source = FileSource.Open(new FilesSpec { Paths = [_source, FilePath.FromText("/proc/self/mem")] });

        var summary = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "oracle" }, null, None);

        Assert.False(summary.IsComplete);
        var missing = Assert.Single(summary.Missing);
        Assert.Equal("/proc/self/mem", missing.Path.ToString());
        Assert.Contains("Input/output error", missing.Message, StringComparison.Ordinal);
        await Restore(repository, summary.SnapshotId.ToString());
        Assert.Empty(FsDiff.Compare(_source, Restored()));
        _restic.Check();
    }

    [Fact]
    public async Task Several_targets_share_the_folders_above_them()
    {
        _scratch.File("source/x/one", "1");
        _scratch.File("source/y/two", "2");
        _scratch.File("source/z/three", "3");
        using var repository = await Init();
        using var source = FileSource.Open(new FilesSpec
        {
            Paths = [FilePath.FromText(_scratch.At("source/x")), FilePath.FromText(_scratch.At("source/y/two")),
                FilePath.FromText(_scratch.At("source/x/one"))],
        });

        var summary = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "oracle" }, null, None);

        Assert.Empty(summary.Missing);
        var listed = _restic.Succeed("ls", summary.SnapshotId.ToString()).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line.StartsWith(_source + "/", StringComparison.Ordinal))
            .Select(line => line[(_source.ToString().Length + 1)..]);
        Assert.Equal(["x", "x/one", "y", "y/two"], listed);
    }

    async Task<Repository> Init()
    {
        using var password = Secret.FromText(Password);
        return await Repository.Init(StoreFactory.Open(_scratch.At("repository")), password, new RepositoryOptions(), None);
    }

    async Task<Repository> Open()
    {
        using var password = Secret.FromText(Password);
        return await Repository.Open(StoreFactory.Open(_scratch.At("repository")), password, new RepositoryOptions(), None);
    }

    async Task<BackupSummary> Backup(Repository repository)
    {
        using var source = FileSource.Open(new FilesSpec { Paths = [_source] });
        return await BackupRun.Execute(repository, source, new BackupRequest { HostName = "oracle" }, null, None);
    }

    static Task<Snapshot> Find(Repository repository, string id) => repository.FindSnapshot(id, SnapshotFilter.All, None);

    async Task<RestoreSummary> Restore(Repository repository, string id)
    {
        using var target = FileTarget.Open(FilePath.FromText(_scratch.At("restored")), OverwritePolicy.Never);
        return await RestoreRun.Execute(repository, await Find(repository, id), default, [], target, null, None);
    }

    FilePath Restored() => FilePath.FromText(_scratch.At("restored") + _source);
}
