using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;

namespace BackupDr.Scheduler.Retention;

/// <summary>An item as retention reads it.</summary>
sealed record JudgedItem
{
    public required ItemId Id { get; init; }
    public required string Name { get; init; }
    public required RepositoryId Repository { get; init; }
    public required RetentionSpec Spec { get; init; }
    public required RetentionHold? Hold { get; init; }
    /// <summary>Why nobody may remove anything from its repository; null where its host's agent may.</summary>
    public required string? Problem { get; init; }
    /// <summary>How long what is dropped now stays in the trash.</summary>
    public required TimeSpan Trash { get; init; }
    public required DateTimeOffset Now { get; init; }
    public DateTimeOffset? LookedAt { get; init; }
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>For the planner, with these rules.</summary>
    public KeepTerms Terms(RetentionSpec spec) => new()
    {
        Rules = spec.Rules(),
        Floor = spec.Floor,
        IsOnHold = Hold is not null,
        MayForget = Problem is null,
    };
}

/// <summary>Reads items for retention and writes when they are looked at.</summary>
static class RetentionTable
{
    const string Select = """
        select i.id, i.name, i.repository_id, p.spec, r.upkeep_allowed, r.state, l.kind, l.name as location, h.name as host,
            h.retired_at is not null as retired, k.looked_at, k.due_at, clock() as now, o.held_at, o.held_by, o.reason, o.point_id,
            case when p.trash_before_until > clock() then p.trash_before end as trash_before
        from item i join policy p on p.id = i.policy_id join repository r on r.id = i.repository_id
        join location l on l.id = r.location_id join host h on h.id = r.host_id
        left join retention_look k on k.item_id = i.id left join retention_hold o on o.item_id = i.id and o.lifted_at is null
        """;

    public static Task<List<JudgedItem>> Items(SqlSource db, string where, object value, CancellationToken ct)
        => db.Query($"{Select} where i.retired_at is null and {where} order by i.id", [value], Read, ct);

    public static async Task<JudgedItem?> Item(SqlSource db, ItemId id, CancellationToken ct)
        => (await Items(db, "i.id = $1", id, ct)).FirstOrDefault();

    static JudgedItem Read(Row row)
    {
        var spec = row.Json("spec", WireJson.Default.PolicySpec)!.Retention;
        return new JudgedItem
        {
            Id = row.Id<ItemId>("id"),
            Name = row.Text("name"),
            Repository = row.Id<RepositoryId>("repository_id"),
            Spec = spec,
            Hold = row.TimeOrNull("held_at") is { } at
                ? new RetentionHold(at, row.Text("held_by"), row.Text("reason"), row.IdOrNull<RecoveryPointId>("point_id")) : null,
            Problem = Problem(row),
            Trash = row.SpanOrNull("trash_before") is { } before && before > spec.Trash ? before : spec.Trash,
            Now = row.Time("now"),
            LookedAt = row.TimeOrNull("looked_at"),
            DueAt = row.TimeOrNull("due_at"),
        };
    }

    /// <summary>Why nobody may remove anything from the repository of a row, in words; null where its host's agent may.</summary>
    /// <param name="row">With upkeep_allowed, retired, host, kind and location.</param>
    public static string? Problem(Row row)
    {
        if (!row.Bool("upkeep_allowed")) return "Its repository was adopted, and its owner has not allowed that anything in it is removed.";
        if (row.Word<LocationKind>("kind") == LocationKind.Gateway)
            return $"Its repository is in '{row.Text("location")}', a gateway: through it agents add and never remove. Whoever runs the "
                + "nodes can prune the folder behind it.";
        return row.Bool("retired") ? $"{row.Text("host")} was retired, and no other host's agent reaches its repository." : null;
    }

    /// <summary>Items whose look is due: those that were never looked at, and those whose day is over.</summary>
    public static Task<List<ItemId>> Due(SqlSource db, int most, CancellationToken ct) => db.Query("""
        select i.id from item i join policy p on p.id = i.policy_id left join retention_look k on k.item_id = i.id
        where i.retired_at is null and p.removed_at is null and coalesce(k.due_at <= clock(), true)
            and exists (select from recovery_point r where r.item_id = i.id and r.gone_at is null)
        order by k.due_at nulls first, i.id limit $1
        """, [most], row => row.Id<ItemId>("id"), ct);

    /// <summary>Looks at an item with the planner: what nothing keeps goes into the trash, what is kept again comes out of it.</summary>
    /// <returns>How many points are in the trash since now.</returns>
    public static async Task<int> Look(Transaction tx, ItemId id, CancellationToken ct)
    {
        // One look at an item at a time; another node's is left to it.
        if (!await tx.Scalar<bool>("select true from item where id = $1 and retired_at is null for update skip locked", [id], ct)) return 0;
        if (await Item(tx, id, ct) is not { } item) return 0;
        var points = (await PointTrash.Of(tx, [id], ct))[id].ToList();
        var verdicts = KeepPlan.Make([.. points.Select(one => one.Point)], item.Terms(item.Spec), item.Now);
        var judged = points.Zip(verdicts).ToList();
        List<RecoveryPointId> dropped = [.. judged.Where(one => one.Second.Fate == PointFate.Dropped && one.First.TrashUntil is null)
            .Select(one => one.First.Id)];
        await PointTrash.Mark(tx, dropped, [.. judged.Where(one => one.Second.Keeps && one.First.TrashUntil is not null)
            .Select(one => one.First.Id)], item.Trash, ct);
        await tx.Execute("""
            insert into retention_look (item_id, due_at, looked_at) values ($1, clock() + $2, clock())
            on conflict (item_id) do update set due_at = excluded.due_at, looked_at = excluded.looked_at
            """, [id, RetentionForecast.LookEvery], ct);
        return dropped.Count;
    }

    /// <summary>Lets the items of a policy be looked at with the next turn of the loop.</summary>
    public static Task LookSoon(Transaction tx, PolicyId policy, CancellationToken ct)
        => tx.Execute("update retention_look set due_at = clock() where item_id in (select id from item "
            + "where policy_id = $1)", [policy], ct);

    /// <summary>The same of one item.</summary>
    public static Task LookSoon(Transaction tx, ItemId item, CancellationToken ct)
        => tx.Execute("update retention_look set due_at = clock() where item_id = $1", [item], ct);

    /// <summary>
    /// What a run that takes its lease now is to remove. Decided only here, not when the run was queued: meanwhile somebody may have put a
    /// hold, or changed the rules.
    /// </summary>
    public static async Task<ForgetJob> Hand(Transaction tx, RepositoryId repository, RunId run, CancellationToken ct)
    {
        var due = new List<RecoveryPointId>();
        foreach (var item in await Items(tx, "i.repository_id = $1", repository, ct))
        {
            var points = (await PointTrash.Of(tx, [item.Id], ct))[item.Id].ToList();
            var verdicts = KeepPlan.Make([.. points.Select(one => one.Point)], item.Terms(item.Spec), item.Now);
            due.AddRange(points.Zip(verdicts).Where(one => one.Second.Fate == PointFate.Dropped && one.First.TrashUntil <= item.Now)
                .Select(one => one.First.Id));
        }
        var handed = await PointTrash.Hand(tx, repository, run, [.. due.Take(MostInARun)], ct);
        return new ForgetJob
        {
            Snapshots = [.. handed.Select(one => one.Snapshot)],
            Clusters = Names(handed.Select(one => one.Cluster)),
            Servers = Names(handed.Select(one => one.Server)),
        };
    }

    static string[]? Names(IEnumerable<string?> all) => all.OfType<string>().Distinct().ToArray() is { Length: > 0 } names ? names : null;

    /// <summary>Most snapshots that one run removes; the next one goes on.</summary>
    const int MostInARun = 1000;
}
