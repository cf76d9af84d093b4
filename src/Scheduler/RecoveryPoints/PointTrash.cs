using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.RecoveryPoints;

/// <summary>A recovery point as retention reads it.</summary>
sealed record JudgedPoint(RecoveryPointId Id, KeptPoint Point, string SnapshotId, DateTimeOffset? TrashUntil, bool IsHanded,
    long BytesAdded);

/// <summary>A recovery point that a run is to remove.</summary>
/// <param name="Snapshot">restic's snapshot id.</param>
/// <param name="Cluster">System identifier of the PostgreSQL cluster that it is of; null for everything else.</param>
/// <param name="Server">Name of the MariaDB server that it is of; null for everything else.</param>
sealed record HandedPoint(string Snapshot, string? Cluster, string? Server);

/// <summary>Reads and writes what retention does with recovery points: the trash, what is handed to a run to be removed, and what is
/// gone.</summary>
static class PointTrash
{
    /// <summary>Longest reason that a person may write.</summary>
    public const int LongestReason = 500;

    /// <summary>The points of some items that are not gone, oldest received first. One that was handed to a run may be gone, so the rules
    /// do not count it.</summary>
    public static async Task<ILookup<ItemId, JudgedPoint>> Of(SqlSource db, IReadOnlyCollection<ItemId> items, CancellationToken ct)
        => (await db.Query("""
            select item_id, id, received_at, is_complete, coalesce(proof = 'Proven', false) as proven, held_at is not null as held,
                taken_out_until, snapshot_id, trash_until, forget_run_id is not null as handed,
                bytes_added as added, id in (
                    select distinct on (g.item_id, g.number) b.id from log_stretch g join log_base b on b.item_id = g.item_id
                        and b.log = g.log and b.is_complete and b.position between g.from_position and g.until_position
                    where g.item_id = any($1) order by g.item_id, g.number, b.position, b.id) as begins_log
            from recovery_point where item_id = any($1) and gone_at is null order by received_at, id
            """, [items.Select(id => id.Value).ToArray()], row => (Item: row.Id<ItemId>("item_id"), Point: new JudgedPoint(
                row.Id<RecoveryPointId>("id"), new KeptPoint
                {
                    ReceivedAt = row.Time("received_at"),
                    IsComplete = row.Bool("is_complete"),
                    IsProven = row.Bool("proven"),
                    IsHeld = row.Bool("held"),
                    TakenOutUntil = row.TimeOrNull("taken_out_until"),
                    IsGone = row.Bool("handed"),
                    BeginsLog = row.Bool("begins_log"),
                }, row.Text("snapshot_id"), row.TimeOrNull("trash_until"), row.Bool("handed"), row.Long("added"))), ct))
            .ToLookup(one => one.Item, one => one.Point);

    /// <summary>Puts points into the trash, and takes others out of it because the rules keep them again.</summary>
    public static async Task Mark(Transaction tx, IReadOnlyCollection<RecoveryPointId> dropped, IReadOnlyCollection<RecoveryPointId> kept,
        TimeSpan time, CancellationToken ct)
    {
        if (dropped.Count > 0)
            await tx.Execute("update recovery_point set trashed_at = clock(), trash_until = clock() + $2 where id = any($1) "
                + "and trash_until is null and forget_run_id is null", [Ids(dropped), time], ct);
        if (kept.Count > 0)
            await tx.Execute("update recovery_point set trashed_at = null, trash_until = null where id = any($1) "
                + "and forget_run_id is null", [Ids(kept)], ct);
        if (dropped.Count + kept.Count > 0) await Notifications.Changed(tx, "points", null, ct);
    }

    /// <summary>Points of an item that is retired stay.</summary>
    public static Task KeepRetired(Transaction tx, ItemId item, CancellationToken ct) => tx.Execute("""
        update recovery_point set trashed_at = null, trash_until = null
        where trash_until is not null and forget_run_id is null and item_id = $1
        """, [item], ct);

    /// <summary>Points of items that are retired stay.</summary>
    public static Task KeepRetired(Transaction tx, PolicyId policy, CancellationToken ct) => tx.Execute("""
        update recovery_point set trashed_at = null, trash_until = null
        where trash_until is not null and forget_run_id is null and item_id in (select id from item where policy_id = $1)
        """, [policy], ct);

    /// <summary>What a run is to remove from a repository: what was handed to an earlier run that did not tell its end, and what is handed
    /// now. From then on it can neither be held nor taken out of the trash.</summary>
    public static Task<List<HandedPoint>> Hand(Transaction tx, RepositoryId repository, RunId run,
        IReadOnlyCollection<RecoveryPointId> points, CancellationToken ct) => tx.Query("""
            update recovery_point set forget_run_id = $2
            where repository_id = $1 and gone_at is null and (forget_run_id is not null or (id = any($3) and trash_until <= clock()
                and held_at is null))
            returning snapshot_id, backup->'cluster'->>'systemIdentifier' as cluster, backup->'mariaDb'->>'server' as server
            """, [repository, run, Ids(points)],
            row => new HandedPoint(row.Text("snapshot_id"), row.TextOrNull("cluster"), row.TextOrNull("server")), ct);

    /// <summary>The snapshots are gone; gives the points that were theirs.</summary>
    public static async Task<IReadOnlyList<RecoveryPointId>> Forgotten(Transaction tx, RepositoryId repository, ForgetResult done,
        CancellationToken ct)
    {
        var points = await tx.Query("""
            update recovery_point set forgotten_at = clock(), gone_at = clock(), trashed_at = null, trash_until = null
            where repository_id = $1 and snapshot_id = any($2) and forget_run_id is not null and gone_at is null returning id
            """, [repository, done.Gone.ToArray()], row => row.Id<RecoveryPointId>("id"), ct);
        if (points.Count > 0) await Notifications.Changed(tx, "points", null, ct);
        return points;
    }

    /// <summary>Repositories with points whose time in the trash is over and in which nothing is being removed now. After a run that failed
    /// it pauses for an hour, after one that somebody cancelled for a day.</summary>
    public static Task<List<RepositoryId>> Due(SqlSource db, int most, CancellationToken ct) => db.Query("""
        select distinct p.repository_id as id from recovery_point p join repository r on r.id = p.repository_id
            join item i on i.id = p.item_id
        where p.gone_at is null and p.trash_until <= clock() and p.held_at is null and r.upkeep_allowed and i.retired_at is null
            and not exists (select from run u where u.repository_id = r.id and u.kind in ('Forget', 'Prune')
                and u.state in ('Queued', 'Leased', 'Running'))
            and not exists (select from run u where u.repository_id = r.id and u.kind = 'Forget' and (u.state = 'Failed'
                and u.finished_at > clock() - interval '1 hour' or u.state = 'Cancelled' and u.finished_at > clock() - interval '1 day'))
        order by 1 limit $1
        """, [most], row => row.Id<RepositoryId>("id"), ct);

    static Guid[] Ids(IEnumerable<RecoveryPointId> points) => [.. points.Select(id => id.Value)];
}
