using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Drills;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.RecoveryPoints;

/// <summary>A recovery point whose snapshot is in no location any more.</summary>
readonly record struct LostPoint(RecoveryPointId Id, ItemId? Item, string SnapshotId);

/// <summary>Writes and reads the catalog of recovery points.</summary>
static class RecoveryPointTable
{
    /// <summary>Begins the tag of a snapshot that names the item whose backup made it.</summary>
    public const string ItemTag = "backupdr.item=";

    public const string Select = """
        select p.id, p.item_id, i.name, h.id, h.name, p.repository_id, p.snapshot_id, p.taken_at, p.received_at, p.is_complete,
        p.backup, p.proof, p.proof_at, p.run_id, p.proof_run_id, p.found, p.gone_at, p.forgotten_at, p.trash_until,
        p.forget_run_id is not null and p.gone_at is null as handed, p.taken_out_until, p.held_at, p.held_by, p.held_reason,
        p.run_id = p.id as has_no_run,
        array(select l.name from recovery_point_place w join location l on l.id = w.location_id where w.point_id = p.id order by 1)
        as locations
        from recovery_point p join repository r on r.id = p.repository_id left join item i on i.id = p.item_id
        join host h on h.id = coalesce(i.host_id, r.host_id)
        """;

    public static RecoveryPoint Read(Row row)
    {
        var found = row.Json("found", WireJson.Default.FoundSnapshot);
        return new RecoveryPoint
        {
            Id = row.Id<RecoveryPointId>(0),
            Item = row.IdOrNull<ItemId>(1),
            ItemName = row.TextOrNull(2) ?? Name(found!),
            Host = row.Id<HostId>(3),
            HostName = row.Text(4),
            Repository = row.Id<RepositoryId>(5),
            SnapshotId = row.Text(6),
            TakenAt = row.Time(7),
            ReceivedAt = row.Time(8),
            IsComplete = row.Bool(9),
            Backup = JsonSerializer.Deserialize(row.Text(10), WireJson.Default.BackupResult)!,
            Proof = row.IsNull(11) ? null
            : row.Word<ProofResult>(11),
            ProofAt = row.TimeOrNull(12),
            Run = row.Id<RunId>(13),
            IsRunUnknown = row.Bool("has_no_run"),
            ProofRun = row.IdOrNull<RunId>(14),
            Found = row.IsNull(1) ? found : null,
            GoneAt = row.TimeOrNull("gone_at"),
            ForgottenAt = row.TimeOrNull("forgotten_at"),
            TrashUntil = row.TimeOrNull("trash_until"),
            IsBeingForgotten = row.Bool("handed"),
            TakenOutUntil = row.TimeOrNull("taken_out_until"),
            Hold = row.TimeOrNull("held_at") is { } held ? new PointHold(held, row.Text("held_by"), row.Text("held_reason")) : null,
            Locations = row.Texts("locations"),
        };
    }

    /// <summary>What a found snapshot is about, in the words in which an item of ours would be named.</summary>
    static string Name(FoundSnapshot found)
    {
        var paths = found.Paths.Count switch
        {
            0 => "nothing",
            1 => found.Paths[0],
            _ => $"{found.Paths[0]} and {found.Paths.Count - 1} more",
        };
        return found.HostName.Length == 0 ? paths : $"{paths} on {found.HostName}";
    }

    /// <summary>Adds the point of a backup.</summary>
    /// <param name="tx">The transaction's.</param>
    /// <param name="clock">For its id.</param>
    /// <param name="item">Its item.</param>
    /// <param name="run">The run that made it.</param>
    /// <param name="backup">What was taken.</param>
    /// <param name="isComplete">Whether nothing is missing.</param>
    /// <param name="receivedAt">When it counts as received; null for now.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<RecoveryPointId> Add(Transaction tx, TimeProvider clock, ItemId item, EndedRun run, BackupResult backup,
        bool isComplete, DateTimeOffset? receivedAt, CancellationToken ct)
    {
        // A look through the repository may have found the snapshot before its own run told of it.
        var id = await tx.First("""
            insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, is_complete, backup, received_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9, clock()))
            on conflict (repository_id, snapshot_id) do update set item_id = excluded.item_id, run_id = excluded.run_id,
                taken_at = excluded.taken_at, is_complete = excluded.is_complete, backup = excluded.backup, gone_at = null,
                forgotten_at = null, forget_run_id = null
            returning id
            """, [RecoveryPointId.New(clock), item, run.Repository, run.Id, backup.SnapshotId, backup.TakenAt, isComplete,
                JsonText.Of(backup, WireJson.Default.BackupResult), receivedAt?.UtcDateTime], row => row.Id<RecoveryPointId>("id"), ct);
        await Notifications.Changed(tx, "points", id.ToString(), ct);
        return id;
    }

    /// <summary>Adds the point of a backup whose item this control plane does not know: its host made it alone, by a policy that was
    /// written after the state that was restored here.</summary>
    public static async Task AddFound(Transaction tx, TimeProvider clock, EndedRun run, BackupResult backup, AloneRun told,
        DateTimeOffset receivedAt, CancellationToken ct)
    {
        var id = RecoveryPointId.New(clock);
        await tx.Execute("""
            insert into recovery_point (id, repository_id, run_id, snapshot_id, taken_at, is_complete, backup, found, received_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (repository_id, snapshot_id) do nothing
            """, [id, run.Repository, run.Id, backup.SnapshotId, backup.TakenAt, told.Result.Outcome == JobOutcome.Complete,
                JsonText.Of(backup with { MadeAlone = true }, WireJson.Default.BackupResult), JsonText.Of(new FoundSnapshot
                {
                    SnapshotId = backup.SnapshotId,
                    TakenAt = backup.TakenAt,
                    Paths = [told.Title],
                    Tags = [$"{ItemTag}{told.Item}"],
                    Files = backup.Files,
                    Bytes = backup.Bytes,
                    BytesAdded = backup.BytesAdded,
                }, WireJson.Default.FoundSnapshot), receivedAt.UtcDateTime], ct);
        await Notifications.Changed(tx, "points", id.ToString(), ct);
    }

    /// <summary>Keeps what a look through a repository found: what is new is added, what came back is there again, and what was there
    /// before the look began and was not found is gone.</summary>
    public static async Task Found(Transaction tx, TimeProvider clock, EndedRun run, AdoptResult look, CancellationToken ct)
    {
        var found = look.Snapshots;
        // Of our own repositories only what a policy's backup made is a point of recovery, and it is its item's: a log's parts are none.
        // Whether it left anything out was known to its run alone, so that it counts as incomplete; and each has a run of its own, so
        // that its own id stands there until that run tells of it.
        await tx.Execute("""
            insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, is_complete, backup, found)
            select s.id, i.id, $1, case when i.id is null then $2 else s.id end, s.snapshot, s.taken, i.id is null, s.backup::jsonb,
                s.found::jsonb
            from unnest($3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::uuid[])
                as s (id, snapshot, taken, backup, found, item)
            join repository r on r.id = $1 left join item i on i.id = s.item and i.repository_id = r.id
            where r.adopted_at is not null or i.id is not null
            on conflict (repository_id, snapshot_id) do update set gone_at = null, forgotten_at = null, forget_run_id = null
                where recovery_point.gone_at is not null
            """,
            [run.Repository, run.Id, found.Select(_ => RecoveryPointId.New(clock).Value).ToArray(),
                found.Select(one => one.SnapshotId).ToArray(), found.Select(one => one.TakenAt.UtcDateTime).ToArray(),
                found.Select(one => JsonSerializer.Serialize(Numbers(one), WireJson.Default.BackupResult)).ToArray(),
                found.Select(one => JsonSerializer.Serialize(one, WireJson.Default.FoundSnapshot)).ToArray(),
                found.Select(one => ItemOf(one)?.Value).ToArray()], ct);
        // A snapshot that cannot be read is still there; of those that were too many to be told nothing is known. One that lies in a
        // further place comes back from there.
        await tx.Execute("""
            update recovery_point p set gone_at = clock() from run r
            where r.id = $2 and p.repository_id = $1 and p.gone_at is null and not p.snapshot_id = any($3)
              and p.forget_run_id is null
              and p.received_at < r.started_at
              and not exists (select from recovery_point_place w join repository o on o.id = $1
                where w.point_id = p.id and w.location_id <> o.location_id) and ($4::timestamptz is null or p.taken_at >= $4)
            """,
            [run.Repository, run.Id, found.Select(one => one.SnapshotId)
                .Concat(look.Problems.Select(problem => problem.SnapshotId)).ToArray(),
                look.NotListed > 0 || look.ProblemCount > look.Problems.Count ? OldestTold(look) : null], ct);
        await Notifications.Changed(tx, "points", null, ct);
    }

    /// <summary>The item that a snapshot's tags name.</summary>
    static ItemId? ItemOf(FoundSnapshot found)
        => found.Tags.FirstOrDefault(tag => tag.StartsWith(ItemTag, StringComparison.Ordinal)) is { } tag
            && TypedId.TryParse<ItemId>(tag[ItemTag.Length..], out var item) ? item : null;

    /// <summary>After the places of points were told anew: those that lie nowhere are gone, and those that came back are there.</summary>
    /// <param name="tx">The transaction's.</param>
    /// <param name="repository">Whose points.</param>
    /// <param name="run">The replication; points that were received after it had begun are left alone.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Those that are gone since now.</returns>
    public static async Task<IReadOnlyList<LostPoint>> Placed(Transaction tx, RepositoryId repository, RunId run, CancellationToken ct)
    {
        await tx.Execute("""
            update recovery_point p set gone_at = null where p.repository_id = $1 and p.gone_at is not null and p.forgotten_at is null
              and exists (select from recovery_point_place w where w.point_id = p.id)
            """, [repository], ct);
        var lost = await tx.Query("""
            update recovery_point p set gone_at = clock() from run r
            where r.id = $2 and p.repository_id = $1 and p.gone_at is null and p.received_at < r.started_at and p.forget_run_id is null
              and not exists (select from recovery_point_place w where w.point_id = p.id)
            returning p.id, p.item_id, p.snapshot_id
            """, [repository, run],
            row => new LostPoint(row.Id<RecoveryPointId>(0), row.IdOrNull<ItemId>(1), row.Text(2)), ct);
        if (lost.Count > 0) await Notifications.Changed(tx, "points", null, ct);
        return lost;
    }

    static DateTimeOffset OldestTold(AdoptResult look)
        => look.ProblemCount == look.Problems.Count && look.Snapshots.Count > 0 ? look.Snapshots[^1].TakenAt : DateTimeOffset.MaxValue;

    static BackupResult Numbers(FoundSnapshot found) => new()
    {
        SnapshotId = found.SnapshotId,
        TakenAt = found.TakenAt,
        Files = found.Files ?? 0,
        Bytes = found.Bytes ?? 0,
        BytesAdded = found.BytesAdded ?? 0,
    };

    /// <summary>Refuses what needs the snapshot of a point that is gone.</summary>
    /// <exception cref="ConflictException">It is gone.</exception>
    public static void MustBeThere(RecoveryPoint point)
    {
        if (point.ForgottenAt is { } forgotten)
            throw new ConflictException("point.forgotten", $"The snapshot {point.SnapshotId[..8]} was forgotten by its policy's retention "
                + $"on {forgotten.UtcDateTime:yyyy-MM-dd}.", "Choose another recovery point.");
        if (point.GoneAt is { } gone)
            throw new ConflictException("point.gone", $"The snapshot {point.SnapshotId[..8]} was removed from its repository by somebody "
                + $"else; a look found that on {gone.UtcDateTime:yyyy-MM-dd}.", "Choose another recovery point.");
    }

    /// <summary>Forgets the points of a repository that is detached.</summary>
    public static async Task Forget(Transaction tx, RepositoryId repository, CancellationToken ct)
    {
        await tx.Execute("delete from recovery_point where repository_id = $1", [repository], ct);
        await Notifications.Changed(tx, "points", null, ct);
    }

    public static async Task Proven(Transaction tx, RecoveryPointId point, RunId run, DrillResult drill, CancellationToken ct)
    {
        await tx.Execute("update recovery_point set proof = $2, proof_at = clock(), proof_run_id = $3, proof_restore_seconds = $4 where "
            + "id = $1", [point.Value, drill.Result.ToString(), run.Value, drill.RestoreSeconds], ct);
        await Notifications.Changed(tx, "points", point.ToString(), ct);
    }
}

/// <summary>Recovery points, newest first.</summary>
public sealed class ListRecoveryPoints(Postgres db)
{
    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<RecoveryPoint>> Handle(Caller caller, ListRecoveryPointsRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.PointRead);
        var (hosts, policies) = caller.Visible(Right.PointRead);
        return await db.Query($"""
            {RecoveryPointTable.Select}
            where ($1::uuid is null or p.item_id = $1) and ($3::uuid is null or p.repository_id = $3)
              and ($5::uuid[] is null or h.id = any($5) or i.policy_id = any($6))
              and ($4::uuid is null or (p.taken_at, p.id) < (select b.taken_at, b.id from recovery_point b where b.id = $4))
            order by p.taken_at desc, p.id desc limit $2
            """, [request.Item, Math.Clamp(request.Limit, 1, 1000), request.Repository, request.Before,
                hosts, policies], RecoveryPointTable.Read, ct);
    }
}

/// <summary>One recovery point.</summary>
public sealed class ShowRecoveryPoint(Postgres db)
{
    /// <summary>Shows.</summary>
    public async Task<RecoveryPoint> Handle(Caller caller, ShowRecoveryPointRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PointRead, request.Id, ct);
        return await db.First($"{RecoveryPointTable.Select} where p.id = $1", [request.Id.Value], RecoveryPointTable.Read, ct)
            ?? throw new NotFoundException("A recovery point with this id");
    }
}

/// <summary>What lies in a folder of a recovery point, asked of the agent whose machine holds the repository.</summary>
public sealed class BrowseRecoveryPoint(ShowRecoveryPoint show, AgentQuestions questions)
{
    /// <summary>Asks and waits up to 15 seconds.</summary>
    public async Task<BrowseAnswer> Handle(Caller caller, BrowseRecoveryPointRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PointBrowse, request.Id, ct);
        var point = await show.Handle(caller, new ShowRecoveryPointRequest(request.Id), ct);
        RecoveryPointTable.MustBeThere(point);
        return new BrowseAnswer(await questions.Ask(point.Host, AgentRequestKind.ListSnapshotFolder, request.Path, point.Repository,
            point.SnapshotId, ct));
    }
}

/// <summary>Starts a test restore of a recovery point.</summary>
public sealed class RequestDrill(Postgres db, ShowRecoveryPoint show, TimeProvider clock)
{
    /// <summary>Starts it.</summary>
    public async Task<RunStarted> Handle(Caller caller, RequestDrillRequest request, CancellationToken ct)
    {
        await caller.Must(Right.DrillStart, request.Id, ct);
        var point = await show.Handle(caller, new ShowRecoveryPointRequest(request.Id), ct);
        RecoveryPointTable.MustBeThere(point);
        return await db.InTransaction(async tx =>
        {
            var of = await tx.First("select i.policy_id, i.source, p.spec from item i join policy p on p.id = i.policy_id "
                + "where i.id = $1", [point.Item], row => new
                {
                    Policy = row.Id<PolicyId>(0),
                    Source = row.Json("source", WireJson.Default.SourceSpec),
                    row.Json("spec", WireJson.Default.PolicySpec)!.Proof,
                }, ct);
            var id = RunId.New(clock);
            await DrillRuns.Start(tx, id, new DrilledPoint(point.Item, of?.Policy, point.ItemName, point.Host, point.Repository, of?.Source,
                point.Id, point.SnapshotId, of?.Proof), point.Host, caller.Name, ct);
            await Audit.Add(tx, caller, "drill.request", id.ToString(), point.Id.ToString(), ct);
            return new RunStarted(id);
        }, ct);
    }
}
