using System.Collections.Concurrent;
using System.Globalization;
using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Storage.Posix;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent.Alone;

/// <summary>Makes the backups that are due while no node answers, from the plan that the last one told. Backups alone: nothing is removed,
/// test-restored or restored.</summary>
public sealed partial class AloneLoop(AlonePlans plans, Contact contact, AloneQueue queue, AloneLedger ledger, ItemTurns turns,
    JobRunner jobs, AgentIdentity identity, ILogger<AloneLoop> log) : BackgroundService
{
    const int Slots = 2, MostAttempts = 5;
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1), AfterFailedNote = TimeSpan.FromSeconds(30);

    readonly ConcurrentDictionary<ItemId, Task> _running = new();
    readonly Dictionary<ItemId, AloneDue?> _due = [];
    readonly List<(AloneRun Run, IDisposable Turn)> _interrupted = [];
    AlonePlan? _planOfDue;
    bool _isAlone, _saidFull;
    long _restsUntil;

    /// <summary>Items that are backed up alone at the moment.</summary>
    public IReadOnlyList<ItemId> AtWork => [.. _running.Keys];

    /// <summary>Takes the turns of the items in the middle of whose runs the agent ended, before any node is asked for work.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var (item, nominal, ended) in queue.Known) Note(() => ledger.Cover(item, nominal, ended));
        foreach (var run in queue.Interrupted())
        {
            if (turns.TryTake(run.Item) is not { } turn) continue;
            _interrupted.Add((run, turn));
            _running[run.Item] = Task.CompletedTask;
        }
        return base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var (run, turn) in _interrupted) Begin(run, turn, stoppingToken);
        using var timer = new PeriodicTimer(LookEvery, TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) Look(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { _isAlone = false; }
        await Task.WhenAll(_running.Values);
    }

    void Look(CancellationToken ct)
    {
        Note(plans.FollowKey);
        var (plan, now) = (plans.Kept.Plan, TimeProvider.System.GetUtcNow());
        var until = contact.AnsweredAt + plan.Lasts;
        var isAlone = plan.Parts.Count > 0 && plans.IsOfLatestTerm && contact.IsAlone(plan.After, identity.Membership.Urls.Count);
        if (isAlone && until <= now)
        {
            if (_isAlone) LogTooLong(log, plan.Lasts.TotalDays);
            isAlone = false;
        }
        if (isAlone != _isAlone)
        {
            if (isAlone) LogAlone(log, contact.AnsweredAt, plan.Parts.Count, until);
            _isAlone = isAlone;
        }
        if (isAlone && Environment.TickCount64 >= _restsUntil) Start(plan, now, ct);
    }

    void Start(AlonePlan plan, DateTimeOffset now, CancellationToken ct)
    {
        if (!ReferenceEquals(plan, _planOfDue))
        {
            _due.Clear();
            _planOfDue = plan;
        }
        foreach (var part in plan.Parts)
        {
            if (_running.Count >= Slots) return;
            if (_running.ContainsKey(part.Item) || DueOf(part) is not { } due) continue;
            var (since, done) = ledger.Of(part.Item);
            // Without the nodes' word nobody knows what was made already.
            if (since is null || due.Look(since.Value, done, now) is not { } nominal) continue;
            if (queue.IsFull)
            {
                if (!_saidFull) LogFull(log, AloneQueue.MostRuns);
                _saidFull = true;
                return;
            }
            if (turns.TryTake(part.Item) is not { } turn) continue;
            BeginAlone(new AloneRun
            {
                Id = RunId.New(TimeProvider.System),
                Policy = part.Policy,
                Item = part.Item,
                NominalAt = nominal,
                Repository = part.Repository,
                Title = part.Name,
                AloneSince = contact.AnsweredAt,
                StartedAt = now,
                EndedAt = now,
                Attempts = 0,
                Result = Interrupted,
            }, turn, plan, ct);
        }
    }

    AloneDue? DueOf(AlonePart part)
    {
        if (_due.TryGetValue(part.Item, out var known)) return known;
        try { return _due[part.Item] = new AloneDue(part.Schedule, part.Item); }
        catch (BadInputException e)   // for example a time zone that this host does not know
        {
            LogNoSchedule(log, part.Name, e.Message);
            return _due[part.Item] = null;
        }
    }

    /// <summary>Begins a run where no node has answered meanwhile. Whoever asks for work notes the answer first and looks then at what is
    /// at work here, so one of the two sees the other.</summary>
    void BeginAlone(AloneRun run, IDisposable turn, AlonePlan plan, CancellationToken ct)
    {
        _running[run.Item] = Task.CompletedTask;
        if (contact.IsAlone(plan.After, identity.Membership.Urls.Count))
        {
            Begin(run, turn, ct);
            return;
        }
        _running.TryRemove(run.Item, out _);
        turn.Dispose();
    }

    void Begin(AloneRun run, IDisposable turn, CancellationToken ct)
        => _running[run.Item] = Task.Run(() => Carry(run, turn, ct), CancellationToken.None);

    async Task Carry(AloneRun run, IDisposable turn, CancellationToken ct)
    {
        try
        {
            run = run with { Attempts = run.Attempts + 1 };
            if (JobOf(plans.Kept.Plan, run) is { } job && run.Attempts <= MostAttempts)
            {
                queue.Begin(run);
                ledger.Cover(run.Item, run.NominalAt, run.StartedAt);
                LogBegins(log, run.Id.ToString(), run.Title, run.NominalAt);
                run = await Make(run, job, ct);
            }
            await Keep(run, ct);
            LogEnded(log, run.Id.ToString(), run.Result.Outcome, run.Result.Error?.Message ?? "");
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { LogStopped(log, run.Id.ToString()); }   // made again
        // What cannot be noted must not begin: the disk is full, or failing.
        catch (Exception e) when (IsOfDisk(e))
        {
            _restsUntil = Environment.TickCount64 + (long)AfterFailedNote.TotalMilliseconds;
            LogUnnoted(log, e.Message);
        }
        finally
        {
            turn.Dispose();
            _running.TryRemove(run.Item, out _);
        }
    }

    /// <summary>Notes what came of a run, however long the disk has no room for it.</summary>
    async Task Keep(AloneRun run, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                queue.End(run);
                ledger.Cover(run.Item, run.NominalAt, run.EndedAt);
                return;
            }
            catch (Exception e) when (IsOfDisk(e)) { LogUnnoted(log, e.Message); }   // the snapshot is there: only its note is missing
            await Task.Delay(AfterFailedNote, TimeProvider.System, ct);
        }
    }

    /// <summary>Null where the plan does not have it any more, or a later control plane was met that is to be asked first.</summary>
    Job? JobOf(AlonePlan plan, AloneRun run)
        => plans.IsOfLatestTerm && plan.Parts.FirstOrDefault(part => part.Item == run.Item && part.Policy == run.Policy) is { } part
            && plan.Repositories.FirstOrDefault(one => one.Id == part.Repository) is { } repository
            ? new Job
            {
                Kind = JobKind.Backup,
                Repository = repository,
                Backup = part.Backup with { Tags = [.. part.Backup.Tags, $"backupdr.run={run.Id}"] },
            } : null;

    async Task<AloneRun> Make(AloneRun run, Job job, CancellationToken ct)
    {
        var reporter = new RunReporter(TimeProvider.System);
        reporter.Event(EventLevel.Info, "run.alone", string.Create(CultureInfo.InvariantCulture, $"No node has answered since "
            + $"{run.AloneSince.UtcDateTime:u}: this host makes the backup of {run.NominalAt.UtcDateTime:u} by itself."));
        if (run.Attempts > 1) reporter.Event(EventLevel.Warning, "run.interrupted",
            $"The agent ended in the middle of it. This is try {run.Attempts}; what was uploaded is reused.");
        var result = await jobs.Run(new LeasedRun(run.Id, run.Attempts, 0, job), reporter, ct);
        if (result.Backup is { } taken) result = result with { Backup = taken with { MadeAlone = true } };
        return run with { EndedAt = TimeProvider.System.GetUtcNow(), Result = result, Events = reporter.Newest() };
    }

    static readonly JobResult Interrupted = new()
    {
        Outcome = JobOutcome.Failed,
        Error = new JobError("run.interrupted", "The agent ended in the middle of it, and it could not be made again.",
            "Look at the agent's log on its host. What was uploaded is reused by the next backup."),
    };

    void Note(Action write)
    {
        try { write(); }
        catch (Exception e) when (IsOfDisk(e)) { LogUnnoted(log, e.Message); }   // noted with the next look, or the next run
    }

    static bool IsOfDisk(Exception e) => e is IOException or UnauthorizedAccessException or PosixException;

    [LoggerMessage(3401, LogLevel.Warning, "No node has answered since {Since:u}: due backups of {Items} item(s) are made by this host "
        + "alone, until {Until:u} at the longest")]
    static partial void LogAlone(ILogger log, DateTimeOffset since, int items, DateTimeOffset until);

    [LoggerMessage(3402, LogLevel.Error, "No node has answered for {Days} day(s): this host makes no further backups by itself")]
    static partial void LogTooLong(ILogger log, double days);

    [LoggerMessage(3403, LogLevel.Information, "{Run}: alone, backing up {Item} for {NominalAt:u}")]
    static partial void LogBegins(ILogger log, string run, string item, DateTimeOffset nominalAt);

    [LoggerMessage(3404, LogLevel.Information, "{Run}: {Outcome} {Reason}")]
    static partial void LogEnded(ILogger log, string run, JobOutcome outcome, string reason);

    [LoggerMessage(3405, LogLevel.Information, "{Run}: stopped with the agent, and made again when it is back")]
    static partial void LogStopped(ILogger log, string run);

    [LoggerMessage(3406, LogLevel.Error, "What this host does alone cannot be noted, so nothing more begins: {Reason}")]
    static partial void LogUnnoted(ILogger log, string reason);

    [LoggerMessage(3407, LogLevel.Error, "{Count} backups that this host made alone wait to be told: no further one begins")]
    static partial void LogFull(ILogger log, int count);

    [LoggerMessage(3408, LogLevel.Warning, "{Item} is not backed up alone: {Reason}")]
    static partial void LogNoSchedule(ILogger log, string item, string reason);
}
