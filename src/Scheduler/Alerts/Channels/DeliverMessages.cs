using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>Sends what is due. Any node may do it at any time: a message is leased to one of them.</summary>
/// <remarks>A sink may take a message and the answer may be lost: it is sent again then, under the same id. So each arrives at least once,
/// and exactly once at a sink that looks at the id.</remarks>
public sealed class DeliverMessages(Postgres db, Sinks sinks, NodeSettings settings)
{
    const int AtOnce = 10;

    /// <summary>Longer than any try.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(90), Kept = TimeSpan.FromDays(90);

    sealed record Claimed(MessageId Id, ChannelId Channel, long Epoch, int Attempts, MessageContent Content);

    /// <summary>Sends what is due now; gives the number of tries.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var claimed = await Claim(ct);
        await Task.WhenAll(claimed.Select(message => Deliver(message, ct)));
        return claimed.Count;
    }

    /// <summary>Takes messages, and freezes those that were still open.</summary>
    Task<List<Claimed>> Claim(CancellationToken ct) => db.InTransaction(async tx =>
    {
        var rows = await tx.Query("""
            update message m set lease_until = clock() + $1, lease_epoch = lease_epoch + 1, attempts = attempts + 1
            where m.id in (select w.id from message w join channel c on c.id = w.channel_id
                where w.state = 'Waiting' and w.due_at <= clock() and (w.lease_until is null or w.lease_until < clock()) and not c.is_paused
                order by w.due_at, w.id limit $2 for update of w skip locked)
            returning m.id, m.channel_id, m.lease_epoch, m.attempts, m.events, m.content
            """, [Lease, AtOnce], row => (Id: row.Id<MessageId>("id"), Channel: row.Id<ChannelId>("channel_id"),
                Epoch: row.Long("lease_epoch"), Attempts: row.Int("attempts"),
                Events: row.Json("events", WireJson.Default.IReadOnlyListAlertEvent) ?? [],
                Content: row.Json("content", WireJson.Default.MessageContent)), ct);
        var claimed = new List<Claimed>();
        foreach (var row in rows)
        {
            var content = row.Content ?? MessageText.Of(row.Id, MessageText.WithAddresses(row.Events, settings.Console.PublicUrl));
            if (row.Content is null)
                await tx.Execute("update message set content = $2 where id = $1",
                    [row.Id, JsonText.Of(content, WireJson.Default.MessageContent)], ct);
            claimed.Add(new Claimed(row.Id, row.Channel, row.Epoch, row.Attempts, content));
        }
        await tx.Execute("delete from message where ended_at < clock() - $1", [Kept], ct);
        return claimed;
    }, ct);

    async Task Deliver(Claimed message, CancellationToken ct)
    {
        SinkAnswer answer;
        try { answer = await sinks.Send(await ChannelTable.Get(db, message.Channel, ct), message.Content, ct); }
        catch (NotFoundException) { return; }   // the channel was removed meanwhile, and its messages with it
        catch (BackupDrException e) { answer = new SinkAnswer(false, e.Message); }
        await db.InTransaction(tx => Ended(tx, message, answer, ct), ct);
    }

    /// <summary>Keeps what came of a try, unless another node has the message by now.</summary>
    static async Task Ended(Transaction tx, Claimed message, SinkAnswer answer, CancellationToken ct)
    {
        var pause = MessageTimes.Pause(message.Attempts, RandomNumberGenerator.GetInt32(1001) / 1000.0, answer.RetryAfter);
        var isOurs = await tx.Execute("""
            update message set answer = $3, lease_until = null,
                state = case when $4 then 'Sent' when created_at + $6 < clock() then 'GivenUp' else 'Waiting' end,
                ended_at = case when $4 or created_at + $6 < clock() then clock() end,
                due_at = case when $4 then due_at else clock() + $5 end
            where id = $1 and lease_epoch = $2 and state = 'Waiting'
            """, [message.Id, message.Epoch, answer.Text, answer.IsGood, pause, MessageTimes.Patience], ct) == 1;
        if (isOurs) await ChannelTable.Answered(tx, message.Channel, answer, ct);
    }
}

/// <summary>Calls dead man's switches for as long as somebody looks for alerts: their silence is what others are told by.</summary>
public sealed class PingDeadMan(Postgres db, Sinks sinks)
{
    /// <summary>Older than this, nobody looks any more.</summary>
    static readonly TimeSpan LookLimit = TimeSpan.FromMinutes(3), AfterFailure = TimeSpan.FromSeconds(30);

    /// <summary>Calls what is due; gives the number of calls.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var due = await db.InTransaction(async tx =>
        {
            var found = await tx.Query("""
                select id, settings from channel where kind = 'DeadMan' and not is_paused and ping_due_at <= clock()
                    and exists (select from alert_look where looked_at > clock() - $1) for update skip locked
                """, [LookLimit], row => (Id: row.Id<ChannelId>(0), row.Json("settings", WireJson.Default.ChannelSettings)!.Every), ct);
            foreach (var one in found)
                await tx.Execute("update channel set ping_due_at = clock() + $2 where id = $1", [one.Id, one.Every], ct);
            return found.ConvertAll(one => one.Id);
        }, ct);
        foreach (var id in due)
        {
            var channel = await ChannelTable.Get(db, id, ct);
            var answer = await sinks.Send(channel, MessageText.Test(default, channel.Name, ""), ct);
            await db.InTransaction(async tx =>
            {
                await ChannelTable.Answered(tx, id, answer, ct);
                if (!answer.IsGood)
                    await tx.Execute("update channel set ping_due_at = least(ping_due_at, clock() + $2) where id = $1", [id, AfterFailure],
                        ct);
            }, ct);
        }
        return due.Count;
    }
}
