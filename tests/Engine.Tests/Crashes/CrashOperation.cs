using BackupDr.Contracts.Specs;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Upkeep;
using BackupDr.TestKit;
using BackupDr.TestKit.Crashes;

namespace BackupDr.Engine.Tests.Crashes;

/// <summary>Something that a crash may interrupt.</summary>
/// <param name="Name">As the sweep's reports call it.</param>
/// <param name="Run">Does it. A repeated run after a crash must succeed and bring about what was wanted: it asserts so itself.</param>
sealed record CrashOperation(string Name, Func<CrashScene, CrashTrigger, Task> Run)
{
    /// <summary>All that are swept.</summary>
    public static IReadOnlyList<CrashOperation> All { get; } =
    [
        new("backup", Backup),
        new("restore", Restore),
        new("restore-over", RestoreOver),
        new("prune", Prune),
        new("copy", Copy),
    ];

    static Task Backup(CrashScene scene, CrashTrigger trigger) => scene.With(trigger, async repository =>
    {
        var summary = await Prepared.Backup(repository, scene.Source);
        Assert.True(summary.IsComplete);
        await scene.Report(summary.SnapshotId);
    });

    static Task Restore(CrashScene scene, CrashTrigger trigger) => scene.With(trigger, async repository =>
    {
        var snapshot = await repository.FindSnapshot("latest", SnapshotFilter.All, CancellationToken.None);
        var summary = await scene.Restore(repository, snapshot, scene.Target, OverwritePolicy.IfChanged, trigger);
        Assert.Empty(summary.Failed);
        Assert.Empty(CrashScene.Differences(scene.First, scene.Target));
    });

    /// <summary>A restore into a folder where files differ in a few bytes: large ones are mended in place.</summary>
    static Task RestoreOver(CrashScene scene, CrashTrigger trigger)
    {
        if (!Directory.Exists(scene.Target))
        {
            Tool.Succeed("cp", "-a", "--sparse=always", scene.First, scene.Target);
            using var noise = File.OpenWrite(Path.Combine(scene.Target, "noise.bin"));
            foreach (var offset in (long[])[1_000_000, 4_000_000, noise.Length])
            {
                noise.Position = offset;
                noise.Write("of somebody"u8);
            }
        }
        return scene.With(trigger, async repository =>
        {
            var snapshot = await repository.FindSnapshot("latest", SnapshotFilter.All, CancellationToken.None);
            var summary = await scene.Restore(repository, snapshot, scene.Target, OverwritePolicy.Always, trigger);
            Assert.Empty(summary.Failed);
            Assert.Empty(CrashScene.Differences(scene.First, scene.Target));
        });
    }

    static Task Prune(CrashScene scene, CrashTrigger trigger) => scene.With(trigger, async repository =>
    {
        var report = await GarbageCollection.Execute(repository, new PruneRequest { MaximumUnusedPercent = 0 }, null,
            CancellationToken.None);
        Assert.Equal(1, report.Plan.Snapshots);
        // The killed prune's locks are of a dead process: nobody is waited for, and nobody had to unlock.
        Assert.Equal(0, report.WaitingPacks);
        Assert.Empty(report.WaitsFor);
    });

    static Task Copy(CrashScene scene, CrashTrigger trigger) => scene.With(trigger, from => scene.WithOther(trigger, async to =>
    {
        var snapshots = await from.Snapshots(SnapshotFilter.All, CancellationToken.None);
        var reported = new List<CopiedSnapshot>();
        await SnapshotCopy.Execute(from, to, snapshots, reported.Add, CancellationToken.None);

        Assert.Equal(snapshots.Count, reported.Count);
        Assert.Equal(snapshots.Count, (await to.Snapshots(SnapshotFilter.All, CancellationToken.None)).Count);
    }));
}
