using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Storage;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Looks on every node, in all places that exports go to, whether a later control plane has begun, and reads what the other nodes
/// found.</summary>
public sealed partial class TermWatch(TermFence fence, ExportPlaces places, RecoveryKey recovery, Postgres db, ControlPlaneOptions options,
    TimeProvider clock, ILogger<TermWatch> log) : BackgroundService
{
    static readonly TimeSpan ReadEvery = TimeSpan.FromSeconds(2), Patience = TimeSpan.FromSeconds(20);

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        Repeat(ReadEvery, fence.Read, stoppingToken), Repeat(TimeSpan.FromSeconds(options.TermLookSeconds), Look, stoppingToken));

    async Task Repeat(TimeSpan every, Func<CancellationToken, Task> work, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(every, clock);
        try
        {
            do
            {
                try { await work(ct); }
                catch (Exception) when (ct.IsCancellationRequested) { return; }   // the node stops, which drivers report in many ways
                catch (Exception e) when (Outage.Is(e)) { continue; }   // the loops say it; nothing is handed out meanwhile
                // A place or a row that nobody thought of, and what a driver cancels by itself, must not end the node: told, and tried
                // again.
                catch (Exception e) { LogBroken(log, e); }
            }
            while (await timer.WaitForNextTickAsync(ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    /// <summary>Asks all places once.</summary>
    internal async Task Look(CancellationToken ct)
    {
        var begun = clock.GetTimestamp();
        var own = fence.Own.Term;
        var open = await places.Open(ct);
        IReadOnlyList<TermVote> votes;
        try { votes = await Task.WhenAll(open.Select(place => Ask(place, own, ct))); }
        finally
        {
            foreach (var place in open) await place.DisposeAsync();
        }
        if (TermVotes.Later(own, votes) is { Highest: { } later } vote) await fence.Learn(later, vote.Place, ct);
        else if (!TermVotes.Any(votes)) await TermTable.Alone(db, own, ct);
        else if (TermVotes.Confirm(own, votes)) await TermTable.Confirm(db, own, clock.GetElapsedTime(begun), ct);
        else await TermTable.Doubt(db, own, ct);
    }

    /// <summary>A place's word. A place that was away when our term began gets it now.</summary>
    async Task<TermVote> Ask(ExportPlace place, long own, CancellationToken ct)
    {
        if (place.Store is not { } store) return new TermVote(place.Name, place.Counts, null);
        var box = new ExportBox(recovery.Key);
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Patience);
        try
        {
            var highest = await Terms.Highest(store, box, recovery.Installation, late.Token);
            if (highest < own && own > 1 && place.Counts) await Terms.Begin(store, box, recovery.Installation, own, late.Token);
            return new TermVote(place.Name, place.Counts, highest);
        }
        // The export tells people of a place that is away; here it only gives no vote.
        catch (Exception e) when (e is StoreException or ConflictException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return new TermVote(place.Name, place.Counts, null);
        }
    }

    [LoggerMessage(2243, LogLevel.Error, "Something is broken in the look for later terms; it is tried again")]
    static partial void LogBroken(ILogger log, Exception exception);
}
