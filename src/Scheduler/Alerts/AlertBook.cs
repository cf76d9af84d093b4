using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Alerts;

/// <summary>Something to be raised, or to stay raised.</summary>
public sealed record RaisedAlert
{
    /// <summary>What groups it: one open alert for each, for example "host:host_…" or "item:item_…:overdue".</summary>
    public required string Cause { get; init; }
    /// <summary>What it is about.</summary>
    public required AlertKind Kind { get; init; }
    /// <summary>How bad it is.</summary>
    public required AlertSeverity Severity { get; init; }
    /// <summary>What happened, in one sentence without durations: it is written again only where something changed.</summary>
    public required string Title { get; init; }
    /// <summary>What it means for protection.</summary>
    public required string Effect { get; init; }
    /// <summary>The items that it concerns.</summary>
    public IReadOnlyList<AlertItem> Items { get; init; } = [];
    /// <summary>When the first objective breaks.</summary>
    public DateTimeOffset? DeadlineAt { get; init; }
    /// <summary>What to do next.</summary>
    public required string Action { get; init; }
    /// <summary>Path of the console's page for that, beginning with a slash.</summary>
    public required string ActionUrl { get; init; }
}

/// <summary>Writes alerts, and what people are told of them, in the transaction of what causes or ends them.</summary>
public sealed class AlertBook(TimeProvider clock)
{
    /// <summary>Raises an alert, or brings the open one of its cause up to date.</summary>
    /// <returns>Whether it is new, or worse than it was.</returns>
    public async Task<bool> Raise(Transaction tx, RaisedAlert alert, CancellationToken ct)
    {
        object?[] values = [alert.Cause, alert.Kind, alert.Severity, alert.Title, alert.Effect,
            JsonText.Of(alert.Items, WireJson.Default.IReadOnlyListAlertItem), alert.DeadlineAt?.UtcDateTime, alert.Action, alert.ActionUrl,
            AlertId.New(clock)];
        var made = await tx.Execute("""
            insert into alert (cause, kind, severity, title, effect, items, deadline_at, action, action_url, id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing
            """, values, ct) == 1;
        var isTold = made || await Refresh(tx, values[..9], ct);
        if (made) await Changed(tx, ct);
        if (isTold) await Outbox.Tell(tx, clock, await Open(tx, alert.Cause, ct), made ? "raised" : "worse", ct);
        return isTold;
    }

    /// <summary>Brings an open one up to date; a worse one is nobody's any more.</summary>
    /// <returns>Whether it is worse than it was.</returns>
    static async Task<bool> Refresh(Transaction tx, object?[] values, CancellationToken ct)
    {
        var was = await tx.First("""
            with former as (select id, severity from alert where cause = $1 and cleared_at is null for update)
            update alert a set kind = $2, severity = $3, title = $4, effect = $5, items = $6, deadline_at = $7, action = $8,
                action_url = $9, updated_at = clock(),
                acknowledged_until = case when former.severity = 'Warning' and $3 = 'Broken' then null else a.acknowledged_until end
            from former where a.id = former.id and (a.kind, a.severity, a.title, a.effect, a.items, a.deadline_at, a.action, a.action_url)
                is distinct from ($2, $3, $4, $5, $6, $7, $8, $9)
            returning former.severity, a.severity
            """, values, row => (Known: true, Worse: row.Text(0) == nameof(AlertSeverity.Warning)
                && row.Text(1) == nameof(AlertSeverity.Broken)), ct);
        if (was.Known) await Changed(tx, ct);
        return was.Worse;
    }

    /// <summary>Ends the open alert of a cause; none is an ordinary case.</summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> Clear(Transaction tx, string cause, CancellationToken ct)
    {
        if (await tx.First($"{ListAlerts.Select} where cause = $1 and cleared_at is null for update", [cause], ListAlerts.Read, ct)
            is not { } alert) return false;
        await tx.Execute("update alert set cleared_at = clock() where id = $1", [alert.Id], ct);
        await Outbox.Tell(tx, clock, alert, "cleared", ct);
        await Changed(tx, ct);
        return true;
    }

    static async Task<Alert> Open(Transaction tx, string cause, CancellationToken ct)
        => await tx.First($"{ListAlerts.Select} where cause = $1 and cleared_at is null", [cause], ListAlerts.Read, ct)
            ?? throw new InvalidOperationException($"The alert {cause} was raised and is not open.");

    static Task Changed(Transaction tx, CancellationToken ct) => Notifications.Changed(tx, "alerts", null, ct);
}
