using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Begins the rehearsals that runbooks want.</summary>
sealed class RehearsalsDue(Postgres db, ExecutionStart start)
{
    static readonly Caller Schedule = Caller.System("schedule");

    /// <summary>Begins those that are due; any node may. What is executed now, or has a problem, waits.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var candidates = await db.Query("""
            select r.id, v.spec, clock() - coalesce((select max(e.started_at) from execution e where e.runbook_id = r.id
                and e.mode = 'Rehearsal'), r.created_at) as since
            from runbook r join runbook_version v on v.runbook_id = r.id and v.version = r.version
            where r.removed_at is null and r.problems = '[]'
                and not exists (select from execution e where e.runbook_id = r.id and e.phase <> 'Ended')
            """, [], row => (Id: row.Id<RunbookId>("id"), row.Json("spec", WireJson.Default.RunbookSpec)!.RehearseEvery,
                Since: row.Span("since")), ct);
        var begun = 0;
        foreach (var one in candidates.Where(one => one.RehearseEvery > TimeSpan.Zero && one.Since >= one.RehearseEvery))
        {
            try
            {
                await start.Begin(Schedule, one.Id, ExecutionMode.Rehearsal, "It is due.", null, ct);
                begun++;
            }
            // Another node began it this moment, or an item of it is in use: there is a next turn.
            catch (BackupDrException e) when (e is ConflictException or NotFoundException) { continue; }
        }
        return begun;
    }
}
