using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler;

/// <summary>What must be right before a port is opened.</summary>
public sealed class NodeStartUp(Migrator migrator, SealedSecrets secrets, CertificateAuthority authority, EvidenceKey evidence,
    RecoveryKey recovery, TermFence fence, BootstrapKey bootstrap) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await migrator.Run(cancellationToken);
        await secrets.Load(cancellationToken);
        await authority.Load(cancellationToken);
        await evidence.Load(cancellationToken);
        await recovery.Load(cancellationToken);
        await fence.Read(cancellationToken);
        await bootstrap.Admit(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
