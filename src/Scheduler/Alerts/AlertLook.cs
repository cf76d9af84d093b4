using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;

namespace BackupDr.Scheduler.Alerts;

/// <summary>The one look that raises and clears alerts. Any node may do it at any time; one does.</summary>
public sealed class AlertLook(Postgres db, AlertBook book)
{
    /// <summary>Least time between two looks of any nodes.</summary>
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    /// <summary>Looks, if no other node just did; gives the number of alerts that were raised or cleared.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        await ApprovalTable.Expire(db, book, ct);   // with the alerts of what nobody decided about in time
        return await Look(ct);
    }

    Task<int> Look(CancellationToken ct) => db.InTransaction(async tx =>
    {
        if (await tx.First("select clock() from alert_look where looked_at < clock() - $1 for update skip locked", [Pause],
            row => (DateTimeOffset?)row.Time(0), ct) is not { } now) return 0;
        await tx.Execute("update alert_look set looked_at = $1", [now], ct);
        return await Apply(tx, AlertRules.Of(await Facts(tx, now, ct)), ct);
    }, ct);

    async Task<int> Apply(Transaction tx, IReadOnlyList<RaisedAlert> wanted, CancellationToken ct)
    {
        var changes = 0;
        var open = await tx.Query("select cause from alert where cleared_at is null and kind = any($1) order by cause",
            [AlertRules.Looked.Select(kind => kind.ToString()).ToArray()], row => row.Text(0), ct);
        foreach (var cause in open.Except(wanted.Select(alert => alert.Cause)))
            if (await book.Clear(tx, cause, ct)) changes++;
        foreach (var alert in wanted)
            if (await book.Raise(tx, alert, ct)) changes++;
        return changes;
    }

    sealed record Ended(RunId? Backup, RunState? State, string? Problem, string? Code, RunId? Drill, DateTimeOffset? FirstPointAt,
        ProofSpec Proof, LocationId Location, string LocationName, bool IsDamaged, string? LogAlarm, DateTimeOffset? LogReportedAt);

    static async Task<AlertFacts> Facts(Transaction tx, DateTimeOffset now, CancellationToken ct)
    {
        var items = await ItemTable.List(tx, ItemTable.InService, null, ct);
        var more = (await tx.Query("""
            select i.id, b.id as backup, b.state, b.result->'error'->>'message' as problem, b.result->'error'->>'code' as code,
                d.proof_run_id, f.first_at, p.spec, l.id as location, l.name as location_name,
                s.damage->'errors'->>0 is not null as is_damaged, u.report, u.reported_at
            from item i join policy p on p.id = i.policy_id join repository s on s.id = i.repository_id
            join location l on l.id = s.location_id
            left join lateral (select r.id, r.state, r.result from run r where r.item_id = i.id and r.kind = 'Backup'
                and r.finished_at is not null and r.state <> 'Cancelled' order by r.finished_at desc limit 1) b on true
            left join lateral (select t.proof_run_id from recovery_point t where t.item_id = i.id and t.proof is not null
                order by t.proof_at desc limit 1) d on true
            left join lateral (select min(t.received_at) as first_at from recovery_point t where t.item_id = i.id and t.is_complete
                and t.gone_at is null) f on true
            left join duty u on u.item_id = i.id and u.ended_at is null
            where i.retired_at is null and p.removed_at is null
            """, [], row => (Item: row.Id<ItemId>("id"), Ended: new Ended(
                row.IdOrNull<RunId>("backup"), row.WordOrNull<RunState>("state"),
                row.TextOrNull("problem"), row.TextOrNull("code"), row.IdOrNull<RunId>("proof_run_id"), row.TimeOrNull("first_at"),
                row.Json("spec", WireJson.Default.PolicySpec)!.Proof,
                row.Id<LocationId>("location"), row.Text("location_name"), row.Bool("is_damaged"),
                row.Json("report", WireJson.Default.LogReport)?.Alarm, row.TimeOrNull("reported_at"))), ct))
            .ToDictionary(one => one.Item, one => one.Ended);
        var hosts = await HostTable.All(tx, ct);
        var replicas = await tx.Query("""
            select distinct l.id, l.name, first_value(c.problem) over (partition by l.id order by c.tried_at desc) as problem
            from replica c join location l on l.id = c.location_id where c.problem is not null
            """, [], row => new WatchedReplica(row.Id<LocationId>(0), row.Text(1), row.Text(2)), ct);
        return new AlertFacts([.. items.Where(item => more.ContainsKey(item.Id)).Select(item => Watched(item, more[item.Id]))],
            [.. hosts.Where(host => host.State != HostState.Retired)
                .Select(host => new WatchedHost(host.Id, host.Name, host.State, host.LastSeenAt))], replicas, now);
    }

    static WatchedItem Watched(Item item, Ended ended) => new()
    {
        Item = item,
        ProofAge = ended.Proof.MaximumAge,
        WantsProof = ended.Proof.DrillAfterFirst || ended.Proof.DrillInterval > TimeSpan.Zero,
        FirstPointAt = ended.FirstPointAt,
        Backup = ended.Backup,
        BackupState = ended.State,
        BackupProblem = ended.Problem,
        BackupCode = ended.Code,
        Drill = ended.Drill,
        IsDamaged = ended.IsDamaged,
        LogAlarm = ended.LogAlarm,
        LogReportedAt = ended.LogReportedAt,
        ReceivesLog = item.Source.Log is not null,
        Location = ended.Location,
        LocationName = ended.LocationName,
    };
}
