using System.Threading.Channels;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Agent.Leasing;

/// <summary>Why a run was stopped.</summary>
public enum StopCause
{
    /// <summary>It was not.</summary>
    None,
    /// <summary>This agent ends; the run goes on after its lease expired.</summary>
    HostStopping,
    /// <summary>Another lease has begun, or ours could not be extended in time: nothing more may be written.</summary>
    LeaseLost,
    /// <summary>Somebody asked to cancel.</summary>
    Cancelled,
}

/// <summary>How a job tells what it does while it works. Safe for concurrent use; never waits.</summary>
public sealed class RunReporter(TimeProvider wallClock)
{
    readonly Channel<RunEventLine> _events = Channel.CreateBounded<RunEventLine>(new BoundedChannelOptions(10_000)
    {
        FullMode =
        BoundedChannelFullMode.DropOldest
    });
    JobProgress? _progress;

    /// <summary>Says how far it is; only the newest is sent.</summary>
    public void Progress(JobProgress progress) => Volatile.Write(ref _progress, progress);

    /// <summary>Adds a line to the run's log.</summary>
    public void Event(EventLevel level, string code, string text) => _events.Writer.TryWrite(new RunEventLine(wallClock.GetUtcNow(), level,
        code, text));

    internal (JobProgress? Progress, List<RunEventLine> Events) Take(List<RunEventLine> unsent)
    {
        while (unsent.Count < AgentProtocol.MaximumEvents && _events.Reader.TryRead(out var line)) unsent.Add(line);
        return (Volatile.Read(ref _progress), unsent);
    }

    /// <summary>The newest lines of the log of a run that has no node to tell them to, with a word about the older ones.</summary>
    internal List<RunEventLine> Newest()
    {
        var lines = new List<RunEventLine>();
        while (_events.Reader.TryRead(out var line)) lines.Add(line);
        var more = lines.Count - AgentProtocol.MaximumEvents;
        if (more <= 0) return lines;
        lines.RemoveRange(0, more + 1);
        lines.Insert(0, new RunEventLine(lines[0].At, EventLevel.Warning, "run.log_dropped",
            $"The first {more + 1} lines of this run's log were left out: its host was alone, and keeps so many."));
        return lines;
    }

    internal bool HasEvents => _events.Reader.Count > 0;
}

/// <summary>Runs work under a lease: reports on its own timer, never behind the work, and stops the work when the lease is lost.</summary>
/// <param name="report">Sends a report; throws <see cref="ConflictException"/> "run.lease_lost" where the lease is no longer ours.</param>
/// <param name="clock">Goes on while the machine sleeps; leases are measured with it.</param>
/// <param name="wallClock">Times of events.</param>
public sealed class LeasedWork(Func<ReportRequest, CancellationToken, Task<ReportAnswer>> report, TimeProvider clock,
    TimeProvider wallClock)
{
    static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(1), HeartbeatEvery = TimeSpan.FromSeconds(5), LongestReport =
        TimeSpan.FromSeconds(6);   // longer than the client's own patience, which turns to another node

    /// <summary>Does the work; gives what it gave, or why it was stopped.</summary>
    public async Task<(JobResult? Result, StopCause Cause)> Run(LeasedRun run, Func<RunReporter, CancellationToken, Task<JobResult>> work,
        CancellationToken hostStopping)
    {
        var reporter = new RunReporter(wallClock);
        using var lost = new CancellationTokenSource();
        using var cancelled = new CancellationTokenSource();
        using var both = CancellationTokenSource.CreateLinkedTokenSource(hostStopping, lost.Token, cancelled.Token);
        using var done = new CancellationTokenSource();
        var accepted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var reporting = Report(run, reporter, accepted, lost, cancelled, done.Token);
        try
        {
            // A process that was paused between the claim and its first write would otherwise work on a dead lease.
            await accepted.Task.WaitAsync(both.Token);
            var result = await work(reporter, both.Token);
            await done.CancelAsync();
            await reporting;
            return lost.IsCancellationRequested ? (null, StopCause.LeaseLost) : (result, StopCause.None);
        }
        catch (OperationCanceledException) when (both.IsCancellationRequested)
        {
            await done.CancelAsync();
            await reporting;
            return (null, lost.IsCancellationRequested ? StopCause.LeaseLost : cancelled.IsCancellationRequested ? StopCause.Cancelled
                : StopCause.HostStopping);
        }
        finally
        {
            await done.CancelAsync();
            await reporting;
        }
    }

    async Task Report(LeasedRun run, RunReporter reporter, TaskCompletionSource accepted, CancellationTokenSource lost,
        CancellationTokenSource cancelled, CancellationToken done)
    {
        var (extended, sent, acknowledged) = (clock.GetTimestamp(), clock.GetTimestamp(), clock.GetTimestamp());
        var fence = TimeSpan.FromMilliseconds(run.TtlMs) * 3 / 4;
        var (seq, lastProgress) = (0L, (JobProgress?)null);
        ReportRequest? pending = null;   // sent again as it was until it is acknowledged: the node ignores a number that it has seen
        using var timer = new PeriodicTimer(ReportEvery, TimeProvider.System);
        var isLast = false;
        while (!isLast)
        {
            if (seq > 0 || pending is not null)
            {
                try { await timer.WaitForNextTickAsync(done); }
                catch (OperationCanceledException) { isLast = true; }
            }
            if (lost.IsCancellationRequested) return;
            // woke up too late, or the node was away too long
            if (clock.GetElapsedTime(extended) >= fence) { await lost.CancelAsync(); return; }
            if (pending is null)
            {
                var (progress, events) = reporter.Take([]);
                var isNews = events.Count > 0 || !Equals(progress, lastProgress) || seq == 0;
                if (!isNews && clock.GetElapsedTime(sent) < HeartbeatEvery) continue;
                pending = new ReportRequest { RunId = run.RunId, Epoch = run.Epoch, Seq = seq + 1, Progress = progress, Events = events };
            }
            var begun = clock.GetTimestamp();
            try
            {
                var left = fence - clock.GetElapsedTime(extended);
                using var late = new CancellationTokenSource(left < LongestReport ? left : LongestReport, TimeProvider.System);
                var answer = await report(pending, late.Token);
                // Counted from the moment of sending: the node cannot have extended it for longer.
                (extended, acknowledged, sent, lastProgress) = (begun, begun, begun, pending.Progress);
                seq++;
                pending = null;
                accepted.TrySetResult();
                fence = TimeSpan.FromMilliseconds(answer.TtlMs) * 3 / 4;
                if (answer.Cancel && !cancelled.IsCancellationRequested) await cancelled.CancelAsync();
                if (isLast && reporter.HasEvents) isLast = false;   // the rest of the log goes out before the end is told
            }
            catch (ConflictException) { await lost.CancelAsync(); return; }
            catch (DeniedException) { await lost.CancelAsync(); return; }
            // A node is there and its database is not: nobody can extend the lease, and nobody can end it. Time stands still for both.
            catch (UnavailableException e) when (e.Code == AgentProtocol.DatabaseAway
                && clock.GetElapsedTime(acknowledged) < AgentProtocol.LongestOutage)
            {
                extended = begun;
            }
            catch (BackupDrException) { continue; }   // the node is away: tried again at the next tick until the fence falls
            catch (OperationCanceledException) { continue; }
        }
    }
}
