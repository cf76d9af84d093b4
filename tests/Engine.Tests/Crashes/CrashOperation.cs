using BackupDr.Contracts.Specs;
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
}
