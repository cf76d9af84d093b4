using BackupDr.TestKit;

namespace BackupDr.Engine.Tests.Crashes;

/// <summary>Backups to a disk whose power is cut: what was only in memory is gone, the file system's log included.</summary>
public sealed class PowerCutTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact, Clause("F-8.1")]
    public async Task A_power_cut_takes_no_snapshot_that_was_reported_and_the_next_backup_succeeds()
    {
        using var disk = Mount.Ext4(_scratch.At("disk"), sizeMb: 96);
        var backup = CrashOperation.All.Single(operation => operation.Name == "backup");
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var template = await CrashScene.Make(_scratch, seed);
        var points = (await CrashProcess.Passed(backup, template.Copy(_scratch.At("uninterrupted"))))
            .Where(point => point.Step.StartsWith("put ", StringComparison.Ordinal)).ToList();
        var cuts = 0;

        for (var i = 0; cuts < Nightly.Or(6, 100); i++)
        {
            Assert.True(i < Nightly.Or(12, 200), $"seed {seed}: the power was cut only {cuts} times in {i} backups");
            var point = points[random.Next(points.Count)];
            var scene = template.Copy(_scratch.At($"own-{i}"), disk);
            if (CrashProcess.Run(backup, scene, point.ToString(), cutAfterMicroseconds: random.Next(10_000))) cuts++;
            disk.Again();
            try
            {
                await scene.Prove(alsoByStock: true);
                await backup.Run(scene, new(null));
                await scene.Prove(alsoByStock: false);
            }
            catch (Exception e) { throw new InvalidOperationException($"Seed {seed}, power cut soon after {point}", e); }
            Tool.Succeed("rm", "-rf", scene.Own, scene.Repository);
        }
    }
}
