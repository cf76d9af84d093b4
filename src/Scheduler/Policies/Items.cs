using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Objectives;
using BackupDr.Contracts.Rules.Proof;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Retention;

namespace BackupDr.Scheduler.Policies;

/// <summary>Reads items with what can be said of them.</summary>
static class ItemTable
{
    // Each part that looks for one of many points has an index of its own: a list of all items is read on every page.
    const string Select = """
        select i.id, i.name, i.source, i.host_id, h.name as host, i.policy_id, p.name as policy, i.repository_id, p.spec, i.created_at,
               p.paused_at is not null or p.removed_at is not null or i.retired_at is not null or h.retired_at is not null as is_off,
               coalesce(h.last_seen_at > (select clock()) - $1, false) as is_online, h.last_seen_at,
               c.id as point, c.taken_at as point_at, c.received_at, c.bytes, n.taken_at as newest_at, n.missing, v.id as proven,
               v.taken_at as proven_at, l.proof, l.proof_at, l.reason as proof_reason, l.host as proof_host, m.proof_restore_seconds,
               m.bytes as drilled_bytes, m.proof_at as drilled_at, m.proof_run_id as drill,
               (select count(*)::int from recovery_point r where r.item_id = i.id and r.gone_at is null) as points,
               (select clock()) as now,
               (select r.taken_at from recovery_point r where r.item_id = i.id and r.gone_at is not null and r.is_complete
               order by r.taken_at desc limit 1) as gone,
               (select s.damage->'errors'->>0 from repository s where s.id = i.repository_id) as damage,
               (select case w.result->'drill'->>'result' when 'Skipped' then w.result->'drill'->>'reason' end from run w
               where w.item_id = i.id and w.kind = 'Drill' and w.finished_at is not null order by w.created_at desc limit 1)
               as drill_problem,
               (select max(d.gap) from item_day d where d.item_id = i.id
               and d.day > ((select clock()) at time zone 'UTC')::date - 30) as worst_gap,
        """ + LogStretches.Until + """
         as log_until, i.by_rule
        from item i join host h on h.id = i.host_id join policy p on p.id = i.policy_id
        left join lateral (select id, taken_at, received_at, (backup->>'bytes')::bigint as bytes from recovery_point r
        where r.item_id = i.id and r.gone_at is null and r.is_complete order by taken_at desc limit 1) c on true
        left join lateral (select taken_at, (r.backup->'missing'->0->>'path') || ': ' || (r.backup->'missing'->0->>'message') as missing
        from recovery_point r where r.item_id = i.id and r.gone_at is null order by taken_at desc
        limit 1) n on true
        left join lateral (select id, taken_at from recovery_point r where r.item_id = i.id and r.gone_at is null and
        r.proof = 'Proven' order by taken_at desc limit 1) v on true
        left join lateral (select r.proof, r.proof_at, coalesce(w.result->'drill'->>'reason', w.result->'error'->>'message') as reason,
        t.name as host from recovery_point r left join run w on w.id = r.proof_run_id left join host t on t.id = w.host_id
        where r.item_id = i.id and r.proof is not null order by r.proof_at desc limit 1) l on true
        left join lateral (select proof_restore_seconds, proof_at, proof_run_id, (backup->>'bytes')::bigint as bytes
        from recovery_point r where r.item_id = i.id and r.proof = 'Proven' and r.proof_restore_seconds > 0
        order by proof_at desc limit 1) m on true
        """;

    /// <summary>All items in service, as a condition of <see cref="List"/>.</summary>
    public const string InService = "i.retired_at is null and p.removed_at is null and $2::uuid is null";

    public static Task<List<Item>> List(SqlSource tx, string where, object? value, CancellationToken ct)
        => tx.Query(Statement(where), [HostTable.Silence, value], Read, ct);

    internal static string Statement(string where) => $"{Select} where {where} order by h.name, i.name, i.id";

    static Item Read(Row row)
    {
        var spec = row.Json("spec", WireJson.Default.PolicySpec)!;
        var source = row.Json("source", WireJson.Default.SourceSpec)!;
        var facts = Facts(row, spec, source);
        var (state, reason) = ItemStates.Of(facts, row.Time("now"));
        var bytes = row.IsNull("bytes") ? 0 : row.Long("bytes");
        var measured = Measured(row, spec, facts);
        var (estimate, none) = RestoreTimes.Of(measured, bytes);
        return new Item
        {
            Id = row.Id<ItemId>("id"),
            IsByRule = row.Bool("by_rule"),
            Name = row.Text("name"),
            Source = source,
            Host = row.Id<HostId>("host_id"),
            HostName = row.Text("host"),
            Policy = row.Id<PolicyId>("policy_id"),
            PolicyName = row.Text("policy"),
            Repository = row.Id<RepositoryId>("repository_id"),
            State = state,
            StateReason = reason,
            Rpo = spec.Rpo,
            Rto = spec.Rto,
            LastPoint = row.IdOrNull<RecoveryPointId>("point"),
            LastPointAt = facts.LastCompleteAt,
            LogUntil = facts.LogUntil,
            Bytes = bytes,
            LastProvenPoint = row.IdOrNull<RecoveryPointId>("proven"),
            LastProvenPointAt = row.TimeOrNull("proven_at"),
            LastProofAt = facts.ProofAt,
            DrillDueAt = facts is { IsOff: false, ProofAt: { } proven } && spec.Proof.DrillInterval > TimeSpan.Zero
                ? proven + spec.Proof.DrillInterval : null,
            MeasuredRto = measured.Took,
            AchievedRpo = AchievedRpo.Worst(row.SpanOrNull("worst_gap"),
                source.Log is not null ? facts.Newest : row.TimeOrNull("received_at"), row.Time("now")),
            RestoreEstimate = estimate,
            NoEstimate = none,
            RecoveryPoints = row.Int("points"),
        };
    }

    static ItemFacts Facts(Row row, PolicySpec spec, SourceSpec source)
    {
        var complete = row.TimeOrNull("point_at");
        return new ItemFacts
        {
            IsOff = row.Bool("is_off"),
            IsHostOnline = row.Bool("is_online"),
            LastSeenAt = row.TimeOrNull("last_seen_at"),
            CreatedAt = row.Time("created_at"),
            Rpo = spec.Rpo,
            ProofAge = spec.Proof.MaximumAge,
            DrillEvery = spec.Proof.DrillInterval,
            LastCompleteAt = complete,
            LastPointAt = row.TimeOrNull("newest_at"),
            LogUntil = row.TimeOrNull("log_until"),
            ReceivesLog = source.Log is not null,
            IsNewestGone = row.TimeOrNull("gone") is { } gone && !(complete > gone),
            Damage = row.TextOrNull("damage"),
            Proof = row.WordOrNull<ProofResult>("proof"),
            ProofReason = row.TextOrNull("proof_reason"),
            ProofAt = row.TimeOrNull("proof_at"),
            ProofHost = row.TextOrNull("proof_host"),
            Missing = row.TextOrNull("missing"),
            DrillProblem = row.TextOrNull("drill_problem"),
        };
    }

    static MeasuredRestores Measured(Row row, PolicySpec spec, ItemFacts facts) => new()
    {
        Took = row.IsNull("proof_restore_seconds") ? null : TimeSpan.FromSeconds(row.Double("proof_restore_seconds")),
        Bytes = row.IsNull("drilled_bytes") ? 0 : row.Long("drilled_bytes"),
        At = row.TimeOrNull("drilled_at") ?? default,
        Drill = row.IdOrNull<RunId>("drill"),
        HasFailed = facts.Proof == ProofResult.Failed,
        AreWanted = spec.Proof.DrillAfterFirst || spec.Proof.DrillInterval > TimeSpan.Zero,
    };
}

/// <summary>All items in service.</summary>
public sealed class ListItems(Postgres db)
{
    /// <summary>The statement, so that a test can look how it is executed: $1 is the silence of a host, $2 nothing.</summary>
    public static string Statement => ItemTable.Statement(ItemTable.InService);

    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<Item>> Handle(Caller caller, ListItemsRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.PolicyRead);
        var all = await ItemTable.List(db, ItemTable.InService, null, ct);
        return [.. all.Where(item => caller.Sees(Right.PolicyRead, item.Host, item.Policy))];
    }
}

/// <summary>One item.</summary>
public sealed class ShowItem(Postgres db)
{
    /// <summary>Shows.</summary>
    public async Task<Item> Handle(Caller caller, ShowItemRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyRead, request.Id, ct);
        return (await ItemTable.List(db, "i.id = $2", request.Id.Value, ct)).FirstOrDefault()
            ?? throw new NotFoundException("An item with this id");
    }
}

/// <summary>Takes an item out of its policy: it gets no new recovery points, and those that exist stay.</summary>
public sealed class RetireItem(Postgres db, FourEyes eyes, AlertBook alerts)
{
    /// <summary>Retires it.</summary>
    /// <exception cref="ConflictException">A rule of its policy would bring it back at once.</exception>
    public async Task Handle(Caller caller, RetireItemRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyWrite, request.Id, ct);
        var known = (await ItemTable.List(db, "i.id = $2 and i.retired_at is null", request.Id.Value, ct)).FirstOrDefault()
            ?? throw new NotFoundException("An item in service with this id");
        await eyes.Pass(caller, new Command("item.retire", request.Id.ToString(), $"Takes {known.Name} out of its policy: nothing of it is "
            + "backed up any more.", known.Policy.ToString()), request, WireJson.Default.RetireItemRequest, ct);
        await db.InTransaction(async tx =>
        {
            var item = (await ItemTable.List(tx, "i.id = $2 and i.retired_at is null", request.Id.Value, ct)).FirstOrDefault()
                ?? throw new NotFoundException("An item in service with this id");
            if (await AssignLook.Keeps(tx, item, ct) is { } rule)
                throw new ConflictException("item.by_rule", $"Rule {rule} of '{item.PolicyName}' matches it and would bring it back.",
                    "Add an exception to the rule, or hide what was found on the host's page, with the reason.");
            await Retire(tx, item, alerts, ct);
            await PolicyVersionTable.Note(tx, item.Policy, caller, PolicyVersionTable.OriginOf(caller), $"retired {item.Name}", ct);
            await Audit.Add(tx, caller, "item.retire", request.Id.ToString(), item.Name, ct);
            await Notifications.Changed(tx, "policies", item.Policy.ToString(), ct);
        }, ct);
    }

    /// <summary>Retires it in the caller's transaction.</summary>
    internal static async Task Retire(Transaction tx, Item item, AlertBook alerts, CancellationToken ct)
    {
        await tx.Execute("update item set retired_at = clock() where id = $1 and retired_at is null", [item.Id], ct);
        await PointTrash.KeepRetired(tx, item.Id, ct);
        await alerts.Clear(tx, AnomalyHold.Cause(item.Id), ct);
    }
}
