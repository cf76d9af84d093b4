using BackupDr.Scheduler.Cluster;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Exports the control plane, on every node that has loops; the table decides whose turn it is. A turn that was stopped begins
/// anew: an entry comes after its parts.</summary>
public sealed class ControlPlaneLoop(WriteExport export, NodeLoops loops) : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => loops.Every(LookEvery, async ct =>
    {
        await export.Run(ct);
        return 1;
    }, stoppingToken);
}
