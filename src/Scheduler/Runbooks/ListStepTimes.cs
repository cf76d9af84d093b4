using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>How long the steps of a runbook took in earlier executions.</summary>
public sealed class ListStepTimes(Postgres db)
{
    /// <summary>Executions that are looked at: enough for the times that count, of steps that not every mode has too.</summary>
    const int Most = 20;

    /// <exception cref="NotFoundException">There is none, or it was removed.</exception>
    public async Task<RunbookTimes> Handle(Caller caller, ListStepTimesRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        var runbook = await RunbookTable.Get(db, request.Id, ct);
        var executions = await db.Query("select v.spec, e.state from execution e join runbook_version v on v.runbook_id = e.runbook_id and "
            + $"v.version = e.version where e.runbook_id = $1 and e.phase = 'Ended' order by e.started_at desc limit {Most}",
            [request.Id], row => (Spec: row.Json("spec", WireJson.Default.RunbookSpec)!,
                State: row.Json("state", WireJson.Default.Execution)!), ct);
        var times = StepTimes.Of(runbook.Spec, executions);
        return new RunbookTimes(times, RunbookProblems.OfCourse(runbook.Spec).Count > 0 ? null
            : RunbookPath.Of(new RunbookGraph(runbook.Spec), times, ExecutionMode.Disaster));
    }
}
