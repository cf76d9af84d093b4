using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Looks whether anything stands in the way of an execution, without changing anything: on saving, hourly, and before an
/// execution.</summary>
public sealed partial class Readiness(Postgres db, StepExecutors executors, ILogger<Readiness> log)
{
    /// <summary>From one look to the next; time of one look.</summary>
    static readonly TimeSpan Every = TimeSpan.FromHours(1), LongestLook = TimeSpan.FromSeconds(20);
    /// <summary>Steps that are looked at at once; most problems that are kept.</summary>
    const int AtOnce = 8, MostProblems = 50;

    /// <summary>Looks at those that are due; any node may.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var due = await db.Query("select id from runbook where removed_at is null and (evaluated_at is null or evaluated_at < clock() - $1)"
            + " order by evaluated_at nulls first limit 10", [Every], row => row.Id<RunbookId>(0), ct);
        foreach (var id in due) await Look(id, ct);
        return due.Count;
    }

    /// <summary>Looks at one, and keeps what was found.</summary>
    internal async Task Look(RunbookId id, CancellationToken ct)
    {
        var now = await db.First("select r.name, r.version, v.spec from runbook r join runbook_version v on v.runbook_id = r.id and "
            + "v.version = r.version where r.id = $1 and r.removed_at is null", [id],
            row => new { Name = row.Text(0), Version = row.Int(1), Spec = row.Json("spec", WireJson.Default.RunbookSpec)! }, ct);
        if (now is null) return;   // removed meanwhile
        IReadOnlyList<RunbookProblem> problems = [.. RunbookProblems.Of(now.Spec), .. executors.Missing(now.Spec)];
        if (problems.Count == 0) problems = await Outside(id, now.Name, now.Spec, ct);
        // Of a version that is no longer the newest nobody wants to know.
        await db.InTransaction(async tx =>
        {
            if (await tx.Execute("update runbook set problems = $3, evaluated_at = clock() where id = $1 and version = $2", [id,
                now.Version, JsonText.Of<IReadOnlyList<RunbookProblem>>([.. problems.Take(MostProblems)],
                    WireJson.Default.IReadOnlyListRunbookProblem)], ct) > 0)
                await Notifications.Changed(tx, "runbooks", id.ToString(), ct);
        }, ct);
    }

    async Task<IReadOnlyList<RunbookProblem>> Outside(RunbookId id, string name, RunbookSpec spec, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(LongestLook);
        var problems = new List<RunbookProblem>[spec.Steps.Count];
        await Parallel.ForEachAsync(Enumerable.Range(0, spec.Steps.Count), new ParallelOptions
        {
            MaxDegreeOfParallelism = AtOnce,
            CancellationToken = ct
        }, async (place, _) => problems[place] = await OfStep(id, name, spec.Steps[place], late.Token, ct));
        return [.. problems.SelectMany(found => found)];
    }

    async Task<List<RunbookProblem>> OfStep(RunbookId id, string name, StepSpec step, CancellationToken late, CancellationToken ct)
    {
        // What a step finds out is not known before: its values are looked at when it is executed.
        if (executors.Of(step.Kind) is not { } executor || StepVariables.Has(step)) return [];
        var until = TimeProvider.System.GetUtcNow() + LongestLook;
        try
        {
            return [.. await executor.Evaluate(new StepWork
            {
                Execution = id.ToString(),
                Runbook = name,
                Mode = ExecutionMode.Planned,
                Step = step,
                Activity = StepActivity.Simulate,
                Attempt = 0,
                Until = until,
            }, late)];
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return [new($"steps.{step.Name}", $"It did not answer within {LongestLook.TotalSeconds:0} s.",
                "See whether it can be reached.")];
        }
        // One kind that is broken must not keep the others from being looked at.
        catch (Exception e) when (e is not OperationCanceledException && !Outage.Is(e))
        {
            LogBroken(log, step.Kind, e);
            return [new($"steps.{step.Name}", $"It could not be looked at: {e.Message}", "The node's log has the details at this time.")];
        }
    }

    [LoggerMessage(2741, LogLevel.Error, "Looking at a step of the kind {Kind} broke")]
    static partial void LogBroken(ILogger log, StepKind kind, Exception exception);
}
