using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Health;
using Npgsql;

namespace BackupDr.Scheduler.Alerts;

/// <summary>Looks for alerts, tells them, and writes down what the day is like, on every node that has loops.</summary>
public sealed partial class AlertLoop(AlertLook look, DeliverMessages deliver, PingDeadMan deadMan, ItemDays days,
    TimeProvider clock, ILogger<AlertLoop> log) : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15), DeliverEvery = TimeSpan.FromSeconds(2),
        PingEvery = TimeSpan.FromSeconds(5), DaysEvery = TimeSpan.FromMinutes(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        => await Task.WhenAll(Every(LookEvery, look.Run, stoppingToken), Every(DeliverEvery, deliver.Run, stoppingToken),
            Every(PingEvery, deadMan.Run, stoppingToken), Every(DaysEvery, days.Run, stoppingToken));

    async Task Every(TimeSpan time, Func<CancellationToken, Task<int>> work, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(time, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
            {
                try { await work(ct); }
                catch (NpgsqlException e) { LogPaused(log, e.Message); }   // the next turn looks again; nothing was kept half
                // A bug in telling must not end the node that backs up: it is logged, and what was leased is tried again.
                catch (Exception e) when (e is not OperationCanceledException) { LogBroken(log, e); }
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    [LoggerMessage(2101, LogLevel.Warning, "Alerts wait for the database: {Reason}")]
    static partial void LogPaused(ILogger log, string reason);

    [LoggerMessage(2102, LogLevel.Error, "Something in the telling of alerts is broken")]
    static partial void LogBroken(ILogger log, Exception exception);
}
