using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Hosts;

namespace BackupDr.Scheduler.Policies;

/// <summary>Reads items with what can be said of them.</summary>
static class ItemTable
{
    const string Select = """
        select i.id, i.name, i.source, i.host_id, h.name, i.policy_id, p.name, i.repository_id, p.spec, i.created_at,
               p.paused_at is not null or p.removed_at is not null or i.retired_at is not null or h.retired_at is not null,
               h.last_seen_at > clock() - $1, h.last_seen_at,
               c.id, c.taken_at, c.bytes, n.taken_at, v.id, v.taken_at, l.proof, l.proof_at, l.proof_restore_seconds,
               (select count(*)::int from recovery_point r where r.item_id = i.id and r.gone_at is null), clock(),
               (select max(taken_at) from recovery_point r where r.item_id = i.id and r.gone_at is not null and r.is_complete) as gone,
               l.reason as proof_reason, (select s.damage->'errors'->>0 from repository s where s.id = i.repository_id) as damage,
        """ + LogStretches.Until + """
         as log_until
        from item i join host h on h.id = i.host_id join policy p on p.id = i.policy_id
        left join lateral (select id, taken_at, (backup->>'bytes')::bigint as bytes from recovery_point r where r.item_id = i.id and
        r.gone_at is null and r.is_complete order by taken_at desc limit 1) c on true
        left join lateral (select taken_at from recovery_point r where r.item_id = i.id and r.gone_at is null order by taken_at desc
        limit 1) n on true
        left join lateral (select id, taken_at from recovery_point r where r.item_id = i.id and r.gone_at is null and
        r.proof = 'Proven' order by taken_at desc limit 1) v on true
        left join lateral (select proof, proof_at, proof_restore_seconds, (select coalesce(w.result->'drill'->>'reason',
        w.result->'error'->>'message') from run w where w.id = r.proof_run_id) as reason from recovery_point r where r.item_id = i.id
        and r.proof is not null order by proof_at desc limit 1) l on true
        """;

    public static Task<List<Item>> List(SqlSource tx, string where, object? value, CancellationToken ct)
        => tx.Query($"{Select} where {where} order by h.name, i.name, i.id", [HostTable.Silence, value], Read, ct);

    static Item Read(Row row)
    {
        var spec = JsonSerializer.Deserialize(row.Text(8), WireJson.Default.PolicySpec)!;
        var source = JsonSerializer.Deserialize(row.Text(2), WireJson.Default.SourceSpec)!;
        var facts = new ItemFacts
        {
            IsOff = row.Bool(10),
            IsHostOnline = !row.IsNull(11) && row.Bool(11),
            LastSeenAt = row.TimeOrNull(12),
            CreatedAt = row.Time(9),
            Rpo = spec.Rpo,
            ProofAge = spec.Proof.MaximumAge,
            LastCompleteAt = row.TimeOrNull(14),
            LastPointAt = row.TimeOrNull(16),
            LogUntil = row.TimeOrNull("log_until"),
            ReceivesLog = source.Log is not null,
            IsNewestGone = row.TimeOrNull("gone") is { } gone && !(row.TimeOrNull(14) > gone),
            Damage = row.TextOrNull("damage"),
            Proof = row.IsNull(19) ? null
                : row.Word<ProofResult>(19),
            ProofReason = row.TextOrNull("proof_reason"),
            ProofAt = row.TimeOrNull(20),
        };
        var (state, reason) = ItemStates.Of(facts, row.Time(23));
        return new Item
        {
            Id = row.Id<ItemId>(0),
            Name = row.Text(1),
            Source = source,
            Host = row.Id<HostId>(3),
            HostName = row.Text(4),
            Policy = row.Id<PolicyId>(5),
            PolicyName = row.Text(6),
            Repository = row.Id<RepositoryId>(7),
            State = state,
            StateReason =
                reason,
            Rpo = spec.Rpo,
            Rto = spec.Rto,
            LastPoint = row.IdOrNull<RecoveryPointId>(13),
            LastPointAt = facts.LastCompleteAt,
            LogUntil = facts.LogUntil,
            Bytes = row.IsNull(15) ? 0 : row.Long(15),
            LastProvenPoint = row.IdOrNull<RecoveryPointId>(17),
            LastProvenPointAt = row.TimeOrNull(18),
            LastProofAt = facts.ProofAt,
            DrillDueAt = facts is { IsOff: false, ProofAt: { } proven } && spec.Proof.DrillInterval > TimeSpan.Zero
                ? proven + spec.Proof.DrillInterval : null,
            MeasuredRto = row.IsNull(21) ? null : TimeSpan.FromSeconds(row.Double(21)),
            RecoveryPoints = row.Int(22),
        };
    }
}

/// <summary>All items in service.</summary>
public sealed class ListItems(Postgres db)
{
    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<Item>> Handle(Caller caller, ListItemsRequest request, CancellationToken ct)
    {
        caller.Must(Right.PolicyRead);
        return await ItemTable.List(db, "i.retired_at is null and p.removed_at is null and $2::uuid is null", null, ct);
    }
}

/// <summary>One item.</summary>
public sealed class ShowItem(Postgres db)
{
    /// <summary>Shows.</summary>
    public async Task<Item> Handle(Caller caller, ShowItemRequest request, CancellationToken ct)
    {
        caller.Must(Right.PolicyRead);
        return (await ItemTable.List(db, "i.id = $2", request.Id.Value, ct)).FirstOrDefault()
            ?? throw new NotFoundException("An item with this id");
    }
}
