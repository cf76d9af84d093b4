using Npgsql;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Exports the control plane, on every node that has loops; the table decides whose turn it is.</summary>
public sealed partial class ControlPlaneLoop(WriteExport export, TimeProvider clock, ILogger<ControlPlaneLoop> log) : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try { await export.Run(stoppingToken); }
                catch (NpgsqlException e) { LogPaused(log, e.Message); }   // the next turn begins anew: an entry comes after its parts
                // A bug in the export must not end the node that backs up: it is logged, and tells itself by its age.
                catch (Exception e) when (e is not OperationCanceledException) { LogBroken(log, e); }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { return; }
    }

    [LoggerMessage(2201, LogLevel.Warning, "The export of the control plane waits for the database: {Reason}")]
    static partial void LogPaused(ILogger log, string reason);

    [LoggerMessage(2202, LogLevel.Error, "Something in the export of the control plane is broken")]
    static partial void LogBroken(ILogger log, Exception exception);
}
