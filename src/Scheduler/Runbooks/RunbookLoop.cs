using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Executes runbooks, on every node that has loops: any of them goes on where another one stopped.</summary>
sealed class RunbookLoop(ActivityWork work, ChildExecutions children, Readiness readiness, RehearsalsDue rehearsals, SplitBrains splits,
    Notifications notifications, NodeLoops loops)
    : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1), RenewEvery = TimeSpan.FromSeconds(5),
        ReadinessEvery = TimeSpan.FromMinutes(1), Farewell = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var waiter = notifications.Listen(TakeEvents.WakeKey);
        await Task.WhenAll(loops.OnHint(waiter, LookEvery, Look, stoppingToken), Renew(stoppingToken),
            loops.Every(ReadinessEvery, readiness.Run, stoppingToken), loops.Every(ReadinessEvery, rehearsals.Run, stoppingToken),
            loops.Every(ReadinessEvery, splits.Run, stoppingToken));
        using var late = new CancellationTokenSource(Farewell);
        await work.Leave(late.Token);
    }

    async Task<int> Look(CancellationToken ct)
    {
        await work.Renew(ct);   // the hint may tell of one that was cancelled
        return await work.Due(ct) + await work.Claim(ct) + await children.Settle(ct);
    }

    /// <summary>Behind no other work, and while the node drains too.</summary>
    async Task Renew(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(RenewEvery);
        try
        {
            while (await timer.WaitForNextTickAsync(ct)) await work.Renew(ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }
}
