using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Looks whether a server that a runbook promoted, and the one whose place it took, both take writes: a site that was cut off came
/// back as it was. Nothing is done about it but telling: which of the two is right is for people to say.</summary>
/// <remarks>Only what the servers say of themselves counts, not what was executed: before a failover, and after the old primary was made a
/// standby, one of them is a standby.</remarks>
public sealed class SplitBrains(Postgres db, AgentQuestions questions, AlertBook alerts)
{
    /// <summary>Looks at the promotions of all runbooks that were ever executed in earnest; any node may.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var all = await db.Query("select r.id, r.name, v.spec from runbook r join runbook_version v on v.runbook_id = r.id "
            + "and v.version = r.version where r.removed_at is null and jsonb_path_exists(v.spec, '$.steps[*].promote.instead') "
            + "and exists (select from execution e where e.runbook_id = r.id and e.mode <> 'Rehearsal')", [],
            row => (Id: row.Id<RunbookId>(0), Name: row.Text(1), Spec: row.Json("spec", WireJson.Default.RunbookSpec)!), ct);
        foreach (var (id, name, spec) in all)
            foreach (var step in spec.Steps.Where(step => step.Promote?.Instead is not null)) await Look(id, name, step, ct);
        return 0;
    }

    async Task Look(RunbookId id, string runbook, StepSpec step, CancellationToken ct)
    {
        var (promote, old) = (step.Promote!, step.Promote!.Instead!);
        var cause = Cause(id, step.Name);
        var isOld = await TakesWrites(cause, old.Host, old.Cluster ?? promote.Cluster, ct);
        var isNew = isOld == true ? await TakesWrites(cause, promote.Host, promote.Cluster, ct) : false;
        if (isOld is null || isNew is null) return;   // what was told stays told
        await db.InTransaction(async tx =>
        {
            if (isNew.Value) await alerts.Raise(tx, Alert(id, runbook, step.Name, promote.Host, old.Host), ct);
            else await alerts.Clear(tx, cause, ct);
        }, ct);
    }

    static string Cause(RunbookId id, string step) => $"runbook:{id}:split:{step}";

    /// <summary>What is told of two servers that both take writes.</summary>
    /// <param name="id">The runbook.</param>
    /// <param name="runbook">Its name.</param>
    /// <param name="step">The step that promoted one of them.</param>
    /// <param name="promoted">The host of that one.</param>
    /// <param name="old">The host of the other one.</param>
    public static RaisedAlert Alert(RunbookId id, string runbook, string step, string promoted, string old) => new()
    {
        Cause = Cause(id, step),
        Kind = AlertKind.SplitBrain,
        Severity = AlertSeverity.Broken,
        Title = $"Split brain: the database server that '{runbook}' promoted on {promoted}, and the old one on {old}, both take writes.",
        Effect = "What is written to one of them is missing in the other, and one of the two will have to be given up. Keep everybody from "
            + "the one that is wrong, and stop it; then look at what only it has, and make it a standby (DbReprotect).",
        Action = "Look at the runbook.",
        ActionUrl = $"/runbooks/{id}",
    };

    /// <summary>Whether a server takes writes; null where nobody knows, because its host does not answer.</summary>
    async Task<bool?> TakesWrites(string key, string host, PostgreSqlSpec cluster, CancellationToken ct)
    {
        if (await HostTable.FindByName(db, host, ct) is not { } id || await HostTable.Find(db, id, ct) is not { State: HostState.Online })
            return null;
        try
        {
            var report = await questions.Step(id, new HostStep
            {
                Key = key,
                Wish = HostStepWish.Look,
                Database = new HostDatabase(cluster, DatabaseVerb.Promote),
            }, ct);
            return report.Facts.TryGetValue("wasStandby", out var standby) ? standby == "false" : null;
        }
        // The host answered that its server does not: it is stopped, starts or stops.
        catch (ConflictException e) when (e.Code == "postgres.unreachable") { return false; }
        catch (ConflictException) { return null; }   // the host does not let runbooks look at it
        catch (UnavailableException) { return null; }   // the host went away meanwhile
    }
}
