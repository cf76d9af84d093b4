using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Duties;

/// <summary>The unbroken stretches of an item's log that are stored.</summary>
static class LogRanges
{
    /// <summary>Until when an item <c>i</c> can be restored to, in SQL: the end of the newest stretch in which a complete base backup
    /// lies.</summary>
    public const string Until = """
        (select g.to_at from log_range g where g.item_id = i.id and exists (select from recovery_point b where b.item_id = i.id
        and b.gone_at is null and b.is_complete and b.backup->'cluster'->>'systemIdentifier' = g.system_identifier
        and (b.backup->'cluster'->>'stopLsn')::pg_lsn between g.from_lsn and g.to_lsn) order by g.number desc limit 1)
        """;

    /// <summary>Adds what is stored: to the newest stretch where it goes on from it, else as a new one.</summary>
    /// <returns>Whether there is a gap since now.</returns>
    /// <exception cref="BadInputException">A position is none.</exception>
    public static async Task<bool> Grow(Transaction tx, ItemId item, string system, uint timeline, string begin, string stored,
        DateTimeOffset? settledAt, CancellationToken ct)
    {
        MustBePosition(begin);
        MustBePosition(stored);
        var newest = await tx.First("""
            select number, system_identifier = $2 and $3::pg_lsn <= to_lsn from log_range where item_id = $1 order by number desc limit 1
            for update
            """, [item, system, begin], row => new { Number = row.Int(0), GoesOn = row.Bool(1) }, ct);
        if (newest is { GoesOn: true })
        {
            await tx.Execute("""
                update log_range set to_lsn = greatest(to_lsn, $3::pg_lsn), timeline = $4,
                    to_at = case when $3::pg_lsn >= to_lsn then greatest(to_at, $5) else to_at end
                where item_id = $1 and number = $2
                """, [item, newest.Number, stored, (long)timeline, settledAt?.UtcDateTime], ct);
            return false;
        }
        await tx.Execute("insert into log_range (item_id, number, system_identifier, timeline, from_lsn, to_lsn, to_at) "
            + "values ($1, $2, $3, $4, $5::pg_lsn, $6::pg_lsn, $7)",
            [item, (newest?.Number ?? 0) + 1, system, (long)timeline, begin, stored, settledAt?.UtcDateTime], ct);
        return newest is not null;
    }

    static void MustBePosition(string text)
    {
        if (text.Length is < 3 or > 17 || text.Count(one => one == '/') != 1 || !text.All(one => one == '/' || char.IsAsciiHexDigit(one)))
            throw new BadInputException("log", $"'{text}' is no position in a log.", "Install the agent of the node's version.");
    }
}

/// <summary>What can be restored of an item whose log is received.</summary>
public sealed class ShowItemLog(Postgres db)
{
    /// <summary>Shows; nothing is in it for an item without a log.</summary>
    public async Task<ItemLog> Handle(Caller caller, ShowItemLogRequest request, CancellationToken ct)
    {
        caller.Must(Right.PolicyRead);
        var stretches = await db.Query("""
            select b.stopped, greatest(g.to_at, b.stopped), b.stop_lsn::text, g.to_lsn::text, g.timeline,
                g.number = max(g.number) over () as open
            from log_range g join lateral (
                select min((p.backup->'cluster'->>'stopLsn')::pg_lsn) as stop_lsn,
                    min((p.backup->'cluster'->>'stoppedAt')::timestamptz) as stopped
                from recovery_point p where p.item_id = g.item_id and p.gone_at is null
                  and p.backup->'cluster'->>'systemIdentifier' = g.system_identifier
                  and (p.backup->'cluster'->>'stopLsn')::pg_lsn between g.from_lsn and g.to_lsn) b on b.stopped is not null
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
