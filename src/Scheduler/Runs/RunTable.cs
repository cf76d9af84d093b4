using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Repositories;

namespace BackupDr.Scheduler.Runs;

/// <summary>A run to be made.</summary>
sealed record NewRun
{
    public required RunId Id { get; init; }
    public required JobKind Kind { get; init; }
    public required string Title { get; init; }
    public required HostId Host { get; init; }
    public required RepositoryId Repository { get; init; }
    public required StoredJob Job { get; init; }
    public required string RequestedBy { get; init; }
    public ItemId? Item { get; init; }
    public PolicyId? Policy { get; init; }
    public RecoveryPointId? Point { get; init; }
    public DateTimeOffset? NominalAt { get; init; }
    /// <summary>How long it waits before an agent may take it.</summary>
    public TimeSpan After { get; init; }
    /// <summary>The moment before which no agent may take it; null for none.</summary>
    public DateTimeOffset? NotBefore { get; init; }
    /// <summary>What it waits for until then, in words.</summary>
    public string? HeldFor { get; init; }
    /// <summary>What is to be known about how it came, in words; null for nothing.</summary>
    public string? Note { get; init; }
}

/// <summary>A job as it is kept: without the repository's password, which is opened for each lease.</summary>
sealed record StoredJob(BackupJob? Backup = null, RestoreJob? Restore = null, DrillJob? Drill = null, CheckJob? Check = null,
    ReplicateJob? Replicate = null, PruneJob? Prune = null);

/// <summary>Writes and reads runs and their events. Every change of state is a guarded update and an event in one transaction.</summary>
static class RunTable
{
    /// <summary>Inserts a run and wakes its host. False where the same firing or the same id made one already.</summary>
    /// <exception cref="ConflictException">It would be upkeep, and the repository's owner has not allowed that.</exception>
    public static async Task<bool> Add(Transaction tx, NewRun run, CancellationToken ct)
    {
        if (RepositoryTable.UpkeepKinds.Contains(run.Kind.ToString())) await RepositoryTable.MustAllowUpkeep(tx, run.Repository, ct);
        var made = await tx.Execute("""
            insert into run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, requested_by, job,
                due_at, held_for, note)
            values ($1, $2, 'Queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, greatest(clock() + $12, $13::timestamptz), $14, $15)
            on conflict do nothing
            """,
            [run.Id.Value, run.Kind.ToString(), run.Title, run.Item?.Value, run.Policy?.Value, run.Host.Value, run.Repository.Value,
                run.Point?.Value, run.NominalAt?.UtcDateTime, run.RequestedBy, new JsonText(Write(run.Job)), run.After, run.NotBefore,
                run.HeldFor, run.Note], ct);
        if (made == 0) return false;
        await Event(tx, run.Id, 0, EventLevel.Info, "run.queued", $"Queued by {run.RequestedBy}."
            + (run.Note is null ? "" : $" {run.Note}") + (run.HeldFor is null ? "" : $" Waits for {run.HeldFor}."), ct);
        await Notifications.WakeHost(tx, run.Host, ct);
        await Notifications.Changed(tx, "runs", run.Id.ToString(), ct);
        return true;
    }

    /// <summary>A run with the same job as one that is over, not added yet.</summary>
    /// <exception cref="ConflictException">That one is not over.</exception>
    public static async Task<NewRun> Again(Transaction tx, RunId old, RunId id, string requestedBy, CancellationToken ct)
    {
        var (state, run) = await tx.First("select kind, state, title, item_id, policy_id, host_id, repository_id, point_id, job from run "
            + "where id = $1", [old], row =>
        {
            var job = ReadJob(row.Text(8), row.Word<JobKind>(0), NoRepository);
            return (row.Word<RunState>(1), new NewRun
            {
                Id = id,
                Kind = row.Word<JobKind>(0),
                Title = row.Text(2),
                Item = row.IdOrNull<ItemId>(3),
                Policy = row.IdOrNull<PolicyId>(4),
                Host = row.Id<HostId>(5),
                Repository = row.Id<RepositoryId>(6),
                Point = row.IdOrNull<RecoveryPointId>(7),
                Job = new StoredJob(job.Backup, job.Restore, job.Drill, job.Check, job.Replicate, job.Prune),
                RequestedBy = requestedBy,
            });
        }, ct);
        if (run is null) throw new NotFoundException("A run with this id");
        return RunStates.IsOver(state) ? run
            : throw new ConflictException("run.not_over", $"The run is {state}.", "Wait until it is over, or cancel it.");
    }

    /// <summary>The oldest run of a kind that waits or is under way in a repository; null for none.</summary>
    public static Task<RunId?> Open(Transaction tx, RepositoryId repository, JobKind kind, CancellationToken ct)
        => tx.First("select id from run where repository_id = $1 and kind = $2 and state in ('Queued', 'Leased', 'Running') "
            + "order by id limit 1", [repository, kind.ToString()], row => (RunId?)row.Id<RunId>(0), ct);

    /// <summary>A run that waits for its time need not wait any longer.</summary>
    public static Task Hurry(Transaction tx, RunId run, CancellationToken ct)
        => tx.Execute("update run set due_at = clock() where id = $1 and state = 'Queued'", [run], ct);

    /// <summary>Queues once more what a store refused, where its credentials were replaced while the run had the former.</summary>
    /// <param name="tx">The transaction of its end.</param>
    /// <param name="old">The run that failed.</param>
    /// <param name="run">The new run's id.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Whether there is a new run.</returns>
    public static async Task<bool> AgainWithNewCredentials(Transaction tx, EndedRun old, RunId run, CancellationToken ct)
    {
        var made = await tx.Execute("""
            insert into run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, requested_by, job)
            select $2, r.kind, 'Queued', r.title, r.item_id, r.policy_id, r.host_id, r.repository_id, r.point_id,
                'system: the credentials were replaced', r.job
            from run r join repository s on s.id = r.repository_id
            where r.id = $1 and exists (select from location l where l.credentials_set_at > r.started_at and (l.id = s.location_id
                or exists (select from replica c where c.repository_id = s.id and c.location_id = l.id)))
            """, [old.Id, run], ct);
        if (made == 0) return false;
        await Event(tx, old.Id, old.Epoch, EventLevel.Info, "run.again",
            $"The location's credentials were replaced during this run: {run} does it again with the new ones.", ct);
        await Event(tx, run, 0, EventLevel.Info, "run.queued", "Queued by system: the credentials were replaced.", ct);
        await Notifications.WakeHost(tx, old.Host, ct);
        await Notifications.Changed(tx, "runs", run.ToString(), ct);
        return true;
    }

    /// <summary>Says in the log of an item's unfinished backup that a later firing made no run because of it. The run's own firing, told
    /// twice, says nothing.</summary>
    public static async Task Coalesced(Transaction tx, ItemId item, DateTimeOffset nominalAt, CancellationToken ct)
    {
        var busy = await tx.Query("""
            select id, lease_epoch from run where item_id = $1 and kind = 'Backup' and state in ('Queued', 'Leased', 'Running')
              and nominal_at is distinct from $2 order by id limit 1 for update
            """, [item, nominalAt], row => (Id: row.Id<RunId>(0), Epoch: row.Long(1)), ct);
        foreach (var run in busy)
            await Event(tx, run.Id, run.Epoch, EventLevel.Info, "run.coalesced",
                $"The firing of {nominalAt.UtcDateTime:u} made no run: this one is not over yet.", ct);
    }

    /// <summary>Forgets the runs of a repository that is detached. What they proved stays in the evidence.</summary>
    /// <exception cref="ConflictException">One of them is not over.</exception>
    public static async Task Forget(Transaction tx, RepositoryId repository, CancellationToken ct)
    {
        var busy = await tx.First("select title from run where repository_id = $1 and state in ('Queued', 'Leased', 'Running') limit 1",
            [repository], row => row.Text("title"), ct);
        if (busy is not null)
            throw new ConflictException("repository.busy", $"A run of this repository is not over: {busy}.", "Wait for it, or cancel it.");
        await tx.Execute("delete from run_event where run_id in (select id from run where repository_id = $1)", [repository], ct);
        await tx.Execute("delete from run where repository_id = $1", [repository], ct);
        await Notifications.Changed(tx, "runs", null, ct);
    }

    /// <summary>Adds a line of the control plane to a run's log.</summary>
    public static Task Event(Transaction tx, RunId run, long epoch, EventLevel level, string code, string text, CancellationToken ct)
        => tx.Execute("""
            insert into run_event (run_id, seq, epoch, at, level, code, text)
            select $1, coalesce(max(seq), 0) + 1, $2, clock(), $3, $4, $5 from run_event where run_id = $1
            """, [run.Value, epoch, level.ToString(), code, text], ct);

    public static string Write(StoredJob job) => JsonSerializer.Serialize(
        new Job
        {
            Kind = default,
            Repository = NoRepository,
            Backup = job.Backup,
            Restore = job.Restore,
            Drill = job.Drill,
            Check = job.Check,
            Replicate = job.Replicate,
            Prune = job.Prune,
        }, WireJson.Default.Job);

    // The column holds the wire's shape with an empty repository, so that there is one shape; kind and repository are columns of their own.
    static readonly RepositoryAccess NoRepository = new() { Id = default, Url = "", Password = "" };

    public static Job ReadJob(string json, JobKind kind, RepositoryAccess repository)
        => JsonSerializer.Deserialize(json, WireJson.Default.Job)! with { Kind = kind, Repository = repository };

    public const string Select = """
        select r.id, r.kind, r.state, r.title, r.item_id, r.policy_id, r.host_id, h.name, r.nominal_at, r.created_at, r.started_at,
        r.finished_at, r.lease_epoch,
               r.requested_by, r.cancel_asked_at is not null, r.progress, r.result, coalesce(r.point_id, (select p.id from
               recovery_point p where p.run_id = r.id and p.item_id is not null)), r.job,
               h.last_seen_at > clock() - $1 and h.retired_at is null, s.state, r.due_at > clock(),
               r.kind = 'Backup' and exists (select 1 from run o where o.item_id = r.item_id and o.kind = 'Backup' and o.state in
               ('Leased', 'Running') and o.id <> r.id), s.upkeep_allowed, r.repository_id,
               r.due_at, r.looks, r.thawing, r.held_for, r.note, l.name as location, r.kind in ('Forget', 'Prune') and
        """ + $" not {TermTable.IsConfirmed} as is_doubtful," + RunCaps.Columns + """
        from run r join host h on h.id = r.host_id join repository s on s.id = r.repository_id join location l on l.id = s.location_id
        """;

    public static Run Read(Row row)
    {
        var state = row.Word<RunState>(2);
        var job = JsonSerializer.Deserialize(row.Text(18), WireJson.Default.Job)!;
        return new Run
        {
            Id = row.Id<RunId>(0),
            Kind = row.Word<JobKind>(1),
            State = state,
            Title = row.Text(3),
            Item = row.IdOrNull<ItemId>(4),
            Policy = row.IdOrNull<PolicyId>(5),
            Host = row.Id<HostId>(6),
            HostName = row.Text(7),
            Repository = row.Id<RepositoryId>("repository_id"),
            NominalAt = row.TimeOrNull(8),
            CreatedAt = row.Time(9),
            StartedAt =
                row.TimeOrNull(10),
            FinishedAt = row.TimeOrNull(11),
            Epoch = row.Long(12),
            RequestedBy = row.Text(13),
            CancelAsked = row.Bool(14),
            Progress = row.IsNull(15) ? null : JsonSerializer.Deserialize(row.Text(15), WireJson.Default.JobProgress),
            Result = state == RunState.Queued ? null : row.Json("result", WireJson.Default.JobResult),
            RecoveryPoint = row.IdOrNull<RecoveryPointId>(17),
            Target = job.Restore?.Target,
            WaitsFor = state == RunState.Queued ? WaitsFor(row) : null,
            NotBefore = state == RunState.Queued && row.Bool(21) ? row.Time("due_at") : null,
            Looks = row.Int("looks"),
            Note = row.TextOrNull("note"),
            Thawing = state == RunState.Queued ? row.Json("thawing", WireJson.Default.ArchivedPacks) : null,
        };
    }

    static string WaitsFor(Row row)
    {
        if (row.Bool(21) && row.TextOrNull("held_for") is { } held) return held;
        if (row.IsNull(19) || !row.Bool(19)) return $"the agent on {row.Text(7)}, which is not online";
        if (row.Text(1) is not (nameof(JobKind.Init) or nameof(JobKind.Adopt)) && row.Text(20) != nameof(RepositoryState.Ready))
            return row.Text(20) == nameof(RepositoryState.Failed) ? "its repository, which could not be made" : "its repository to be made";
        if (!row.Bool("upkeep_allowed") && RepositoryTable.UpkeepKinds.Contains(row.Text(1)))
            return "its repository's owner to allow upkeep";
        if (row.Bool("is_doubtful"))
            return "most of the places of exports to confirm that no later control plane has begun";
        if (row.Bool(21))
            return row.Json("thawing", WireJson.Default.ArchivedPacks) is { } packs ? $"the thaw of {packs.Words}"
                : "its time: a pause after something that failed";
        return row.Bool(22) ? "another backup of the same item to end" : RunCaps.WaitsFor(row) ?? $"a free slot on {row.Text(7)}";
    }
}
