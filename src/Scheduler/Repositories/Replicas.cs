using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Writes and reads rows of replicas, and makes the runs that bring them up to date.</summary>
static class ReplicaTable
{
    const string Waiting = "kind = 'Replicate' and state = 'Queued'";

    /// <summary>The replicas of all repositories, with how far each is behind.</summary>
    public static async Task<ILookup<RepositoryId, Replica>> All(SqlSource db, CancellationToken ct)
        => (await db.Query("""
            select c.repository_id, c.location_id, l.name, c.url, c.tried_at, c.equal_at, c.problem, coalesce(b.points, 0)::int,
                coalesce(b.bytes, 0)::bigint, b.since
            from replica c join location l on l.id = c.location_id
            left join (
                select o.repository_id, o.location_id, count(*) as points, sum(p.bytes_added) as bytes, min(p.taken_at) as since
                from replica o join recovery_point p on p.repository_id = o.repository_id and p.gone_at is null
                where not exists (select from recovery_point_place w where w.point_id = p.id and w.location_id = o.location_id)
                group by o.repository_id, o.location_id) b on b.repository_id = c.repository_id and b.location_id = c.location_id
            order by c.added_at, c.location_id
            """, [], row => (Repository: row.Id<RepositoryId>(0), Replica: new Replica
        {
            Location = row.Id<LocationId>(1),
            LocationName = row.Text(2),
            Url = row.Text(3),
            TriedAt = row.TimeOrNull(4),
            EqualAt = row.TimeOrNull(5),
            Problem = row.TextOrNull(6),
            PointsBehind = row.Int(7),
            BytesBehind = row.Long(8),
            BehindSince = row.TimeOrNull(9),
        }), ct)).ToLookup(one => one.Repository, one => one.Replica);

    /// <summary>A recovery point is known to lie in a location.</summary>
    public static Task Holds(Transaction tx, RecoveryPointId point, LocationId? elsewhere, RepositoryId repository, CancellationToken ct)
        => tx.Execute("""
            insert into recovery_point_place (point_id, location_id)
            select $1, coalesce($2::uuid, location_id) from repository where id = $3 on conflict do nothing
            """, [point, elsewhere, repository], ct);

    /// <summary>Makes a run that replicates, unless the repository has no replica or one waits already.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="repository">Which.</param>
    /// <param name="run">The new run's id.</param>
    /// <param name="requestedBy">For the log.</param>
    /// <param name="readData">Whether every object is read.</param>
    /// <param name="after">How long it waits first.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>The run, also where it waited already; null without replicas, or where upkeep is not allowed.</returns>
    public static async Task<RunId?> Start(Transaction tx, RepositoryId repository, RunId run, string requestedBy, bool readData,
        TimeSpan after, CancellationToken ct)
    {
        var found = await tx.First("""
            select r.host_id, h.name from repository r join host h on h.id = r.host_id
            where r.id = $1 and r.upkeep_allowed and exists (select from replica c where c.repository_id = r.id) for update of r
            """, [repository], row => (Host: row.Id<HostId>(0), Name: row.Text(1)), ct);
        if (found.Name is null) return null;
        var waits = await tx.First($"select id from run where repository_id = $1 and {Waiting} order by id limit 1", [repository],
            row => (RunId?)row.Id<RunId>(0), ct);
        if (waits is { } there)
        {
            if (after == TimeSpan.Zero) await RunTable.Hurry(tx, there, ct);
            return there;
        }
        await RunTable.Add(tx, new NewRun
        {
            Id = run,
            Kind = JobKind.Replicate,
            Title = $"Replicate the repository of {found.Name}",
            Host = found.Host,
            Repository = repository,
            RequestedBy = requestedBy,
            After = after,
            Job = new StoredJob(Replicate: new ReplicateJob { ReadData = readData }),
        }, ct);
        return run;
    }

    /// <summary>What a replication found at each place. A point that was received after it had begun is none that it missed.</summary>
    public static async Task Replicated(Transaction tx, RepositoryId repository, RunId run, JobResult result, CancellationToken ct)
    {
        if (result.Replicate is not { } done)
        {
            await tx.Execute("update replica set tried_at = clock(), problem = $2 where repository_id = $1",
                [repository, result.Error?.Message ?? "It was cancelled."], ct);
            return;
        }
        var isEqual = result.Outcome == JobOutcome.Complete;
        foreach (var place in done.Places)
        {
            await tx.Execute("""
                update replica set tried_at = clock(), problem = $3, equal_at = case when $4 then clock() else equal_at end
                where repository_id = $1 and location_id = $2
                """, [repository, place.Location, place.Problem ?? (isEqual ? null : Elsewhere(done)), isEqual], ct);
            if (place.Snapshots is not { } snapshots) continue;
            await tx.Execute("""
                delete from recovery_point_place w using recovery_point p
                where w.point_id = p.id and p.repository_id = $1 and w.location_id = $2 and not p.snapshot_id = any($3)
                  and p.received_at < (select started_at from run where id = $4)
                """, [repository, place.Location, snapshots.ToArray(), run], ct);
            await tx.Execute("""
                insert into recovery_point_place (point_id, location_id)
                select id, $2 from recovery_point where repository_id = $1 and snapshot_id = any($3) and forgotten_at is null
                on conflict do nothing
                """, [repository, place.Location, snapshots.ToArray()], ct);
        }
    }

    /// <summary>Snapshots that a look found lie in the repository's own location, and those that are gone do not.</summary>
    public static async Task Found(Transaction tx, RepositoryId repository, CancellationToken ct)
    {
        await tx.Execute("""
            insert into recovery_point_place (point_id, location_id)
            select p.id, r.location_id from recovery_point p join repository r on r.id = p.repository_id
            where r.id = $1 and p.found is not null and p.gone_at is null on conflict do nothing
            """, [repository], ct);
        await tx.Execute("""
            delete from recovery_point_place w using recovery_point p, repository r
            where w.point_id = p.id and r.id = p.repository_id and r.id = $1 and w.location_id = r.location_id and p.gone_at is not null
            """, [repository], ct);
    }

    /// <summary>Points that retention forgot lie nowhere any more; where a replica still has one, the next replication removes
    /// it.</summary>
    public static Task Forgotten(Transaction tx, RepositoryId repository, IReadOnlyCollection<RecoveryPointId> points, CancellationToken ct)
        => tx.Execute("""
            delete from recovery_point_place w using recovery_point p
            where w.point_id = p.id and p.repository_id = $1 and p.id = any($2)
            """, [repository, points.Select(id => id.Value).ToArray()], ct);

    /// <summary>Forgets where a repository that is detached lies.</summary>
    public static async Task Forget(Transaction tx, RepositoryId repository, CancellationToken ct)
    {
        await tx.Execute("""
            delete from recovery_point_place w using recovery_point p where w.point_id = p.id and p.repository_id = $1
            """, [repository], ct);
        await tx.Execute("delete from replica where repository_id = $1", [repository], ct);
    }

    static string Elsewhere(ReplicateResult done) => done.Damaged.Count > 0 ? $"{done.Damaged.Count} objects are damaged at every place."
        : "Another place could not be brought up to date.";
}

/// <summary>Keeps a repository in a further location, and starts to fill it.</summary>
public sealed class AddReplica(Postgres db, TimeProvider clock)
{
    /// <summary>Adds it. Adding one that is there gives the run that fills it.</summary>
    /// <exception cref="BadInputException">The location cannot hold a replica of this repository.</exception>
    public async Task<RunStarted> Handle(Caller caller, AddReplicaRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        return await db.InTransaction(async tx =>
        {
            var repository = await tx.First("select host_id, location_id, state from repository where id = $1", [request.Id],
                row => new { Host = row.Id<HostId>(0), Location = row.Id<LocationId>(1), State = row.Word<RepositoryState>(2) }, ct)
                ?? throw new NotFoundException("A repository with this id");
            var location = await tx.First("select name, kind, host_id, is_closed from location where id = $1",
                [request.Location], row => new
                {
                    Name = row.Text(0),
                    Kind = row.Word<LocationKind>(1),
                    Host = row.IdOrNull<HostId>(2),
                    IsClosed = row.Bool("is_closed"),
                }, ct)
                ?? throw new NotFoundException("A location with this id");
            await RepositoryTable.MustAllowUpkeep(tx, request.Id, ct);
            if (location.IsClosed) throw RepositoryTable.Closed();
            if (request.Location == repository.Location)
                throw new BadInputException("location", $"The repository is in '{location.Name}' already.", "Choose another location.");
            if (location.Kind == LocationKind.Gateway)
                throw new BadInputException("location", "A gateway lets agents add and not remove, so what is forgotten would stay in a "
                    + "replica there for good.", "Choose an object store, or make the gateway the repository's own location.");
            if (location.Host is { } machine && machine != repository.Host)
                throw new BadInputException("location", "This location is a folder of another machine.",
                    "Choose an object store, or a folder of the host itself.");
            if (repository.State != RepositoryState.Ready)
                throw new ConflictException("repository.not_ready", $"The repository is {repository.State}.",
                    "Add the replica after its first backup.");
            await tx.Execute("""
                insert into replica (repository_id, location_id, url)
                select $1, l.id, rtrim(coalesce(l.address, l.path), '/') || '/' || $3 from location l where l.id = $2 on conflict do nothing
                """, [request.Id, request.Location, repository.Host.ToString()], ct);
            await Notifications.Changed(tx, "storage", request.Id.ToString(), ct);
            await Audit.Add(tx, caller, "replica.add", request.Id.ToString(), location.Name, ct);
            return new RunStarted(await ReplicaTable.Start(tx, request.Id, RunId.New(clock), caller.Name, false, TimeSpan.Zero, ct)
                ?? throw new NotFoundException("A repository with this id"));
        }, ct);
    }
}

/// <summary>No longer keeps a repository in a further location. What is there stays there.</summary>
public sealed class RemoveReplica(Postgres db, FourEyes eyes)
{
    /// <summary>Removes it from the list.</summary>
    public async Task Handle(Caller caller, RemoveReplicaRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        var place = await db.First("select l.name, c.added_at::text from replica c join location l on l.id = c.location_id "
            + "where c.repository_id = $1 and c.location_id = $2", [request.Id, request.Location],
            row => new { Name = row.Text(0), Added = row.Text(1) }, ct) ?? throw new NotFoundException("A replica in this location");
        await eyes.Pass(caller, new Command("replica.remove", request.Id.ToString(), $"Keeps a repository no longer in {place.Name}.",
            place.Added), request, WireJson.Default.RemoveReplicaRequest, ct);
        await db.InTransaction(async tx =>
        {
            var removed = await tx.Execute("delete from replica where repository_id = $1 and location_id = $2",
                [request.Id, request.Location], ct);
            if (removed == 0) throw new NotFoundException("A replica in this location");
            await tx.Execute("""
                delete from recovery_point_place w using recovery_point p
                where w.point_id = p.id and p.repository_id = $1 and w.location_id = $2
                """, [request.Id, request.Location], ct);
            await Notifications.Changed(tx, "storage", request.Id.ToString(), ct);
            await Audit.Add(tx, caller, "replica.remove", request.Id.ToString(), request.Location.ToString(), ct);
        }, ct);
    }
}

/// <summary>Brings all places of a repository to the same state now.</summary>
public sealed class ReplicateRepository(Postgres db, TimeProvider clock)
{
    /// <summary>Starts it, or gives the run that waits to do it.</summary>
    /// <exception cref="ConflictException">The repository has one place only.</exception>
    public async Task<RunStarted> Handle(Caller caller, ReplicateRepositoryRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RunStart, request.Id, ct);
        return await db.InTransaction(async tx =>
        {
            await RepositoryTable.MustAllowUpkeep(tx, request.Id, ct);
            var run = await ReplicaTable.Start(tx, request.Id, RunId.New(clock), caller.Name, request.ReadData, TimeSpan.Zero, ct)
                ?? throw new ConflictException("repository.one_place", "This repository is in one place only.", "Add a replica first.");
            await Audit.Add(tx, caller, "repository.replicate", request.Id.ToString(), run.ToString(), ct);
            return new RunStarted(run);
        }, ct);
    }
}
