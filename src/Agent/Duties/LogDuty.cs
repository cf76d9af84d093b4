using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent.Duties;

/// <summary>Receives the log of one database server for as long as its item wants it: begun again after everything that ends it.</summary>
/// <remarks>What it does is safe without a lease: a log is written once by its server, and two pieces of it that overlap are equal. While
/// the node is away it goes on with the keys that it has.</remarks>
sealed partial class LogDuty : IProgress<LogStep>, IAsyncDisposable
{
    static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(2), LongestWait = TimeSpan.FromSeconds(60);

    readonly ItemId _item;
    readonly IReceivedLog _log;
    readonly LogPlace _place;
    readonly TimeProvider _clock;
    readonly ILogger _logger;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;
    LogReport _at;
    string? _alarm;

    /// <summary>Begins.</summary>
    /// <param name="item">For which item.</param>
    /// <param name="log">Its log.</param>
    /// <param name="place">Where it goes; opened again after each failure.</param>
    /// <param name="clock">For pauses.</param>
    /// <param name="logger">For what happens.</param>
    public LogDuty(ItemId item, IReceivedLog log, LogPlace place, TimeProvider clock, ILogger logger)
    {
        (_item, _log, _place, _clock, _logger, _at) = (item, log, place, clock, logger, log.Unknown);
        _running = Task.Run(() => Always(_stop.Token), CancellationToken.None);
    }

    /// <summary>Where it is.</summary>
    public LogReport Report() => Volatile.Read(ref _at) with { Alarm = Volatile.Read(ref _alarm) };

    async Task Always(CancellationToken ct)
    {
        var wait = FirstWait;
        while (!ct.IsCancellationRequested)
        {
            var begun = _clock.GetTimestamp();
            try { await _log.Receive(_place, this, ct); }
            catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
            catch (BackupDrException e) { Alarm(e.Hint is { } hint ? $"{e.Message} {hint}" : e.Message); }
            // A bug is told as one, and ends neither the agent nor the receiving.
            catch (Exception e) when (e is not OperationCanceledException)
            {
                Alarm($"Something in the agent is broken: {e.GetType().Name}: {e.Message}");
            }
            Volatile.Write(ref _at, Volatile.Read(ref _at) with { IsReceiving = false });
            if (_clock.GetElapsedTime(begun) > LongestWait) wait = FirstWait;
            await Task.Delay(wait, _clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
        }
    }

    /// <summary>What the receiver tells.</summary>
    public void Report(LogStep value)
    {
        var before = Interlocked.Exchange(ref _at, value.At);
        if (value is { IsAlarm: true, Told: { } alarm }) Alarm(alarm);
        else if (value.Told is { } told) LogTold(_logger, _item.ToString(), told);
        // All that the server has is stored, whatever was wrong before.
        else if (value.At.SettledAt > (before.SettledAt ?? DateTimeOffset.MinValue) && !value.IsHeldBack) Volatile.Write(ref _alarm, null);
    }

    void Alarm(string message)
    {
        if (Interlocked.Exchange(ref _alarm, message) != message) LogAlarm(_logger, _item.ToString(), message);
    }

    /// <summary>Ends it; what came is stored if the store answers.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    /// <summary>Ends all that an item has on its server and on this host.</summary>
    /// <exception cref="BackupDrException">The server cannot be reached: it is tried again.</exception>
    public static async Task End(IReceivedLog log, string journal, CancellationToken ct)
    {
        await log.Leave(ct);
        try
        {
            if (Directory.Exists(journal)) Directory.Delete(journal, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UnavailableException("duty.journal", $"The journal {journal} cannot be removed: {e.Message}",
                "It is tried again by itself; check the disk if it lasts.", e);
        }
    }

    [LoggerMessage(3301, LogLevel.Information, "The log of {Item}: {What}")]
    static partial void LogTold(ILogger log, string item, string what);

    [LoggerMessage(3302, LogLevel.Warning, "The log of {Item}: {What}")]
    static partial void LogAlarm(ILogger log, string item, string what);
}
