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
    static readonly TimeSpan LeastPause = TimeSpan.FromSeconds(4);

    readonly Lock _asking = new();
    Task _asked = Task.CompletedTask;
    long _askedAt;

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        Repeat(ReadEvery, fence.Read, stoppingToken), Repeat(TimeSpan.FromSeconds(options.TermLookSeconds), Look, stoppingToken));

    async Task Repeat(TimeSpan every, Func<CancellationToken, Task> work, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(every, clock);
        try
        {
            do await Once(work, ct);
            while (await timer.WaitForNextTickAsync(ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    async Task Once(Func<CancellationToken, Task> work, CancellationToken ct)
    {
        try { await work(ct); }
        catch (Exception) when (ct.IsCancellationRequested) { return; }   // the node stops, which drivers report in many ways
        catch (Exception e) when (Outage.Is(e)) { return; }   // the loops say it; nothing is handed out meanwhile
        // A place or a row that nobody thought of, and what a driver cancels by itself, must not end the node: told, and tried again.
        catch (Exception e) { LogBroken(log, e); }
    }

    /// <summary>Asks all places once.</summary>
    internal Task Look(CancellationToken ct) => Look(new TaskCompletionSource(), ct);

    /// <summary>Asks all places now, for something that would remove. Ends as soon as it is known whether it may be handed out; who comes
    /// while others wait for that waits with them, and who comes right after it is given the same.</summary>
    internal Task LookNow(CancellationToken ct)
    {
        lock (_asking)
        {
            if (!_asked.IsCompleted || clock.GetElapsedTime(_askedAt) < LeastPause) return _asked;
            var known = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            (_askedAt, _asked) = (clock.GetTimestamp(), known.Task);
            _ = Answer(known, ct);
            return known.Task;
        }
    }

    async Task Answer(TaskCompletionSource known, CancellationToken ct)
    {
        try { await Once(token => Look(known, token), ct); }
        finally { known.TrySetResult(); }
    }

    /// <param name="known">Set when most places have confirmed our term: one that is away holds nobody up.</param>
    /// <param name="ct">Cancels.</param>
    async Task Look(TaskCompletionSource known, CancellationToken ct)
    {
        var begun = clock.GetTimestamp();
        var own = fence.Own.Term;
        var open = await places.Open(ct);
        var votes = open.ConvertAll(place => new TermVote(place.Name, place.Counts, null));
        var isConfirmed = false;
        try
        {
            await foreach (var asked in Task.WhenEach(open.Select(async (place, at) => (at, Vote: await Ask(place, own, ct)))))
            {
                var (at, vote) = await asked;
                votes[at] = vote;
                if (isConfirmed || TermVotes.Later(own, votes) is not null || !TermVotes.Confirm(own, votes)) continue;
                await TermTable.Confirm(db, own, clock.GetElapsedTime(begun), ct);
                isConfirmed = true;
                known.TrySetResult();
            }
        }
        finally
        {
            foreach (var place in open) await place.DisposeAsync();
        }
        if (TermVotes.Later(own, votes) is { Highest: { } later } told) await fence.Learn(later, told.Place, ct);
        else if (!TermVotes.Any(votes)) await TermTable.Alone(db, own, ct);
        else if (!isConfirmed) await TermTable.Doubt(db, own, ct);
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
