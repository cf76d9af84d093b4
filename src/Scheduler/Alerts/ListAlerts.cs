using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Alerts;

/// <summary>What people have to know now, or had to lately.</summary>
public sealed class ListAlerts(Postgres db)
{
    static readonly TimeSpan History = TimeSpan.FromDays(30);
    const int Most = 500;

    internal const string Select = """
        select id, kind, severity, title, effect, items, deadline_at, action, action_url, raised_at, cleared_at, acknowledged_by,
            case when acknowledged_until > clock() then acknowledged_until end as acknowledged_until, acknowledged_note from alert
        """;

    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<Alert>> Handle(Caller caller, ListAlertsRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.AlertRead);
        var all = request.Cleared
            ? await db.Query($"{Select} where cleared_at > clock() - $1 order by cleared_at desc, id limit $2", [History, Most], Read, ct)
            : await db.Query($"{Select} where cleared_at is null order by coalesce(acknowledged_until > clock(), false), "
                + "severity <> 'Broken', deadline_at nulls last, raised_at, id limit $1", [Most], Read, ct);
        if (caller.Visible(Right.AlertRead) is not ({ } hosts, { } policies)) return all;
        var seen = await db.Query("select id from item where host_id = any($1) or policy_id = any($2)", [hosts, policies],
            row => row.Id<ItemId>(0), ct);
        return [.. all.Where(alert => alert.Items.Any(item => seen.Contains(item.Id)))];
    }

    internal static Alert Read(Row row)
    {
        var until = row.TimeOrNull("acknowledged_until");
        return new Alert
        {
            Id = row.Id<AlertId>("id"),
            Kind = row.Word<AlertKind>("kind"),
            Severity = row.Word<AlertSeverity>("severity"),
            Title = row.Text("title"),
            Effect = row.Text("effect"),
            Items = row.Json("items", WireJson.Default.IReadOnlyListAlertItem) ?? [],
            DeadlineAt = row.TimeOrNull("deadline_at"),
            Action = row.Text("action"),
            ActionUrl = row.Text("action_url"),
            RaisedAt = row.Time("raised_at"),
            ClearedAt = row.TimeOrNull("cleared_at"),
            AcknowledgedBy = until is null ? null : row.TextOrNull("acknowledged_by"),
            AcknowledgedUntil = until,
            AcknowledgedNote = until is null ? null : row.TextOrNull("acknowledged_note"),
        };
    }
}

/// <summary>Somebody looks after an alert, for a time.</summary>
public sealed class AcknowledgeAlert(Postgres db)
{
    const int MostHours = 720, LongestNote = 500;

    /// <summary>Takes it.</summary>
    /// <exception cref="BadInputException">The time is none, or there is no note.</exception>
    /// <exception cref="NotFoundException">It is not open.</exception>
    public async Task<Alert> Handle(Caller caller, AcknowledgeAlertRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.AlertAcknowledge);
        if (request.Hours is < 1 or > MostHours)
            throw new BadInputException("hours", $"{request.Hours} hours is no time for which an alert can wait.",
                $"1 to {MostHours}: then it comes back, unless it is over.");
        var note = request.Note?.Trim() ?? "";
        if (note.Length is 0 or > LongestNote)
            throw new BadInputException("note", "An acknowledgement needs a note.", "Say in 1 to 500 characters who looks after it.");
        return await db.InTransaction(async tx =>
        {
            var alert = await tx.First("""
                update alert set acknowledged_by = $2, acknowledged_until = clock() + $3, acknowledged_note = $4
                where id = $1 and cleared_at is null
                returning id, kind, severity, title, effect, items, deadline_at, action, action_url, raised_at, cleared_at,
                    acknowledged_by, acknowledged_until, acknowledged_note
                """, [request.Id, caller.Name, TimeSpan.FromHours(request.Hours), note], ListAlerts.Read, ct)
                ?? throw new NotFoundException("An open alert with this id");
            if (alert.Items.Count == 0) caller.Must(Right.AlertAcknowledge);
            foreach (var item in alert.Items) await caller.Must(Right.AlertAcknowledge, item.Id, ct);
            await Notifications.Changed(tx, "alerts", request.Id.ToString(), ct);
            await Audit.Add(tx, caller, "alert.acknowledge", request.Id.ToString(), $"{request.Hours} h, {alert.Title} {note}", ct);
            return alert;
        }, ct);
    }
}
