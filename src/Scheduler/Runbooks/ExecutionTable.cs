using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Executions, read.</summary>
static class ExecutionTable
{
    /// <summary>Most that are listed; most events of one answer.</summary>
    const int Most = 100, MostEvents = 500;

    public const string Select = "select e.id, e.runbook_id, r.name, e.version, e.mode, e.phase, e.outcome, e.by_whom, e.why, "
        + "e.started_at, e.ended_at, e.parent_id, e.parts, e.bundle from execution e join runbook r on r.id = e.runbook_id";

    public static ExecutionSummary Read(Row row) => new()
    {
        Id = row.Id<ExecutionId>("id"),
        Runbook = row.Id<RunbookId>("runbook_id"),
        RunbookName = row.Text("name"),
        Version = row.Int("version"),
        Mode = row.Word<ExecutionMode>("mode"),
        Phase = row.Word<ExecutionPhase>("phase"),
        Outcome = row.WordOrNull<ExecutionOutcome>("outcome"),
        By = row.Text("by_whom"),
        Why = row.Text("why"),
        StartedAt = row.Time("started_at"),
        EndedAt = row.TimeOrNull("ended_at"),
        Parent = row.IdOrNull<ExecutionId>("parent_id"),
        Parts = row.Json("parts", WireJson.Default.IReadOnlyListExecutionPart),
        Bundle = row.TextOrNull("bundle"),
    };

    public static async Task<IReadOnlyList<ExecutionSummary>> List(SqlSource db, RunbookId? runbook, bool open, CancellationToken ct)
        => await db.Query($"{Select} where ($1::uuid is null or e.runbook_id = $1) and (not $2 or e.phase <> 'Ended') "
            + $"order by e.started_at desc limit {Most}", [runbook?.Value, open], Read, ct);

    /// <exception cref="NotFoundException">There is none.</exception>
    public static async Task<ExecutionView> Get(SqlSource db, ExecutionId id, CancellationToken ct)
    {
        var found = await db.First("""
            select e.id, e.runbook_id, r.name, e.version, e.mode, e.phase, e.outcome, e.by_whom, e.why, e.started_at, e.ended_at,
                e.parent_id, e.parts, e.bundle, e.state, e.proposal, v.spec, v.hash, clock() as now
            from execution e join runbook r on r.id = e.runbook_id
            join runbook_version v on v.runbook_id = e.runbook_id and v.version = e.version where e.id = $1
            """, [id], row => new ExecutionView
        {
            Summary = Read(row),
            Spec = row.Json("spec", WireJson.Default.RunbookSpec)!,
            Hash = Convert.ToHexStringLower(row.Bytes("hash")),
            State = row.Json("state", WireJson.Default.Execution)!,
            Proposal = row.Json("proposal", WireJson.Default.ExecutionProposal),
            Now = row.Time("now"),
        }, ct) ?? throw NotThere();
        return found with
        {
            Proposal = IsOpen(found.State, found.Proposal) ? found.Proposal : null,
            AtWork = await db.Query("select step, attempt, node from activity where execution_id = $1 order by wanted_at, step", [id],
                row => new ActivityHolder(row.Text(0), row.Int(1), row.TextOrNull(2)), ct),
        };
    }

    /// <summary>Whether what was proposed is still the choice that is waited for.</summary>
    public static bool IsOpen(Execution state, ExecutionProposal? proposal) => proposal is not null
        && state.Steps.Any(step => step.Name == proposal.Step && step.Attempt == proposal.Attempt && step.IsOpen);

    public static async Task<IReadOnlyList<ExecutionEventLine>> Events(SqlSource db, ExecutionId id, long after, CancellationToken ct)
        => await db.Query($"select seq, at, event, told from execution_event where execution_id = $1 and seq > $2 order by seq "
            + $"limit {MostEvents}", [id, after], row => new ExecutionEventLine(row.Long(0), row.Time(1),
                row.Long(0) == 0 ? null : row.Json("event", WireJson.Default.ExecutionEvent), row.Texts("told")), ct);

    internal static NotFoundException NotThere() => new("An execution with this id");
}
