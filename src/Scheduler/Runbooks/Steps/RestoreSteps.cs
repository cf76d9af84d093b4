using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Drills;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>Brings a database back.</summary>
sealed class RestoreDatabase(RestoreItem restore) : IStepExecutor
{
    public StepKind Kind => StepKind.RestoreDatabase;

    public Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
        => restore.Evaluate(work, isDatabase: true, ct);

    public Task<StepResult> CarryOut(StepWork work, CancellationToken ct) => restore.CarryOut(work, ct);
}

/// <summary>Brings files back.</summary>
sealed class RestoreFiles(RestoreItem restore) : IStepExecutor
{
    public StepKind Kind => StepKind.RestoreFiles;

    public Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
        => restore.Evaluate(work, isDatabase: false, ct);

    public Task<StepResult> CarryOut(StepWork work, CancellationToken ct) => restore.CarryOut(work, ct);
}

/// <summary>A restore as a step: an ordinary restore run beside the original, of which the step is the waiting. In a rehearsal it is a
/// test restore, which works in a sandbox of its own and takes that down itself.</summary>
/// <remarks>The run's id is made from the step's attempt, so whoever carries it out again finds the run that was made.</remarks>
sealed class RestoreItem(Postgres db, RequestRestore request, RestoreMoment moments, ListRecoveryPoints points,
    ShowItem showItem, ShowRun showRun, CancelRun cancel, TimeProvider clock)
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);
    /// <summary>Timers of two clocks do not end at the same moment.</summary>
    static readonly TimeSpan Margin = TimeSpan.FromSeconds(1);
    static readonly Caller Itself = Caller.System("runbook");

    public async Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, bool isDatabase, CancellationToken ct)
    {
        var at = $"steps.{work.Step.Name}.restore";
        var spec = work.Step.Restore!;
        Item item;
        try { item = await showItem.Handle(Itself, new ShowItemRequest(spec.Item), ct); }
        catch (NotFoundException)
        {
            return [new($"{at}.item", $"There is no item {spec.Item}.", "Name one that is protected; the page Items lists them.")];
        }
        var problems = new List<RunbookProblem>();
        var isOne = item.Source.Kind is SourceKind.PostgreSql or SourceKind.MariaDb or SourceKind.Sqlite;
        if (isOne != isDatabase)
            problems.Add(new($"{at}.item", $"'{item.Name}' is {(isOne ? "a database" : "no database")}.",
                isOne ? "Use the kind RestoreDatabase." : "Use the kind RestoreFiles."));
        if (spec.Point == RestoreWhich.EndOfLog && item.Source is { PostgreSql: null, MariaDb: null })
            problems.Add(new($"{at}.point", $"'{item.Name}' has no log.", "Restore its newest point."));
        if (Choose(await points.Handle(Itself, new ListRecoveryPointsRequest(item.Id), ct), spec.Point) is null)
            problems.Add(new($"{at}.point", $"'{item.Name}' has no recovery point that would do.", spec.Point == RestoreWhich.NewestProven
                ? "Have one test-restored, or take the newest." : "Let its first backup end."));
        return problems;
    }

    public async Task<StepResult> CarryOut(StepWork work, CancellationToken ct) => work.Activity switch
    {
        StepActivity.CleanUp => StepResult.Done("The test restore took its sandbox down itself."),
        StepActivity.Compensate => StepResult.Done(work.Outputs.TryGetValue("target", out var target)
            ? $"Nothing was replaced, so nothing is undone: the copy stays at {target}." : "Nothing was restored."),
        StepActivity.Simulate => await Simulated(work, ct),
        _ => await Restored(work, ct),
    };

    async Task<StepResult> Simulated(StepWork work, CancellationToken ct)
    {
        var found = await Find(work.Step.Restore!, ct);
        return found.Point is { } point ? StepResult.Done($"It would restore {point.Id}.", await Outputs(point, ct)) : found.Problem!;
    }

    async Task<StepResult> Restored(StepWork work, CancellationToken ct)
    {
        var run = RunOf(work.IdempotencyKey);
        if (await Existing(run, ct) is null)
        {
            var found = await Find(work.Step.Restore!, ct);
            if (found.Point is not { } point) return found.Problem!;
            try
            {
                if (work.Mode == ExecutionMode.Rehearsal) await Drill(run, point, work, ct);
                else await Begin(run, point, work.Step.Restore!, ct);
            }
            catch (BackupDrException e) when (!e.IsTransient) { return StepResult.Failed($"{e.Message} {e.Hint}"); }
        }
        return await Ended(run, work, ct);
    }

    Task Begin(RunId run, RecoveryPoint point, RestoreStep spec, CancellationToken ct) => spec.Point == RestoreWhich.EndOfLog
        ? moments.Handle(Itself, new RestoreMomentRequest
        {
            Id = run,
            Item = spec.Item,
            Moment = new Moment { Kind = MomentKind.Latest },
            Host = spec.Host,
            Target = spec.Target,
        }, ct)
        : request.Handle(Itself, new RequestRestoreRequest
        {
            Id = run,
            Point = point.Id,
            Host = spec.Host,
            Target = spec.Target,
        }, ct);

    async Task Drill(RunId run, RecoveryPoint point, StepWork work, CancellationToken ct)
    {
        var item = await showItem.Handle(Itself, new ShowItemRequest(work.Step.Restore!.Item), ct);
        await db.InTransaction(async tx =>
        {
            var proof = (await PolicyTable.Get(tx, item.Policy, ct)).Spec.Proof;
            await DrillRuns.Start(tx, run, new DrilledPoint(item.Id, item.Policy, item.Name, item.Host, point.Repository, item.Source,
                point.Id, point.SnapshotId, proof), work.Step.Restore!.Host ?? item.Host, $"runbook {work.Runbook}", ct);
        }, ct);
    }

    async Task<StepResult> Ended(RunId id, StepWork work, CancellationToken ct)
    {
        try
        {
            while (true)
            {
                var run = await showRun.Handle(Itself, new ShowRunRequest(id), ct);
                if (run.FinishedAt is not null) return await ResultOf(run, ct);
                await Task.Delay(LookEvery, clock, ct);
            }
        }
        catch (OperationCanceledException)
        {
            // Not where this node stops: another one waits for the same run then, which it cannot tell from here. It asks for the end only
            // once the step's own time is over.
            if (work.Now(clock) >= work.Until - Margin) await Stop(id);
            throw;
        }
    }

    async Task Stop(RunId id)
    {
        try { await cancel.Handle(Itself, new CancelRunRequest(id), CancellationToken.None); }
        catch (Exception e) when (e is ConflictException || Outage.Is(e)) { return; }   // it ended by itself, or its page tells of it
    }

    async Task<StepResult> ResultOf(Run run, CancellationToken ct)
    {
        var outputs = new Dictionary<string, string> { ["run"] = run.Id.ToString(), ["host"] = run.HostName };
        if (run.Target is { } target && run.Kind == JobKind.Restore) outputs["target"] = target.ToString();
        if (run.RecoveryPoint is { } id)
        {
            var takenAt = await db.Scalar<DateTimeOffset>("select taken_at from recovery_point where id = $1", [id], ct);
            foreach (var (name, value) in OfPoint(id, takenAt, run.CreatedAt)) outputs[name] = value;
        }
        var drill = run.Result?.Drill;
        if (run.State == RunState.Complete && drill is null or { Result: ProofResult.Proven })
            return StepResult.Done(drill is null ? $"Restored to {run.Target} on {run.HostName}."
                : "Restored in a sandbox, checked, and taken down.", outputs);
        var why = run.Result?.Error?.Message ?? drill?.Reason ?? "its log tells why";
        return StepResult.Failed($"The run {run.Id} ended {run.State}: {why}", outputs);
    }

    static Dictionary<string, string> OfPoint(RecoveryPointId id, DateTimeOffset takenAt, DateTimeOffset from) => new()
    {
        ["point"] = id.ToString(),
        ["takenAt"] = takenAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
        ["ageSeconds"] = Math.Max(0, (from - takenAt).TotalSeconds).ToString("0", CultureInfo.InvariantCulture),
    };

    async Task<Dictionary<string, string>> Outputs(RecoveryPoint point, CancellationToken ct)
        => OfPoint(point.Id, point.TakenAt, await db.Scalar<DateTimeOffset>("select clock()", [], ct));

    async Task<(RecoveryPoint? Point, StepResult? Problem)> Find(RestoreStep spec, CancellationToken ct)
    {
        try
        {
            var all = await points.Handle(Itself, new ListRecoveryPointsRequest(spec.Item), ct);
            return Choose(all, spec.Point) is { } point ? (point, null)
                : (null, StepResult.Failed(spec.Point == RestoreWhich.NewestProven ? "No recovery point of the item was proven."
                    : "The item has no complete recovery point."));
        }
        catch (NotFoundException e) { return (null, StepResult.Failed($"{e.Message}: {spec.Item}.")); }
    }

    internal static RecoveryPoint? Choose(IReadOnlyList<RecoveryPoint> all, RestoreWhich which) => all.FirstOrDefault(point
        => point.GoneAt is null && (which == RestoreWhich.NewestProven ? point.Proof == ProofResult.Proven : point.IsComplete));

    async Task<Run?> Existing(RunId id, CancellationToken ct)
    {
        try { return await showRun.Handle(Itself, new ShowRunRequest(id), ct); }
        catch (NotFoundException) { return null; }
    }

    /// <summary>The same id for the same attempt, on whichever node.</summary>
    internal static RunId RunOf(string key) => RunId.From(new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(key)).AsSpan(0, 16)));
}
