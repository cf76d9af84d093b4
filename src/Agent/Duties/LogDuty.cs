using System.Globalization;
using BackupDr.Agent.Clusters;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Sources.PostgreSql;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent.Duties;

/// <summary>Receives the log of one cluster for as long as its item wants it: begun again after everything that ends it.</summary>
/// <remarks>What it does is safe without a lease: the log of a cluster is written once, a slot lets in one receiver, and two pieces of it
/// that overlap are equal. While the node is away it goes on with the keys that it has.</remarks>
sealed partial class LogDuty : IProgress<WalProgress>, IAsyncDisposable
{
    static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(2), LongestWait = TimeSpan.FromSeconds(60),
        NoteEvery = TimeSpan.FromSeconds(30);

    readonly ItemId _item;
    readonly PostgreSqlSpec _cluster;
    readonly LogSpec _log;
    readonly string _journal;
    readonly Func<CancellationToken, Task<Repository>> _open;
    readonly string _hostName;
    readonly TimeProvider _clock;
    readonly ILogger _logger;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;
    WalProgress? _at;
    string? _alarm;

    /// <summary>Begins.</summary>
    /// <param name="item">For which item.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="hostName">Host in the snapshots.</param>
    /// <param name="journal">Folder of this item's own.</param>
    /// <param name="open">Opens the repository; called again after each failure.</param>
    /// <param name="clock">For pauses.</param>
    /// <param name="logger">For what happens.</param>
    public LogDuty(ItemId item, PostgreSqlSpec cluster, string hostName, string journal, Func<CancellationToken, Task<Repository>> open,
        TimeProvider clock, ILogger logger)
    {
        (_item, _cluster, _hostName, _journal, _open, _clock, _logger) = (item, cluster, hostName, journal, open, clock, logger);
        _log = cluster.Log ?? throw new BadInputException("source", "The log of this source is not to be received.");
        _running = Task.Run(() => Always(_stop.Token), CancellationToken.None);
    }

    /// <summary>The slot of an item: the same whoever receives.</summary>
    public static string SlotOf(ItemId item) => $"backupdr_{item.Value.ToString("N", CultureInfo.InvariantCulture)}";

    /// <summary>Where it is.</summary>
    public LogReport Report()
    {
        var (at, alarm) = (Volatile.Read(ref _at), Volatile.Read(ref _alarm));
        return new LogReport
        {
            IsReceiving = at?.IsReceiving == true,
            Alarm = alarm,
            Slot = SlotOf(_item),
            HeldBytes = at?.HeldBytes ?? 0,
            SystemIdentifier = at?.SystemIdentifier,
            Timeline = at?.Timeline ?? 0,
            Begin = at?.Begin?.ToString(),
            Received = at?.Begin is null ? null : at.Received.ToString(),
            Stored = at?.Begin is null ? null : at.Stored.ToString(),
            SettledAt = at?.SettledAt,
        };
    }

    async Task Always(CancellationToken ct)
    {
        var wait = FirstWait;
        while (!ct.IsCancellationRequested)
        {
            var begun = _clock.GetTimestamp();
            try { await Once(ct); }
            catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
            catch (BackupDrException e) { Alarm(e.Hint is { } hint ? $"{e.Message} {hint}" : e.Message); }
            // A bug is told as one, and ends neither the agent nor the receiving.
            catch (Exception e) when (e is not OperationCanceledException)
            {
                Alarm($"Something in the agent is broken: {e.GetType().Name}: {e.Message}");
            }
            if (_clock.GetElapsedTime(begun) > LongestWait) wait = FirstWait;
            await Task.Delay(wait, _clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
        }
    }

    async Task Once(CancellationToken ct)
    {
        var address = ClusterAddress.Of(_cluster);
        await ClusterAddress.Check(_cluster, address, SlotOf(_item), ct);
        using var repository = await _open(ct);
        await WalReceiver.Run(repository, address, new WalReceiverOptions
        {
            HostName = _hostName,
            Journal = _journal,
            Slot = SlotOf(_item),
            FlushEvery = _log.FlushEvery,
            NoteEvery = NoteEvery,
            SlotLimitBytes = _log.SlotLimitBytes,
            OnSlotLimit = _log.OverLimit == SlotOverLimit.DropSlot ? SlotLimitAction.DropSlot : SlotLimitAction.Alarm,
        }, this, ct);
    }

    /// <summary>What the receiver tells.</summary>
    public void Report(WalProgress value)
    {
        var before = Interlocked.Exchange(ref _at, value);
        if (value.Event is { IsAlarm: true } alarm) Alarm(alarm.Message);
        else if (value.Event is { } told) LogTold(_logger, _item.ToString(), told.Message);
        // All that the server has is stored, whatever was wrong before.
        else if (value.SettledAt > (before?.SettledAt ?? DateTimeOffset.MinValue) && value.HeldBytes <= _log.SlotLimitBytes)
            Volatile.Write(ref _alarm, null);
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
    public static async Task End(ItemId item, PostgreSqlSpec cluster, string journal, CancellationToken ct)
    {
        await WalReceiver.DropSlot(ClusterAddress.Of(cluster), SlotOf(item), ct);
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
