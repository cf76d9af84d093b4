using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.RecoveryPoints;

/// <summary>Writes and reads the catalog of recovery points.</summary>
static class RecoveryPointTable
{
    public const string Select = """
        select p.id, p.item_id, i.name, i.host_id, h.name, p.repository_id, p.snapshot_id, p.taken_at, p.received_at, p.is_complete,
        p.backup, p.proof, p.proof_at, p.run_id, p.proof_run_id,
        array(select l.name from recovery_point_place w join location l on l.id = w.location_id where w.point_id = p.id order by 1)
        as locations
        from recovery_point p join item i on i.id = p.item_id join host h on h.id = i.host_id
        """;

    public static RecoveryPoint Read(Row row) => new()
    {
        Id = row.Id<RecoveryPointId>(0),
        Item = row.Id<ItemId>(1),
        ItemName = row.Text(2),
        Host = row.Id<HostId>(3),
        HostName =
            row.Text(4),
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
        ProofRun = row.IdOrNull<RunId>(14),
        Locations = row.Texts("locations"),
    };

    public static async Task<RecoveryPointId> Add(Transaction tx, TimeProvider clock, ItemId item, EndedRun run, BackupResult backup,
        bool isComplete, CancellationToken ct)
    {
        var id = RecoveryPointId.New(clock);
        await tx.Execute("insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, is_complete, backup) "
            + "values ($1, $2, $3, $4, $5, $6, $7, $8)", [id.Value, item.Value, run.Repository.Value, run.Id.Value, backup.SnapshotId,
                backup.TakenAt.UtcDateTime, isComplete, JsonText.Of(backup, WireJson.Default.BackupResult)], ct);
        await Notifications.Changed(tx, "points", id.ToString(), ct);
        return id;
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
        caller.Must(Right.PointRead);
        return await db.Query($"{RecoveryPointTable.Select} where $1::uuid is null or p.item_id = $1 order by p.taken_at desc, p.id desc "
            + $"limit $2", [request.Item?.Value, Math.Clamp(request.Limit, 1, 1000)], RecoveryPointTable.Read, ct);
    }
}

/// <summary>One recovery point.</summary>
public sealed class ShowRecoveryPoint(Postgres db)
{
    /// <summary>Shows.</summary>
    public async Task<RecoveryPoint> Handle(Caller caller, ShowRecoveryPointRequest request, CancellationToken ct)
    {
        caller.Must(Right.PointRead);
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
        caller.Must(Right.PointBrowse);
        var point = await show.Handle(caller, new ShowRecoveryPointRequest(request.Id), ct);
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
        caller.Must(Right.DrillStart);
        var point = await show.Handle(caller, new ShowRecoveryPointRequest(request.Id), ct);
        return await db.InTransaction(async tx =>
        {
            var (policy, source) = await tx.First("select policy_id, source from item where id = $1", [point.Item.Value], row =>
                (row.Id<PolicyId>(0), row.Text(1)), ct);
            var id = RunId.New(clock);
            await RunTable.Add(tx, new NewRun
            {
                Id = id,
                Kind = JobKind.Drill,
                Title = $"Drill {point.ItemName}",
                Item = point.Item,
                Policy = policy,
                Host = point.Host,
                Repository = point.Repository,
                Point = point.Id,
                RequestedBy = caller.Name,
                Job = new StoredJob(Drill: new DrillJob
                {
                    SnapshotId = point.SnapshotId,
                    LiveSource =
                    JsonSerializer.Deserialize(source, WireJson.Default.SourceSpec)
                }),
            }, ct);
            await Audit.Add(tx, caller, "drill.request", id.ToString(), point.Id.ToString(), ct);
            return new RunStarted(id);
        }, ct);
    }
}
