using BackupDr.Scheduler.Cluster;

namespace BackupDr.Scheduler.Secrets;

/// <summary>Takes an exchange of the sealing key further, on every node that has loops.</summary>
public sealed class SealingRotationLoop(SealingRotation rotation, NodeLoops loops) : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => loops.Every(LookEvery, async ct =>
    {
        await rotation.Run(ct);
        return 1;
    }, stoppingToken);
}
