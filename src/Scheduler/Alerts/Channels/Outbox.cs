using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>Writes what channels are to tell, in the transaction of the alert: what is committed is told, what is not is not.</summary>
static class Outbox
{
    const int MostItems = 100;

    /// <summary>Tells every channel that wants to know. A message that is open takes it in.</summary>
    /// <param name="tx">The alert's transaction.</param>
    /// <param name="clock">For ids.</param>
    /// <param name="alert">The alert.</param>
    /// <param name="what">"raised", "worse" or "cleared".</param>
    /// <param name="ct">Cancels.</param>
    public static async Task Tell(Transaction tx, TimeProvider clock, Alert alert, string what, CancellationToken ct)
    {
        var now = await tx.Scalar<DateTimeOffset>("select clock()", [], ct);
        var channels = await tx.Query("select id, settings from channel where kind <> 'DeadMan' and not is_paused order by id", [],
            row => (Id: row.Id<ChannelId>(0), Settings: row.Json("settings", WireJson.Default.ChannelSettings)!), ct);
        var told = Event(alert, what, now);
        foreach (var (channel, settings) in channels)
        {
            if (alert.Severity < settings.Least) continue;
            await tx.Execute("""
                insert into message (id, channel_id, events, due_at) values ($1, $2, $3, $4)
                on conflict (channel_id) where content is null do update set events = message.events || excluded.events,
                    due_at = least(message.due_at, excluded.due_at)
                """, [MessageId.New(clock), channel, JsonText.Of<IReadOnlyList<AlertEvent>>([told],
                    WireJson.Default.IReadOnlyListAlertEvent), MessageTimes.Due(settings, alert.Severity, now).UtcDateTime], ct);
        }
    }

    /// <summary>Tells one channel something of its own, as soon as may be; what has this id already is not told again.</summary>
    public static Task Say(Transaction tx, ChannelId channel, MessageContent content, CancellationToken ct) => tx.Execute("""
        insert into message (id, channel_id, events, content, due_at) values ($1, $2, '[]', $3, clock()) on conflict (id) do nothing
        """, [content.Id, channel, JsonText.Of(content, WireJson.Default.MessageContent)], ct);

    /// <summary>Tells nobody what has not been told yet.</summary>
    public static Task Withdraw(Transaction tx, CancellationToken ct)
        => tx.Execute("delete from message where state = 'Waiting'", [], ct);

    static AlertEvent Event(Alert alert, string what, DateTimeOffset now) => new()
    {
        Alert = alert.Id,
        What = what,
        At = now,
        Kind = alert.Kind,
        Severity = alert.Severity,
        Title = alert.Title,
        Effect = alert.Effect,
        Items = [.. alert.Items.Take(MostItems).Select(item => item.Name)],
        DeadlineAt = alert.DeadlineAt,
        Action = alert.Action,
        ActionUrl = alert.ActionUrl,
    };
}
