using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Runbooks with those that they execute, as they are now.</summary>
static class RunbookTrees
{
    /// <summary>One with its newest parts. Of a runbook that executes none nothing is asked.</summary>
    public static async Task<RunbookTree> Read(SqlSource db, string name, RunbookSpec spec, CancellationToken ct)
        => new(name, spec, RunbookTree.Children(spec).Any() ? await db.Query("select r.name, r.id, r.version, v.spec from runbook r "
            + "join runbook_version v on v.runbook_id = r.id and v.version = r.version where r.removed_at is null", [],
            row => new KnownRunbook(new ExecutionPart(row.Text(0), row.Id<RunbookId>(1), row.Int(2)),
                row.Json("spec", WireJson.Default.RunbookSpec)!), ct) : []);

    /// <summary>Refuses one that cannot be executed with its parts, in the transaction that saved it.</summary>
    /// <exception cref="BadInputException">The message has a line for each problem.</exception>
    public static async Task Check(SqlSource db, string name, RunbookSpec spec, CancellationToken ct)
        => RunbookTable.Refuse((await Read(db, name, spec, ct)).Problems);
}
