using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Proof;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;

namespace BackupDr.Scheduler.Drills;

/// <summary>Starts the test restores that policies want. Any node may do it at any time; one does.</summary>
public sealed class DrillDue(Postgres db, TimeProvider clock)
{
    // A test restore that said nothing of the point is tried again after this, or after the policy's time where that is shorter.
    static readonly TimeSpan TryAgain = TimeSpan.FromDays(1);

    /// <summary>Starts them; gives their number.</summary>
    public Task<int> Run(CancellationToken ct) => db.InTransaction(async tx =>
    {
        if (await tx.First("select clock() from drill_plan where one for update skip locked", [], row => (DateTimeOffset?)row.Time(0), ct)
            is not { } now) return 0;   // another node plans
        var items = await Items(tx, now, ct);
        if (items.Count == 0) return 0;
        var planned = DrillPlan.Make([.. items.Values.Select(item => item.Candidate)], await Hosts(tx, ct), now);
        foreach (var drill in planned)
            await DrillRuns.Start(tx, RunId.New(clock), items[drill.Item].What, drill.Host, "schedule", ct);
        return planned.Count;
    }, ct);

    static async Task<Dictionary<ItemId, (DrillCandidate Candidate, DrilledPoint What)>> Items(Transaction tx, DateTimeOffset now,
        CancellationToken ct)
    {
        var found = await tx.Query("""
            select i.id, i.policy_id, i.name, i.host_id, i.repository_id, i.source, p.spec, n.id, n.snapshot_id, n.first_at,
                   (n.backup->>'bytes')::bigint as bytes, v.proof_at, v.seconds, d.created_at as tried_at, coalesce(d.open, false) as open,
                   coalesce(d.no_room, false) as no_room,
                   array(select f.host_id from run f where f.item_id = i.id and f.kind = 'Drill' and f.created_at > clock() - $1
                       and (f.result->'drill'->>'hadNoRoom')::boolean) as full_hosts,
                   exists (select from repository r join location l on l.id = r.location_id where r.id = i.repository_id
                       and l.kind = 'Folder') as is_local
            from item i join policy p on p.id = i.policy_id join host h on h.id = i.host_id
            join lateral (select r.id, r.snapshot_id, r.backup, min(r.received_at) over () as first_at from recovery_point r
                where r.item_id = i.id and r.gone_at is null and r.is_complete order by r.taken_at desc limit 1) n on true
            left join lateral (select r.proof_at, extract(epoch from w.finished_at - w.started_at)::double precision as seconds
                from recovery_point r left join run w on w.id = r.proof_run_id
                where r.item_id = i.id and r.proof is not null order by r.proof_at desc limit 1) v on true
            left join lateral (select w.created_at, w.state in ('Queued', 'Leased', 'Running') as open,
                    (w.result->'drill'->>'hadNoRoom')::boolean as no_room from run w
                where w.item_id = i.id and w.kind = 'Drill' order by w.created_at desc limit 1) d on true
            where i.retired_at is null and p.removed_at is null and p.paused_at is null and h.retired_at is null
            """, [TryAgain], row => Read(row, now), ct);
        return found.Where(one => one.Candidate.Every > TimeSpan.Zero).ToDictionary(one => one.Candidate.Item);
    }

    static (DrillCandidate Candidate, DrilledPoint What) Read(Row row, DateTimeOffset now)
    {
        var proof = StoredJson.Read<PolicySpec>(row.Text("spec")).Proof;
        var host = row.Id<HostId>(3);
        var what = new DrilledPoint(row.Id<ItemId>(0), row.Id<PolicyId>(1), row.Text(2), host, row.Id<RepositoryId>(4),
            StoredJson.Read<SourceSpec>(row.Text(5)), row.Id<RecoveryPointId>(7), row.Text(8), proof);
        var pause = proof.DrillInterval < TryAgain ? proof.DrillInterval : TryAgain;
        var named = proof.DrillHosts.Count > 0 && !row.Bool("is_local") ? proof.DrillHosts : [host];
        var roomy = named.Except(row.Ids<HostId>("full_hosts")).ToList();
        // Where the newest one had no room, another host that may do it need not wait.
        var goesOn = row.Bool("no_room") && roomy.Count > 0;
        return (new DrillCandidate
        {
            Item = row.Id<ItemId>(0),
            Hosts = roomy.Count > 0 ? roomy : named,
            // One whose first point is not to be proven at once waits its time like all others.
            Last = row.TimeOrNull("proof_at") ?? (proof.DrillAfterFirst ? null : row.Time("first_at")),
            Every = proof.DrillInterval,
            Estimate = Estimate(row.IsNull("seconds") ? null : row.Double("seconds"), row.IsNull("bytes") ? 0 : row.Long("bytes")),
            IsBusy = row.Bool("open"),
            NotBefore = !goesOn && row.TimeOrNull("tried_at") is { } at && at <= now ? at + pause : null,
        }, what);
    }

    /// <summary>What the last one took, or what its size lets expect.</summary>
    static TimeSpan Estimate(double? seconds, long bytes)
    {
        const double Least = 1, BytesPerSecond = 20 << 20;
        return TimeSpan.FromSeconds(Math.Max(Least, seconds ?? bytes / BytesPerSecond));
    }

    static Task<List<DrillHost>> Hosts(Transaction tx, CancellationToken ct) => tx.Query("""
        select h.id, coalesce(d.open, 0)::int, coalesce(d.spent, 0)::double precision as spent, l.began,
            coalesce(l.took, 0)::double precision as took
        from host h
        left join lateral (select count(*) filter (where w.state in ('Queued', 'Leased', 'Running')) as open,
                sum(extract(epoch from coalesce(w.finished_at, clock()) - greatest(w.started_at, clock() - interval '1 day'))) as spent
            from run w where w.kind = 'Drill' and w.host_id = h.id and w.created_at > clock() - interval '3 days'
                and (w.finished_at is null or w.finished_at > clock() - interval '1 day')) d on true
        left join lateral (select coalesce(w.started_at, w.created_at) as began,
                extract(epoch from coalesce(w.finished_at, clock()) - coalesce(w.started_at, w.created_at)) as took
            from run w where w.kind = 'Drill' and w.host_id = h.id order by w.created_at desc limit 1) l on true
        where h.retired_at is null and h.last_seen_at > clock() - $1
        """, [HostTable.Silence], row => new DrillHost(row.Id<HostId>(0), row.Int(1), TimeSpan.FromSeconds(row.Double("spent")),
            row.TimeOrNull("began"), TimeSpan.FromSeconds(Math.Max(1, row.Double("took")))), ct);
}
