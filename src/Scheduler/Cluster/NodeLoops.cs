using BackupDr.Contracts;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Cluster;

/// <summary>Runs this node's loops. While the database is away they wait, which is said once when it goes and once when it is back; while
/// the node drains they rest, and where a later control plane has begun they rest for good.</summary>
public sealed partial class NodeLoops(NodeStanding standing, TermFence fence, TimeProvider clock, ILogger<NodeLoops> log)
{
    static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(1);

    readonly Lock _gate = new();
    long? _awaySince;

    /// <summary>Does a piece of work again and again.</summary>
    /// <param name="time">From one turn to the next.</param>
    /// <param name="work">Any node may do it at any time.</param>
    /// <param name="ct">Ends it.</param>
    /// <param name="alsoSuperseded">Whether it goes on where a later control plane has begun: what tells people of just that.</param>
    public async Task Every(TimeSpan time, Func<CancellationToken, Task<int>> work, CancellationToken ct, bool alsoSuperseded = false)
    {
        using var timer = new PeriodicTimer(time, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
                if (!standing.IsDraining && (alsoSuperseded || !fence.IsSuperseded)) await Turn(work, ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    /// <summary>Does a piece of work whenever a hint comes, and after a time without one.</summary>
    /// <param name="waiter">Collects the hints.</param>
    /// <param name="atMost">Longest time from one turn to the next.</param>
    /// <param name="work">Any node may do it at any time.</param>
    /// <param name="ct">Ends it.</param>
    public async Task OnHint(Notifications.Waiter waiter, TimeSpan atMost, Func<CancellationToken, Task<int>> work, CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try { await waiter.Wait(atMost, ct); }
            catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
            if (!standing.IsDraining && !fence.IsSuperseded) await Turn(work, ct);
        }
    }

    async Task Turn(Func<CancellationToken, Task<int>> work, CancellationToken ct)
    {
        using var held = standing.HoldLoop();
        try
        {
            await work(ct);
            IsBack();
        }
        catch (Exception) when (ct.IsCancellationRequested) { return; }   // the node stops, which drivers report in many ways
        catch (Exception e) when (IsPause(e)) { IsAway(e); }
        // One thing of one repository that nobody thought of must not end all loops of the node: told, and tried again.
        catch (Exception e) when (e is not OperationCanceledException) { LogBroken(log, e); }
    }

    /// <summary>Does something that must be done, as soon as the database lets it, unless a later control plane has begun.</summary>
    public async Task Insist(Func<CancellationToken, Task> work, CancellationToken ct)
    {
        using var held = standing.HoldLoop();
        while (!fence.IsSuperseded)
        {
            try
            {
                await work(ct);
                IsBack();
                return;
            }
            catch (Exception e) when (IsPause(e) && !ct.IsCancellationRequested)
            {
                IsAway(e);
                await Task.Delay(BetweenTries, clock, ct);
            }
        }
    }

    static bool IsPause(Exception? e) => e is not null && (Outage.Is(e) || e is Npgsql.PostgresException { IsTransient: true }
        or UnavailableException { Code: "database.outcome_unknown" } || IsPause(e.InnerException));   // Quartz wraps what it meets

    void IsAway(Exception e)
    {
        lock (_gate)
        {
            if (_awaySince is not null) return;
            _awaySince = clock.GetTimestamp();
        }
        LogAway(log, e.GetBaseException().Message);
    }

    void IsBack()
    {
        long since;
        lock (_gate)
        {
            if (_awaySince is not { } began) return;
            (since, _awaySince) = (began, null);
        }
        LogBack(log, clock.GetElapsedTime(since).TotalSeconds);
    }

    [LoggerMessage(2231, LogLevel.Warning, "The database is away, and the loops wait for it; agents go on with what they do: {Reason}")]
    static partial void LogAway(ILogger log, string reason);

    [LoggerMessage(2232, LogLevel.Information, "The database answers again after {Seconds:0.0} s; the loops go on")]
    static partial void LogBack(ILogger log, double seconds);

    [LoggerMessage(2233, LogLevel.Error, "Something in a loop is broken; it is tried again")]
    static partial void LogBroken(ILogger log, Exception exception);
}
