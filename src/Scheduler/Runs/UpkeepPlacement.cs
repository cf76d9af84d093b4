using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Rules.Placement;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runs;

/// <summary>Gives repository work that waits to hosts with the role mover. Done in each mover's poll, so a mover that comes gets its share
/// with its first one, and work given to a mover that fell silent goes to another; and in the poll of the host that would otherwise do it,
/// which has it only while no mover is free. Where no mover is left, it goes back to the host of the repository, in that host's
/// poll.</summary>
public sealed class UpkeepPlacement(NodeOptions node)
{
    const int AtOnce = 8;

    /// <summary>A condition of runs without a name: repository work that waits, whoever may do it.</summary>
    public const string Waits = "state = 'Queued' and due_at <= clock() and kind in ('Check', 'Prune', 'Tier', 'Replicate')";

    /// <summary>A condition of hosts <c>h</c>: movers who are well. $2 is <see cref="MoverPlacement.Out"/>.</summary>
    const string Well = "h.is_mover and h.retired_at is null and not h.awaits_approval and h.last_seen_at > clock() - $2";

    /// <summary>A query of runs without a name: those of the repositories of host $1 that wait at a mover, while no mover is well. $2 is
    /// <see cref="MoverPlacement.Out"/>.</summary>
    public const string Left = "select r.id from run r join repository s on s.id = r.repository_id where s.host_id = $1 "
        + "and r.host_id <> $1 and r.state = 'Queued' and r.due_at <= clock() and r.kind in ('Check', 'Prune', 'Tier', 'Replicate') "
        + "and exists (select from host m where m.id = r.host_id and m.is_mover) and not exists (select from host h where " + Well + ")";

    /// <summary>Places what waits, as far as there are free movers.</summary>
    /// <param name="tx">The poll's.</param>
    /// <param name="asking">Who polls.</param>
    /// <param name="ct">Cancels.</param>
    public async Task Place(Transaction tx, HostId asking, CancellationToken ct)
    {
        var (isMover, hasMovers) = await tx.First($"select exists (select from host h where h.id = $1 and {Well}), "
            + $"exists (select from host h where {Well})", [asking, MoverPlacement.Out], row => (row.Bool(0), row.Bool(1)), ct);
        if (!hasMovers)
        {
            await TakeBack(tx, asking, ct);
            return;
        }
        foreach (var (run, epoch) in await Waiting(tx, isMover ? null : asking, ct))
        {
            var movers = await Movers(tx, ct);
            var turn = await tx.Scalar<long>("select nextval('placement_turn')", [], ct);
            if (MoverPlacement.Choose(node.Placement, movers, null, run, turn).Host is not { } host) return;
            await tx.Execute("update run set host_id = $2 where id = $1", [run, host], ct);
            await RunTable.Event(tx, run, epoch, EventLevel.Info, "run.placed",
                $"Given to {movers.Find(mover => mover.Host == host)!.Name}, which does repository work.", ct);
            if (host != asking) await Notifications.WakeHost(tx, host, ct);
            await Notifications.Changed(tx, "runs", run.ToString(), ct);
        }
    }

    static async Task TakeBack(Transaction tx, HostId host, CancellationToken ct)
    {
        foreach (var (run, epoch) in await tx.Query($"update run set host_id = $1 where id in ({Left} for update of r skip locked) "
            + "returning id, lease_epoch", [host, MoverPlacement.Out], row => (row.Id<RunId>(0), row.Long(1)), ct))
        {
            await RunTable.Event(tx, run, epoch, EventLevel.Info, "run.placed",
                "Given back to the host of the repository: no mover is there any more.", ct);
            await Notifications.Changed(tx, "runs", run.ToString(), ct);
        }
    }

    /// <summary>Work that any mover can do and that no mover who is well has: reading through a repository that is not a folder of one
    /// machine; what changes one only where agents may delete, which a gateway does not let them.</summary>
    /// <param name="tx">The poll's.</param>
    /// <param name="of">Whose work; null for everyone's.</param>
    /// <param name="ct">Cancels.</param>
    static Task<List<(RunId, long)>> Waiting(Transaction tx, HostId? of, CancellationToken ct) => tx.Query("""
        select r.id, r.lease_epoch from run r join repository s on s.id = r.repository_id join location l on l.id = s.location_id
        where r.state = 'Queued' and r.due_at <= clock() and r.kind in ('Check', 'Prune', 'Tier', 'Replicate')
            and ($3::uuid is null or r.host_id = $3) and s.state = 'Ready' and s.upkeep_allowed
            and (l.kind in ('S3', 'Azure') or (l.kind = 'Gateway' and r.kind = 'Check'))
            and not exists (select from replica c join location o on o.id = c.location_id where c.repository_id = s.id
                and o.kind not in ('S3', 'Azure'))
            and not exists (select from host h where h.id = r.host_id and h.is_mover and h.last_seen_at > clock() - $1)
        order by r.due_at, r.id for update of r skip locked limit $2
        """, [MoverPlacement.Out, AtOnce, of], row => (row.Id<RunId>(0), row.Long(1)), ct);

    static Task<List<Mover>> Movers(Transaction tx, CancellationToken ct) => tx.Query("""
        select h.id, h.name, extract(epoch from clock() - h.last_seen_at)::float8, h.load,
            coalesce((h.inventory ->> 'processors')::int, 1),
            (select count(*) from run r where r.host_id = h.id and (r.state in ('Leased', 'Running')
                or (r.state = 'Queued' and r.due_at <= clock())))
        from host h where h.is_mover and h.retired_at is null and not h.awaits_approval and h.last_seen_at is not null
        """, [], row => new Mover
    {
        Host = row.Id<HostId>(0),
        Name = row.Text(1),
        Silence = TimeSpan.FromSeconds(row.Double(2)),
        Load = row.Double(3),
        Processors = row.Int(4),
        Held = (int)row.Long(5),
    }, ct);
}
