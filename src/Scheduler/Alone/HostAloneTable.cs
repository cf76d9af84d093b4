using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Alone;

/// <summary>What hosts may do alone, and did.</summary>
static class HostAloneTable
{
    /// <summary>Of a host h and its row a.</summary>
    public const string Columns = """
        a.items as alone_items, a.left_out, a.asked_at, greatest(a.asked_at, h.last_seen_at) + a.lasts as alone_until, a.since, a.runs,
        a.failed, a.last_ended_at
        """;

    /// <summary>Keeps what a host was told that it may.</summary>
    public static Task Asked(SqlSource db, HostId host, AlonePlan plan, CancellationToken ct) => db.Execute("""
        insert into host_alone (host_id, items, left_out, lasts) values ($1, $2, to_jsonb($3::text[]), $4)
        on conflict (host_id) do update set items = excluded.items, left_out = excluded.left_out, lasts = excluded.lasts,
            asked_at = excluded.asked_at
        """, [host, plan.Parts.Count, plan.LeftOut.ToArray(), plan.Lasts], ct);

    /// <summary>Keeps what a host did; a later time alone takes the place of an earlier one.</summary>
    public static async Task Did(Transaction tx, HostId host, AloneRun run, CancellationToken ct)
    {
        await tx.Execute("""
            insert into host_alone (host_id, items, left_out, lasts) values ($1, 0, '[]', interval '0')
            on conflict (host_id) do nothing
            """, [host], ct);
        await tx.Execute("""
            update host_alone set since = $2, runs = case when since = $2 then runs else 0 end + 1,
                failed = case when since = $2 then failed else 0 end + $3,
                last_ended_at = case when since = $2 then greatest(last_ended_at, $4) else $4 end
            where host_id = $1 and (since is null or since <= $2)
            """, [host, run.AloneSince.UtcDateTime, run.Result.Outcome == JobOutcome.Failed ? 1 : 0, run.EndedAt.UtcDateTime], ct);
    }

    /// <summary>Reads <see cref="Columns"/>.</summary>
    public static HostAlone? Read(Row row) => row.IsNull("alone_items") ? null : new HostAlone
    {
        Items = row.Int("alone_items"),
        LeftOut = row.Json("left_out", WireJson.Default.IReadOnlyListString) ?? [],
        AskedAt = row.Time("asked_at"),
        Until = row.Time("alone_until"),
        Since = row.TimeOrNull("since"),
        Runs = row.Int("runs"),
        Failed = row.Int("failed"),
        LastEndedAt = row.TimeOrNull("last_ended_at"),
    };
}
