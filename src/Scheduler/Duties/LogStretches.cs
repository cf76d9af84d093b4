using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Duties;

/// <summary>The unbroken stretches of an item's log that are stored.</summary>
static class LogStretches
{
    /// <summary>Until when an item <c>i</c> can be restored to, in SQL: the end of the newest stretch in which a complete base backup
    /// lies.</summary>
    public const string Until = """
        (select g.settled_at from log_stretch g where g.item_id = i.id and exists (select from log_base b where b.item_id = i.id
        and b.is_complete and b.log = g.log and b.position between g.from_position and g.until_position) order by g.number desc limit 1)
        """;

    /// <summary>Adds what is stored: to the newest stretch where it goes on from it, else as a new one.</summary>
    /// <returns>Whether there is a gap since now.</returns>
    /// <exception cref="BadInputException">A position is none.</exception>
    public static async Task<bool> Grow(Transaction tx, ItemId item, string log, uint timeline, string begin, string stored,
        DateTimeOffset? settledAt, CancellationToken ct)
    {
        MustBePosition(begin);
        MustBePosition(stored);
        var newest = await tx.First("""
            select number, log = $2 and log_position($3) <= until_position from log_stretch where item_id = $1 order by number desc limit 1
            for update
            """, [item, log, begin], row => new { Number = row.Int(0), GoesOn = row.Bool(1) }, ct);
        if (newest is { GoesOn: true })
        {
            await tx.Execute("""
                update log_stretch set until_at = $3, timeline = $4, settled_at = greatest(settled_at, $5)
                where item_id = $1 and number = $2 and log_position($3) >= until_position
                """, [item, newest.Number, stored, (long)timeline, settledAt?.UtcDateTime], ct);
            return false;
        }
        await tx.Execute("insert into log_stretch (item_id, number, log, timeline, from_at, until_at, settled_at) "
            + "values ($1, $2, $3, $4, $5, $6, $7)",
            [item, (newest?.Number ?? 0) + 1, log, (long)timeline, begin, stored, settledAt?.UtcDateTime], ct);
        return newest is not null;
    }

    static void MustBePosition(string text)
    {
        if (!LogPosition.Is(text))
            throw new BadInputException("log", $"'{text}' is no position in a log.", "Install the agent of the node's version.");
    }
}

/// <summary>What can be restored of an item whose log is received.</summary>
public sealed class ShowItemLog(Postgres db)
{
    /// <summary>Shows; nothing is in it for an item without a log.</summary>
    public async Task<ItemLog> Handle(Caller caller, ShowItemLogRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyRead, request.Id, ct);
        var stretches = await db.Query("""
            select b.stopped_at, greatest(g.settled_at, b.stopped_at), b.at, g.until_at, g.timeline,
                g.number = max(g.number) over () as open
            from log_stretch g join lateral (select b.stopped_at, b.at from log_base b where b.item_id = g.item_id and b.log = g.log
                and b.position between g.from_position and g.until_position order by b.position limit 1) b on true
            where g.item_id = $1 order by g.number
            """, [request.Id], row => new LogStretch(row.Time(0), row.Time(1), row.Text(2), row.Text(3), (uint)row.Long(4),
                row.Bool(5)), ct);
        return await db.First("select clock(), d.report, d.reported_at from item i left join duty d on d.item_id = i.id where i.id = $1",
            [request.Id], row => new ItemLog
            {
                Stretches = stretches,
                Now = row.Time(0),
                Report = row.Json("report", WireJson.Default.LogReport),
                ReportedAt = row.TimeOrNull("reported_at"),
            }, ct) ?? throw new NotFoundException("An item with this id");
    }
}
