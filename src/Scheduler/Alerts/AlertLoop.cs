using Npgsql;

namespace BackupDr.Scheduler.Alerts;

/// <summary>Looks for alerts on every node that has loops.</summary>
public sealed partial class AlertLoop(AlertLook look, TimeProvider clock, ILogger<AlertLoop> log) : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        => await Every(LookEvery, look.Run, stoppingToken);

    async Task Every(TimeSpan time, Func<CancellationToken, Task<int>> work, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(time, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
            {
                try { await work(ct); }
                catch (NpgsqlException e) { LogPaused(log, e.Message); }   // the next turn looks again; nothing was kept half
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    [LoggerMessage(2101, LogLevel.Warning, "Alerts wait for the database: {Reason}")]
    static partial void LogPaused(ILogger log, string reason);
}
