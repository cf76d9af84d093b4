using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.Health;

namespace BackupDr.Scheduler.Alerts;

/// <summary>Looks for alerts, tells them, and writes down what the day is like, on every node that has loops.</summary>
public sealed class AlertLoop(AlertLook look, DeliverMessages deliver, PingDeadMan deadMan, ItemDays days, NodeLoops loops)
    : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15), DeliverEvery = TimeSpan.FromSeconds(2),
        PingEvery = TimeSpan.FromSeconds(5), DaysEvery = TimeSpan.FromMinutes(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        => await Task.WhenAll(loops.Every(LookEvery, look.Run, stoppingToken),
            loops.Every(DeliverEvery, deliver.Run, stoppingToken, alsoSuperseded: true),
            loops.Every(PingEvery, deadMan.Run, stoppingToken), loops.Every(DaysEvery, days.Run, stoppingToken));
}
