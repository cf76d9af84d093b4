using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.Files;
using BackupDr.Storage.Folder;
using BackupDr.TestKit;
using BackupDr.TestKit.Crashes;
using BackupDr.TestKit.Trees;

namespace BackupDr.Engine.Tests.Crashes;

/// <summary>What the operations of a sweep work on: a changed tree, the tree as it was before, and a repository with a snapshot of the
/// latter. One scene's folders are shared by all points of a sweep; the repository and the target are each point's own.</summary>
/// <param name="Root">The shared folders.</param>
/// <param name="Own">What a point has for itself.</param>
/// <param name="Disk">The folder of the repository.</param>
sealed record CrashScene(string Root, string Own, string Disk)
{
    static readonly CancellationToken None = CancellationToken.None;

    /// <summary>The tree as it is now; no operation changes it.</summary>
    public string Source => Path.Combine(Root, "source");
    /// <summary>The tree as the first snapshot has it.</summary>
    public string First => Path.Combine(Root, "first");
    public string Repository => Path.Combine(Disk, "repository");
    /// <summary>A second repository, which a copy goes to.</summary>
    public string Other => Path.Combine(Disk, "other");
    public string Target => Path.Combine(Own, "target");
    /// <summary>Where an operation writes down the snapshots that it reported as complete.</summary>
    public string Reported => Path.Combine(Own, "reported");
    /// <summary>Where an operation that was not interrupted writes down the crash points on its way.</summary>
    public string Passed => Path.Combine(Own, "passed");

    /// <summary>Small packs, so that there are several; no wait for other lock holders.</summary>
    static RepositoryOptions Options
        => Prepared.Options with { PackSizeBytes = 1 << 20, Clock = new HurriedTime(DateTimeOffset.UtcNow) };

    static FolderStore Store(string folder) => new(FilePath.FromText(folder), TimeProvider.System);

    /// <summary>Makes the trees and the repository.</summary>
    public static async Task<CrashScene> Make(ScratchFolder scratch, int seed)
    {
        var scene = new CrashScene(scratch.Path, scratch.Folder("template"), scratch.At("template"));
        OddTree.Make(FilePath.FromText(scratch.Folder("source/odd")), seed, forStockRestic: true);
        Prepared.Folder(scratch, seed);
        await using (var store = Store(scene.Other)) (await Prepared.Init(store, Options)).Dispose();
        await using (var store = Store(scene.Repository))
        using (var repository = await Prepared.Init(store, Options))
        {
            // A snapshot that is forgotten leaves a prune something to remove and something to rewrite.
            File.WriteAllBytes(scratch.At("source/forgotten.bin"), Prepared.Noise(3 << 20, seed + 2_000));
            var forgotten = await Prepared.Backup(repository, scene.Source);
            File.Delete(scratch.At("source/forgotten.bin"));
            await scene.Report((await Prepared.Backup(repository, scene.Source)).SnapshotId);
            Assert.Equal(1, await Forget.Remove(repository, [forgotten.SnapshotId], None));
        }
        Tool.Succeed("cp", "-a", "--sparse=always", scene.Source, scene.First);
        scratch.File("source/words.txt", "other words");
        File.WriteAllBytes(scratch.At("source/more.bin"), Prepared.Noise(4 << 20, seed + 1_000));
        File.Delete(scratch.At("source/empty"));
        return scene;
    }

    /// <summary>The same scene with a repository of its own.</summary>
    public CrashScene Copy(string own)
    {
        Tool.Succeed("cp", "-a", Own, own);
        return this with { Own = own, Disk = own };
    }

    /// <summary>The same scene with its repository on another disk.</summary>
    public CrashScene Copy(string own, Mount disk)
    {
        var copy = Copy(own);
        Tool.Succeed("cp", "-a", copy.Repository, disk.Path);
        Tool.Succeed("sync", "-f", disk.Path);
        return copy with { Disk = disk.Path };
    }

    /// <summary>Opens the repository for some work; a trigger may end the process at any step of it.</summary>
    public Task With(CrashTrigger trigger, Func<Repository, Task> work) => With(Repository, trigger, work);

    /// <summary>The same for the repository that a copy goes to.</summary>
    public Task WithOther(CrashTrigger trigger, Func<Repository, Task> work) => With(Other, trigger, work);

    static async Task With(string folder, CrashTrigger trigger, Func<Repository, Task> work)
    {
        await using var store = Store(folder);
        using var repository = await Prepared.Open(trigger.Over(store), Options);
        await work(repository);
    }

    /// <summary>Writes down what was reported as complete.</summary>
    public Task Report(BlobId snapshot) => File.AppendAllLinesAsync(Reported, [snapshot.ToString()], None);

    /// <summary>What the repository must be at any instant: every byte of it is right, every snapshot that was reported is there, and
    /// each that is there restores identical.</summary>
    public async Task Prove(bool alsoByStock)
    {
        await With(new CrashTrigger(null), async repository =>
        {
            var snapshots = await repository.Snapshots(SnapshotFilter.All, None);
            var reported = await File.ReadAllLinesAsync(Reported, None);
            Assert.All(reported, id => Assert.Contains(snapshots, snapshot => snapshot.Id.ToString() == id));
            await Prove(repository, snapshots, snapshot => snapshot.Id.ToString() == reported[0] ? First : Source);
        });
        if (alsoByStock) ProveByStock(Repository);
        if (!Directory.Exists(Other)) return;   // not on a disk of its own
        await WithOther(new CrashTrigger(null), async repository =>
            await Prove(repository, await repository.Snapshots(SnapshotFilter.All, None), _ => First));
        if (alsoByStock) ProveByStock(Other);
    }

    async Task Prove(Repository repository, IReadOnlyList<Snapshot> snapshots, Func<Snapshot, string> expected)
    {
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, None)).Errors);
        foreach (var snapshot in snapshots)
        {
            var proof = Path.Combine(Own, "proof");
            var summary = await Restore(repository, snapshot, proof, OverwritePolicy.Never, new CrashTrigger(null));
            Assert.Empty(summary.Failed);
            Assert.Empty(Differences(expected(snapshot), proof));
            Tool.Succeed("rm", "-rf", proof);
        }
    }

    void ProveByStock(string repository) => new ResticCli(repository, Prepared.PasswordText, Path.Combine(Root, "cache"))
        .Succeed("check", "--read-data", "--no-lock");

    /// <summary>Restores the source's folder of a snapshot straight into a folder.</summary>
    public async Task<RestoreSummary> Restore(Repository repository, Snapshot snapshot, string into, OverwritePolicy policy,
        CrashTrigger trigger)
    {
        using var target = new CrashingTarget(FileTarget.Open(FilePath.FromText(into), policy, durable: false), trigger);
        return await RestoreRun.Execute(repository, snapshot, FilePath.FromText(Source), [], target, null, None);
    }

    /// <summary>How two trees differ. A root's own metadata is not restored with what lies in it.</summary>
    public static IReadOnlyList<string> Differences(string expected, string actual)
        => FsDiff.Compare(FilePath.FromText(expected), FilePath.FromText(actual), new FsDiffOptions { CompareRoots = false });
}
