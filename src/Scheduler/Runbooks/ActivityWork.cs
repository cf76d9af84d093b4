using System.Collections.Concurrent;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>The activities that this node carries out now.</summary>
sealed partial class ActivityWork(Postgres db, TakeEvents events, ActivityTable table, CarryOut carryOut, StepExecutors executors,
    NodeOptions node, NodeStanding standing, NodeLoops loops, TermFence fence, TimeProvider clock, ILogger<ActivityWork> log)
{
    /// <summary>Most activities that a node carries out at once.</summary>
    public const int MostAtOnce = 128;
    /// <summary>Executions that are looked at in a turn.</summary>
    const int MostDue = 50;

    readonly ConcurrentDictionary<Guid, Held> _held = new();
    readonly ConcurrentDictionary<ExecutionId, Lane> _lanes = new();

    sealed record Held(Claimed Claimed, CancellationTokenSource Stop)
    {
        public long RenewedAt;
        public volatile bool IsLeaving;
    }

    /// <summary>Reports of one execution are taken together: each locks it, so that one by one they would wait for each other.</summary>
    sealed class Lane
    {
        public readonly ConcurrentQueue<(Arrival Arrival, TaskCompletionSource Told)> Waiting = new();
        public int IsBusy;
    }

    /// <summary>What this node takes of what it begins itself; null while it takes nothing new.</summary>
    public ClaimAtOnce? AtOnce => standing.IsDraining || fence.IsSuperseded || !node.Is(NodeRole.Loops) ? null
        : new ClaimAtOnce(node.NameOrMachine, MostAtOnce - _held.Count, executors.Kinds);

    /// <summary>Lets time pass for executions that wait for it.</summary>
    public async Task<int> Due(CancellationToken ct)
    {
        var due = await db.Query($"select id from execution where phase <> 'Ended' and next_change <= clock() order by next_change "
            + $"limit {MostDue}", [], row => row.Id<ExecutionId>(0), ct);
        foreach (var id in due) await Take(id, [Arrival.Time], ct);
        return due.Count;
    }

    /// <summary>Takes activities that nobody has, and begins them.</summary>
    public async Task<int> Claim(CancellationToken ct)
    {
        var claimed = await table.Claim(node.NameOrMachine, MostAtOnce - _held.Count, ct);
        Begin(claimed);
        return claimed.Count;
    }

    /// <summary>Begins what this node has now.</summary>
    public void Begin(IEnumerable<Claimed> claimed)
    {
        foreach (var one in claimed)
        {
            var held = new Held(one, new CancellationTokenSource()) { RenewedAt = clock.GetTimestamp() };
            if (_held.TryAdd(one.Token, held)) _ = Task.Run(() => Work(held), CancellationToken.None);
        }
    }

    /// <summary>Gives a sign of life for all; ends what is this node's no longer, or cannot be known to be.</summary>
    public async Task Renew(CancellationToken ct)
    {
        if (_held.IsEmpty) return;
        if (fence.IsSuperseded)
        {
            foreach (var held in _held.Values) End(held);
            return;
        }
        var began = clock.GetTimestamp();
        var asked = _held.ToArray();
        try
        {
            var mine = await table.Renew([.. asked.Select(one => one.Key)], ct);
            foreach (var (token, held) in asked)
                if (mine.Contains(token)) held.RenewedAt = began;
                else End(held);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Mostly the database is away, and another node may have it by now: what cannot be renewed in time is ended here.
            foreach (var (_, held) in asked)
                if (clock.GetElapsedTime(held.RenewedAt) > ActivityTable.Lease) End(held);
        }
    }

    /// <summary>Ends all and gives them back: the node stops.</summary>
    public async Task Leave(CancellationToken ct)
    {
        foreach (var held in _held.Values)
        {
            held.IsLeaving = true;
            End(held);
        }
        while (!_held.IsEmpty && !ct.IsCancellationRequested)
            await Task.Delay(TimeSpan.FromMilliseconds(20), clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    static void End(Held held)
    {
        try { held.Stop.Cancel(); }
        catch (ObjectDisposedException) { return; }   // it came to its end this moment
    }

    async Task Work(Held held)
    {
        var claimed = held.Claimed;
        try
        {
            using var stop = held.Stop;
            stop.CancelAfter(claimed.Left > TimeSpan.Zero ? claimed.Left : TimeSpan.Zero);
            var result = await carryOut.Do(claimed, stop.Token);
            await Report(claimed, result);
        }
        catch (OperationCanceledException)
        {
            // Its time ended, which every node sees for itself; or it is another's; or the node stops and gives it back.
            if (held.IsLeaving) await GiveBack(claimed.Token);
        }
        // Nobody waits for this task: what breaks it is told here, and the lease ends by itself.
        catch (Exception e) { LogBroken(log, claimed.Execution.ToString(), claimed.Step.Name, e); }
        finally { _held.TryRemove(claimed.Token, out _); }
    }

    async Task GiveBack(Guid token)
    {
        try { await table.Release(token, CancellationToken.None); }
        catch (Exception e) when (Outage.Is(e)) { return; }   // its lease ends by itself
    }

    /// <summary>Tells what came of an activity, together with what else is to be told of the execution.</summary>
    async Task Report(Claimed claimed, StepResult result)
    {
        var lane = _lanes.GetOrAdd(claimed.Execution, _ => new Lane());
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lane.Waiting.Enqueue((ReportOf(claimed, result), told));
        // Whoever finds the lane free tells what waits in it; what comes meanwhile is told next.
        while (!lane.Waiting.IsEmpty && Interlocked.Exchange(ref lane.IsBusy, 1) == 0)
        {
            await Tell(claimed.Execution, lane);
            Volatile.Write(ref lane.IsBusy, 0);
        }
        await told.Task;
    }

    async Task Tell(ExecutionId id, Lane lane)
    {
        var all = new List<(Arrival Arrival, TaskCompletionSource Told)>();
        while (lane.Waiting.TryDequeue(out var one)) all.Add(one);
        if (all.Count == 0) return;
        try
        {
            await loops.Insist(ct => Take(id, [.. all.Select(one => one.Arrival)], ct), CancellationToken.None);
            foreach (var one in all) one.Told.SetResult();
        }
        // Told by whoever waits for his part of it.
        catch (Exception e) { foreach (var one in all) one.Told.SetException(e); }
    }

    internal static Arrival ReportOf(Claimed claimed, StepResult result) => new(new ExecutionEvent
    {
        Kind = ExecutionEventKind.Reported,
        At = default,
        Step = claimed.Step.Name,
        Attempt = claimed.Attempt,
        Outcome = result.Outcome,
        Text = result.Text,
        Outputs = result.Outputs,
    }, claimed.Token);

    /// <summary>Takes events, and begins here what they begin.</summary>
    public async Task Take(ExecutionId id, IReadOnlyList<Arrival> arrivals, CancellationToken ct)
        => Follow(id, await db.InTransaction(tx => events.Take(tx, id, arrivals, AtOnce, ct), ct));

    /// <summary>Does here what events that took place made to do.</summary>
    public void Follow(ExecutionId id, Taken taken)
    {
        foreach (var held in _held.Values)
            if (held.Claimed.Execution == id && taken.Ended.Contains((held.Claimed.Step.Name, held.Claimed.Attempt))) End(held);
        if (taken.Execution.Phase == ExecutionPhase.Ended) _lanes.TryRemove(id, out _);
        Begin(taken.Claimed);
    }

    [LoggerMessage(2743, LogLevel.Error, "{Execution}: what came of the step {Step} could not be stored; another node does it again")]
    static partial void LogBroken(ILogger log, string execution, string step, Exception exception);
}
