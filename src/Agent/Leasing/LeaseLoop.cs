using BackupDr.Agent.Alone;
using BackupDr.Agent.Jobs;
using BackupDr.Agent.Requests;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Sources.Volumes;
using BackupDr.Storage.Posix;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent.Leasing;

/// <summary>Polls for work and questions, and runs what it gets: up to two runs at once, questions at any time.</summary>
public sealed partial class LeaseLoop(NodeConnection connection, AgentIdentity identity, JobRunner jobs, RequestAnswers answers,
    AgentState state, Inventory inventory, WorkAlone alone, ILogger<LeaseLoop> log) : BackgroundService
{
    const int Slots = 2;
    const int WaitSeconds = 10;   // a node that freezes is left at its end
    static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15), InventoryEvery = TimeSpan.FromMinutes(10);

    readonly Dictionary<RunId, Task> _running = [];
    readonly List<Task> _answering = [];
    readonly Random _jitter = new(Environment.ProcessId);
    TaskCompletionSource _slotFree = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        DrillSandbox.RemoveAll(state);
        var telling = TellInventory(stoppingToken);
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await alone.Meeting.Hold(stoppingToken);
                await Poll(stoppingToken);
                failures = 0;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { break; }
            catch (BackupDrException e)
            {
                alone.Contact.Failed(e);
                alone.Meeting.Soon();
                if (failures++ == 0 || failures % 20 == 0) LogAway(log, e.Message);
                await Pause(failures, stoppingToken);
            }
        }
        await Task.WhenAll([.. _running.Values, .. _answering, telling]);
    }

    async Task Poll(CancellationToken ct)
    {
        foreach (var (run, task) in _running.ToArray())
            if (task.IsCompleted) _running.Remove(run);
        _answering.RemoveAll(task => task.IsCompleted);
        var atWork = alone.Loop.AtWork;
        var free = Math.Max(0, Slots - _running.Count - atWork.Count);
        _slotFree = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var client = connection.Client;
        var polling = client.Lease(new LeaseRequest
        {
            Slots = free,
            WaitSeconds = WaitSeconds,
            Load = Inventory.Load(),
            AgentVersion = AgentCommand.Version,
            Running = [.. _running.Keys],
            AddressesMark = identity.Membership.Mark,
            Term = identity.Term,
            KnowsSteps = true,
            Alone = atWork.Count == 0 ? null : atWork,
        }, ct);
        // A poll without free slots is answered with questions only; when a slot becomes free, a second poll may ask for work at once.
        if (free == 0 && await Task.WhenAny(polling, _slotFree.Task) == _slotFree.Task) _answering.Add(Discard(client, polling));
        else Take(client, await polling, ct);
    }

    async Task Discard(AgentApiClient client, Task<LeaseAnswer?> polling)
    {
        try { Take(client, await polling, CancellationToken.None); }
        catch (BackupDrException e) { LogAway(log, e.Message); }
        catch (OperationCanceledException) { return; }
    }

    void Take(AgentApiClient client, LeaseAnswer? answer, CancellationToken ct)
    {
        if (answer is not null) Heed(client, answer.Term);
        alone.Contact.Answered();
        if (answer is null) return;
        if (answer is { Addresses: { Count: > 0 } urls, AddressesMark: { } mark })
        {
            try { identity.Told(urls, mark); }
            // They are used all the same; the next start asks for them again.
            catch (Exception e) when (e is BackupDrException or IOException) { LogAway(log, e.Message); }
            LogTold(log, urls.Count, string.Join(", ", urls));
            connection.Renew();
        }
        foreach (var request in answer.Requests) _answering.Add(answers.Answer(connection.Client, request, ct));
        if (answer.Run is { } run && !_running.ContainsKey(run.RunId)) _running[run.RunId] = Execute(run, answer.Term, ct);
    }

    /// <summary>Takes nothing from a control plane that is older than one that we know, and turns to another node.</summary>
    void Heed(AgentApiClient client, TermMark? told)
    {
        var before = identity.Term.Term;
        try { identity.Heed(told); }
        catch (ConflictException)
        {
            connection.Failed(client);
            throw;
        }
        // It is heeded all the same; after a restart the next node tells it again.
        catch (Exception e) when (e is BackupDrException or IOException) { LogAway(log, e.Message); }
        if (identity.Term.Term > before && before > 0) LogLater(log, before, identity.Term.Term);
    }

    async Task Execute(LeasedRun run, TermMark? term, CancellationToken stopping)
    {
        LogTaken(log, run.RunId.ToString(), run.Job.Kind, run.Epoch);
        if (run.Of is { } of) alone.Handed(of);
        var work = new LeasedWork((report, ct) => Report(report with { Term = term }, ct), BootClock.Instance, TimeProvider.System);
        try
        {
            var (result, cause) = await Task.Run(() => work.Run(run, (reporter, ct) => Do(run, reporter, ct), stopping),
                CancellationToken.None);
            if (cause == StopCause.Cancelled) result = new JobResult { Outcome = JobOutcome.Cancelled };
            if (result is not null) await Tell(new CompleteRequest(run.RunId, run.Epoch, result, term), run.TtlMs, stopping);
            LogEnded(log, run.RunId.ToString(), result?.Outcome.ToString() ?? cause.ToString(), result?.Error?.Message ?? "");
        }
        finally
        {
            alone.Meeting.Soon();
            _slotFree.TrySetResult();
        }
    }

    /// <summary>The job, for a backup in its item's turn: one that this host began alone goes first.</summary>
    async Task<JobResult> Do(LeasedRun run, RunReporter reporter, CancellationToken ct)
    {
        if (run.Of is not { } of) return await jobs.Run(run, reporter, ct);
        using var turn = await alone.Turns.Take(of.Item, ct);
        try { return await jobs.Run(run, reporter, ct); }
        finally { alone.Handed(of); }
    }

    /// <summary>Reports to the node of now. A later control plane ends what an older one leased; a node of an older one, met while ours is
    /// elsewhere, is only left.</summary>
    async Task<ReportAnswer> Report(ReportRequest report, CancellationToken ct)
    {
        if (report.Term is { } leased && leased.Term < identity.Term.Term)
            throw new ConflictException(AgentProtocol.Superseded, $"The run was leased in term {leased.Term}, and term "
                + $"{identity.Term.Term} has begun.");
        try { return await connection.Client.Report(report, ct); }
        catch (ConflictException e) when (e.Code == AgentProtocol.Superseded)
        {
            throw new UnavailableException(e.Code, e.Message, e.Hint, e);
        }
    }

    /// <summary>Tells the end until the node has heard it, or the lease must be over.</summary>
    async Task Tell(CompleteRequest end, int ttlMs, CancellationToken stopping)
    {
        var (begun, first) = (BootClock.Instance.GetTimestamp(), BootClock.Instance.GetTimestamp());
        for (var attempt = 1; BootClock.Instance.GetElapsedTime(begun) < TimeSpan.FromMilliseconds(ttlMs); attempt++)
        {
            try
            {
                await connection.Client.Complete(end, stopping.IsCancellationRequested ? CancellationToken.None : stopping);
                return;
            }
            catch (Exception e) when (e is DeniedException or BadInputException or ConflictException { Code: not AgentProtocol.Superseded })
            {
                LogRefused(log, end.RunId.ToString(), e.Message);
                return;
            }
            catch (BackupDrException e)
            {
                LogAway(log, e.Message);
                // While its database is away the lease neither goes on nor ends.
                if (e.Code == AgentProtocol.DatabaseAway && BootClock.Instance.GetElapsedTime(first) < AgentProtocol.LongestOutage)
                    begun = BootClock.Instance.GetTimestamp();
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested) { continue; }   // one more try on the way out
            await Pause(attempt, CancellationToken.None);
        }
    }

    async Task TellInventory(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(InventoryEvery);
        try
        {
            await RemoveSnapshots(ct);
            do
            {
                try { await connection.Client.Inventory(await inventory.Look(ct), ct); }
                catch (BackupDrException e) { LogAway(log, e.Message); }
            }
            while (await timer.WaitForNextTickAsync(ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    /// <summary>Drops the snapshots of file systems that runs took and could not drop before the agent was killed.</summary>
    async Task RemoveSnapshots(CancellationToken ct)
    {
        try
        {
            if (await FrozenTrees.RemoveLeft(ct) is > 0 and var removed) LogDropped(log, removed);
        }
        catch (BackupDrException e) { LogAway(log, e.Message); }
    }

    /// <summary>Full jitter: anything up to 0.5, 1, 2, 4 … seconds, so that a thousand agents do not come back at once.</summary>
    async Task Pause(int failures, CancellationToken ct)
    {
        var longest = Math.Min(LongestPause.TotalSeconds, 0.25 * (1L << Math.Min(failures, 10)));
        double part;
        lock (_jitter) part = _jitter.NextDouble();
        await Task.Delay(TimeSpan.FromSeconds(0.1 + part * longest), TimeProvider.System, ct)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    [LoggerMessage(3101, LogLevel.Warning, "{Reason}")]
    static partial void LogAway(ILogger log, string reason);

    [LoggerMessage(3106, LogLevel.Information, "The installation has {Count} address(es) of nodes now: {Urls}")]
    static partial void LogTold(ILogger log, int count, string urls);

    [LoggerMessage(3107, LogLevel.Warning, "Term {Later} of the control plane has begun: what was leased in term {Before} is stopped")]
    static partial void LogLater(ILogger log, long before, long later);

    [LoggerMessage(3105, LogLevel.Information, "Dropped {Count} snapshot(s) of file systems that a killed run left")]
    static partial void LogDropped(ILogger log, int count);

    [LoggerMessage(3102, LogLevel.Information, "{Run}: {Kind} begins (lease {Epoch})")]
    static partial void LogTaken(ILogger log, string run, JobKind kind, long epoch);

    [LoggerMessage(3103, LogLevel.Information, "{Run}: {Outcome} {Reason}")]
    static partial void LogEnded(ILogger log, string run, string outcome, string reason);

    [LoggerMessage(3104, LogLevel.Warning, "{Run}: the node refused its end: {Reason}")]
    static partial void LogRefused(ILogger log, string run, string reason);
}
