using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Retention;

/// <summary>Stops the retention of an item whose new point is unlike those before it, and tells somebody.</summary>
public sealed class AnomalyHold(EvidenceLog evidence, AlertBook alerts)
{
    const string System = "system";
    const int Past = 10;

    /// <summary>What groups the alerts about an item's hold.</summary>
    internal static string Cause(ItemId item) => $"item:{item}:held";

    /// <summary>Compares a new point with those before it, and puts a hold with the reasons where something is unusual.</summary>
    internal async Task Check(Transaction tx, EndedRun run, ItemId item, string name, RecoveryPointId point, BackupResult now,
        AnomalySpec spec, CancellationToken ct)
    {
        var past = await tx.Query("select backup from recovery_point where item_id = $1 and id <> $2 and is_complete and gone_at is null "
            + "order by received_at desc limit $3", [item, point, Past], row => row.Json("backup", WireJson.Default.BackupResult)!, ct);
        var found = Anomalies.Of(now, past, spec);
        if (found.Count == 0) return;
        var reason = string.Join(' ', found);
        if (!await HoldTable.Put(tx, item, System, reason, point, ct)) return;
        await RunTable.Event(tx, run.Id, run.Epoch, EventLevel.Warning, "retention.held",
            $"Nothing of this item is forgotten until a person has looked: {reason}", ct);
        await alerts.Raise(tx, new RaisedAlert
        {
            Cause = Cause(item),
            Kind = AlertKind.RetentionHeld,
            Severity = AlertSeverity.Warning,
            Title = $"A recovery point of {name} is unlike those before it: {reason}",
            Effect = "Backups go on, and nothing of the item is forgotten until a person has looked.",
            Items = [new AlertItem(item, name)],
            Action = "Look at the point, then let retention go on.",
            ActionUrl = $"/items/{item}#retention",
        }, ct);
        await evidence.Append(tx, "hold", item.ToString(), (await RunEvidence.Of(tx, run, ct)) with
        {
            Item = item.ToString(),
            Point = point.ToString(),
            Reason = reason,
        }, ct);
    }
}
