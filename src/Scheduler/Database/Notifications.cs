using System.Collections.Concurrent;
using System.Threading.Channels;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using Npgsql;

namespace BackupDr.Scheduler.Database;

/// <summary>Hints between nodes: "look again". One LISTEN connection a node; hints may be lost, so everybody who waits also looks by
/// himself.</summary>
public sealed class Notifications(Postgres db, TimeProvider clock, ILogger<Notifications> log) : BackgroundService
{
    const string WakeChannel = "backupdr_wake";
    const string LiveChannel = "backupdr_live";
    const int LiveBacklog = 256;
    static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(1), Quiet = TimeSpan.FromSeconds(10);
    const int AnswerSeconds = 5;

    // By what they wait for: a node holds the polls of thousands of hosts, and each hint is for one of them.
    readonly Dictionary<string, List<Waiter>> _waiters = [];
    readonly ConcurrentDictionary<Channel<LiveChange>, byte> _feeds = new();

    /// <summary>Topic of the message that stands for lost ones: everything may have changed.</summary>
    public const string Everything = "all";

    /// <summary>Wakes the long polls of a host when the transaction commits.</summary>
    public static Task WakeHost(Transaction tx, HostId host, CancellationToken ct) => Wake(tx, $"host:{host}", ct);

    /// <summary>Wakes everybody who waits for <paramref name="key"/> when the transaction commits.</summary>
    public static Task Wake(Transaction tx, string key, CancellationToken ct)
        => tx.Execute("select pg_notify($1, $2)", [WakeChannel, key], ct);

    /// <summary>Tells every open page and event stream that the object changed, when the transaction commits.</summary>
    /// <param name="tx">The transaction that changes it.</param>
    /// <param name="topic">"runs", "hosts", "found", "points", "policies", "storage" or "joins".</param>
    /// <param name="id">Text form of the object's id, or null for the list.</param>
    /// <param name="ct">Cancels.</param>
    public static Task Changed(Transaction tx, string topic, string? id, CancellationToken ct)
        => tx.Execute("select pg_notify($1, $2)", [LiveChannel, $"{topic}|{id}"], ct);

    /// <summary>Begins to collect hints for <paramref name="key"/>. Begin before looking, so that none falls between.</summary>
    public Waiter Listen(string key)
    {
        var waiter = new Waiter(this, key, clock);
        lock (_waiters)
        {
            if (!_waiters.TryGetValue(key, out var same)) _waiters[key] = same = [];
            same.Add(waiter);
        }
        return waiter;
    }

    /// <summary>Begins to collect hints for the long polls of a host.</summary>
    public Waiter ListenHost(HostId host) => Listen($"host:{host}");

    /// <summary>Live changes from now on until <paramref name="ct"/> is cancelled. A reader that is too slow is told <see
    /// cref="Everything"/>.</summary>
    public async IAsyncEnumerable<LiveChange> Live([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        var feed = Channel.CreateBounded<LiveChange>(new BoundedChannelOptions(LiveBacklog));
        _feeds[feed] = 0;
        try
        {
            await foreach (var change in feed.Reader.ReadAllAsync(ct)) yield return change;
        }
        finally
        {
            _feeds.TryRemove(feed, out _);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isAway = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenUntilBroken(() => isAway = false, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { return; }
            catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException)
            {
                if (!isAway) log.LogWarning("Lost the connection that listens for changes ({Message}); connecting again", e.Message);
                isAway = true;   // said once for an outage, however long it lasts
                await Task.Delay(BetweenTries, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    async Task ListenUntilBroken(Action connected, CancellationToken ct)
    {
        await using var connection = await db.Connect(ct);
        connection.Notification += (_, e) => Deliver(e.Channel, e.Payload);
        await using (var command = new NpgsqlCommand($"listen {WakeChannel}; listen {LiveChannel}",
            connection)) await command.ExecuteNonQueryAsync(ct);
        connected();
        Everybody();   // what was said while nobody listened is unknown
        while (true)
        {
            if (await connection.WaitAsync(Quiet, ct)) continue;
            // Silence may be a server that is gone without a word: it has to answer.
            await using var still = new NpgsqlCommand("select 1", connection) { CommandTimeout = AnswerSeconds };
            await still.ExecuteNonQueryAsync(ct);
        }
    }

    void Deliver(string channel, string payload)
    {
        if (channel == WakeChannel)
        {
            lock (_waiters)
                foreach (var waiter in _waiters.GetValueOrDefault(payload, [])) waiter.Signal();
            return;
        }
        var cut = payload.IndexOf('|', StringComparison.Ordinal);
        if (cut < 0) return;
        Publish(new LiveChange(payload[..cut], cut + 1 == payload.Length ? null : payload[(cut + 1)..]));
    }

    void Everybody()
    {
        lock (_waiters)
            foreach (var waiter in _waiters.Values.SelectMany(same => same)) waiter.Signal();
        Publish(new LiveChange(Everything, null));
    }

    void Publish(LiveChange change)
    {
        foreach (var feed in _feeds.Keys)
        {
            if (feed.Writer.TryWrite(change)) continue;
            while (feed.Reader.TryRead(out _)) { }   // too slow: one message stands for all that were in the queue
            feed.Writer.TryWrite(new LiveChange(Everything, null));
        }
    }

    /// <summary>Collects hints for one key, see <see cref="Listen"/>.</summary>
    public sealed class Waiter(Notifications owner, string key, TimeProvider clock) : IDisposable
    {
        readonly Channel<byte> _hint = Channel.CreateBounded<byte>(new BoundedChannelOptions(1)
        {
            FullMode =
            BoundedChannelFullMode.DropWrite
        });

        internal void Signal() => _hint.Writer.TryWrite(0);

        /// <summary>Waits for a hint.</summary>
        /// <returns>False where none came within <paramref name="atMost"/>.</returns>
        public async Task<bool> Wait(TimeSpan atMost, CancellationToken ct)
        {
            using var late = new CancellationTokenSource(atMost, clock);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, ct);
            try
            {
                await _hint.Reader.ReadAsync(both.Token);
                return true;
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                return false;
            }
        }

        public void Dispose()
        {
            lock (owner._waiters)
                if (owner._waiters.TryGetValue(key, out var same) && same.Remove(this) && same.Count == 0) owner._waiters.Remove(key);
        }
    }
}
