using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>A child execution as it is now, and the one that it is a part of.</summary>
sealed record ChildState(ExecutionId Id, Execution State, int Version, Execution Parent);

/// <summary>Executions that are steps of another one: looked at, told what to do, and brought to their end with it.</summary>
sealed class ChildExecutions(Postgres db, IServiceProvider parts)
{
    /// <summary>Children that are looked at in a turn.</summary>
    const int MostAtOnce = 50;

    /// <summary>One; null where there is none.</summary>
    public Task<ChildState?> Find(ExecutionId id, CancellationToken ct) => db.First($"{Select} where c.id = $1", [id], Read, ct);

    /// <summary>All of a step, the newest first.</summary>
    public async Task<IReadOnlyList<ChildState>> Of(ExecutionId parent, string step, CancellationToken ct)
        => await db.Query($"{Select} where c.parent_id = $1 and c.parent_step = $2 order by c.started_at desc", [parent, step], Read, ct);

    const string Select = "select c.id, c.state, c.version, p.state as parent from execution c join execution p on p.id = c.parent_id";

    static ChildState Read(Row row) => new(row.Id<ExecutionId>("id"), row.Json("state", WireJson.Default.Execution)!, row.Int("version"),
        row.Json("parent", WireJson.Default.Execution)!);

    /// <summary>Tells one what the execution wants that it is a part of.</summary>
    /// <returns>Whether that fitted.</returns>
    public async Task<bool> Tell(ExecutionId child, ExecutionEventKind kind, string by, CancellationToken ct)
    {
        try
        {
            await parts.GetRequiredService<ActivityWork>().Take(child,
                [new Arrival(new ExecutionEvent { Kind = kind, At = default, By = by })], ct);
            return true;
        }
        catch (ConflictException) { return false; }   // it came to another point meanwhile; it is looked at again
    }

    /// <summary>Lets the result count of what waits for an execution that is over, and stops what nobody waits for any more.</summary>
    public async Task<int> Settle(CancellationToken ct)
    {
        var left = await db.Query("select c.id, c.phase, r.name from execution c join execution p on p.id = c.parent_id "
            + "join runbook r on r.id = p.runbook_id where p.phase = 'Ended' and c.phase in ('Running', 'Paused', 'AwaitingCommit') "
            + $"limit {MostAtOnce}", [], row => (Id: row.Id<ExecutionId>(0), Phase: row.Word<ExecutionPhase>(1), Parent: row.Text(2)), ct);
        var told = 0;
        foreach (var one in left)
            if (await Tell(one.Id, one.Phase == ExecutionPhase.AwaitingCommit ? ExecutionEventKind.CommitAsked
                : ExecutionEventKind.StopAsked, By(one.Parent), ct)) told++;
        return told;
    }

    /// <summary>Who it is that tells a child something.</summary>
    public static string By(string runbook) => $"The runbook '{runbook}'";

    /// <summary>Executions that were begun as steps of one, and theirs, for its evidence.</summary>
    public static async Task<IReadOnlyList<ExecutedPart>> Below(Transaction tx, ExecutionId id, CancellationToken ct)
    {
        var found = await tx.Query("""
            with recursive below as (
                select e.id, e.parent_step as way, e.runbook_id, e.version, e.state, e.started_at from execution e where e.parent_id = $1
                union all select e.id, b.way || '/' || e.parent_step, e.runbook_id, e.version, e.state, e.started_at
                from execution e join below b on e.parent_id = b.id)
            select b.way, b.id, r.name, b.version, v.hash, b.state from below b join runbook r on r.id = b.runbook_id
            join runbook_version v on v.runbook_id = b.runbook_id and v.version = b.version order by b.started_at, b.way
            """, [id], row => new ExecutedPart(row.Text(0), row.Id<ExecutionId>(1).ToString(), row.Text(2), row.Int(3),
                Convert.ToHexStringLower(row.Bytes(4)), row.Json("state", WireJson.Default.Execution)!), ct);
        return found;
    }
}
