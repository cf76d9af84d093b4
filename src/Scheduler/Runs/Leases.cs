using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Placement;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Telemetry;

namespace BackupDr.Scheduler.Runs;

/// <summary>An agent's long poll: hands out one run with a fresh epoch, and the questions to this host.</summary>
public sealed class LeaseRun(Postgres db, RepositoryTable repositories, Notifications notifications, NodeStanding standing,
    UpkeepPlacement placement, TermFence fence, TermWatch watch, TimeProvider clock, IHostApplicationLifetime lifetime)
{
    static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5), WhileAsking = TimeSpan.FromMilliseconds(250);
    const int TriesForRoom = 3;

    /// <summary>Waits until there is something, at most as long as asked. An empty answer is an ordinary one.</summary>
    public async Task<LeaseAnswer> Handle(Caller caller, LeaseRequest request, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        var host = caller.MustBeHost();
        AgentVersions.Check(request.ProtocolVersion, request.AgentVersion);
        await fence.MustBeLatest(request.Term, host, ct);
        if (standing.IsDraining) throw new UnavailableException("node.draining", "This node takes no new work: it is being emptied.",
            "Ask another node.");
        var wait = TimeSpan.FromSeconds(Math.Clamp(request.WaitSeconds, 0, AgentProtocol.MaximumWaitSeconds));
        var since = clock.GetTimestamp();
        await Seen(host, request, ct);
        using var told = notifications.ListenHost(host);
        using var held = standing.HoldAgent();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, lifetime.ApplicationStopping, standing.Draining);
        var asked = Task.CompletedTask;   // of all places, whether this control plane is the latest
        while (true)
        {
            fence.MustBeLatest();
            var answer = await Take(host, request, () => asked = watch.LookNow(lifetime.ApplicationStopping), ct);
            var left = wait - clock.GetElapsedTime(since);
            if (answer.Run is not null || answer.Requests.Count > 0 || answer.Addresses is not null
                || request.Term?.Term < answer.Term?.Term || left <= TimeSpan.Zero
                || stop.IsCancellationRequested) return answer;
            var pause = !asked.IsCompleted ? WhileAsking : LookAgain;
            try { await told.Wait(left < pause ? left : pause, stop.Token); }
            // the node stops or drains: one last look, then an empty answer
            catch (OperationCanceledException) when (!ct.IsCancellationRequested) { continue; }
        }
    }

    /// <summary>One statement without a transaction around it: what each agent does every ten seconds is most of an idle node's
    /// work. Its lock lets others refer to the host meanwhile: who makes runs of many hosts would hold up the polls of
    /// all of them.</summary>
    async Task Seen(HostId host, LeaseRequest request, CancellationToken ct)
    {
        var isNews = await db.First("""
            with before as (select id, last_seen_at is null or last_seen_at < clock() - $4 as news from host where id = $1
                for no key update)
            update host h set last_seen_at = clock(), load = $2, agent_version = case when $3 = '' then h.agent_version else $3 end
            from before b where h.id = b.id returning b.news
            """, [host, request.Load, request.AgentVersion.Length <= 200 ? request.AgentVersion : "", HostTable.Silence],
            row => row.Bool(0), ct);
        if (!isNews) return;
        await db.InTransaction(async tx =>
        {
            await Notifications.Changed(tx, "hosts", host.ToString(), ct);
            await Notifications.Changed(tx, "joins", null, ct);
        }, ct);
    }

    /// <summary>Whether anything waits that this host could get. What locks and writes is done only then.</summary>
    Task<bool> AnythingWaits(HostId host, CancellationToken ct) => db.Scalar<bool>($"""
        select exists (select from run where host_id = $1 and state = 'Queued' and due_at <= clock())
            or exists (select from agent_request where host_id = $1 and taken_at is null and created_at > clock() - $3)
            or exists (select from host where id = $1 and is_mover) and exists (select from run where {UpkeepPlacement.Waits})
            or exists ({UpkeepPlacement.Left})
        """, [host, MoverPlacement.Out, AgentProtocol.RequestTimeout], ct);

    /// <param name="host">Who asks.</param>
    /// <param name="request">What it says.</param>
    /// <param name="confirm">Called where something that removes is next, and our term was not confirmed just now: begins to ask.</param>
    /// <param name="ct">Cancels.</param>
    async Task<LeaseAnswer> Take(HostId host, LeaseRequest request, Action confirm, CancellationToken ct)
    {
        if (!await AnythingWaits(host, ct)) return Told(request);
        try
        {
            var mayRemove = Removals.All;
            for (var tries = 1; ; tries++)
                try { return await db.InTransaction(tx => Take(tx, host, request, mayRemove, ct), ct); }
                catch (NotConfirmedException)   // whatever else waits is not held up by it
                {
                    confirm();
                    mayRemove = Removals.Confirmed;
                }
                // rolled back with its locks; the next look counts what the other node took
                catch (NoRoomException) when (tries < TriesForRoom) { continue; }
                catch (NoRoomException) { return new LeaseAnswer(); }   // taken again and again: the next poll asks once more
        }
        // Another poll of this host took a run of the same item between our look and our write: nothing for now.
        catch (Npgsql.PostgresException e) when (e.SqlState == Npgsql.PostgresErrorCodes.UniqueViolation) { return new LeaseAnswer(); }
    }

    async Task<LeaseAnswer> Take(Transaction tx, HostId host, LeaseRequest request, Removals mayRemove, CancellationToken ct)
    {
        var asked = await tx.Query("""
            update agent_request set taken_at = clock() where id in (select id from agent_request where host_id = $1 and taken_at is
            null and created_at > clock() - $2 and (step is null or $3) and not (select awaits_approval from host where id = $1)
            for update skip locked)
            returning id, kind, path, repository_id, snapshot_id, source, step
            """, [host.Value, AgentProtocol.RequestTimeout, request.KnowsSteps == true],
            row => (Id: row.Id<RequestId>(0), Kind: row.Word<AgentRequestKind>(1), Path: FilePath.Parse(row.Text(2)),
                Repository: row.IdOrNull<RepositoryId>(3), Snapshot: row.TextOrNull(4),
                Source: row.Json("source", WireJson.Default.SourceSpec), Step: row.Json("step", WireJson.Default.HostStep)), ct);
        var requests = new List<AgentRequest>();
        foreach (var question in asked)
            requests.Add(new AgentRequest
            {
                Id = question.Id,
                Kind = question.Kind,
                Path = question.Path,
                SnapshotId = question.Snapshot,
                Source = question.Source,
                Step = question.Step,
                Repository = question.Repository is { } repository
                    ? (await repositories.Access(tx, repository, ct)).WithoutLimits() : null,
            });
        if (request.Slots > 0) await placement.Place(tx, host, ct);
        return Told(request) with
        {
            Requests = requests,
            Run = request.Slots > 0 ? await Claim(tx, host, request, mayRemove, ct) : null,
        };
    }

    /// <summary>What each answer says, also where there is nothing to do.</summary>
    LeaseAnswer Told(LeaseRequest request)
    {
        var news = News(request);
        return new LeaseAnswer
        {
            Addresses = news?.Urls,
            AddressesMark = news?.Mark,
            Term = request.Term is null ? null : fence.Own,
        };
    }

    /// <summary>The nodes' addresses, for an agent that can keep them and has others.</summary>
    AgentAddresses? News(LeaseRequest request) => request.AddressesMark is { } known && standing.Addresses is { Mark.Length: > 0 } now
        && known != now.Mark ? now : null;

    /// <param name="tx">The poll's.</param>
    /// <param name="host">Who asks.</param>
    /// <param name="request">What its process still does, perhaps under a lease that has ended, and what it does alone: neither is
    /// handed to it a second time.</param>
    /// <param name="mayRemove">Which removals are looked at.</param>
    /// <param name="ct">Cancels.</param>
    async Task<LeasedRun?> Claim(Transaction tx, HostId host, LeaseRequest request, Removals mayRemove, CancellationToken ct)
    {
        while (await NextWaiting(tx, host, request, mayRemove, ct) is { } next)
        {
            if (!next.IsConfirmed) throw new NotConfirmedException();
            // What may not begin now was put off or ended, so that the next look finds another.
            if (next is { Waiting: { } waiting, Schedule: { } schedule }
                && !await ScheduledStarts.MayBegin(tx, waiting, schedule, next.Now, ct)) continue;
            if (next is { Kind: JobKind.Backup, IsCapped: true } && !await RunCaps.HasRoom(tx, host, next.Location, ct))
                throw new NoRoomException();
            return await Claim(tx, next.Id, ct);
        }
        return null;
    }

    /// <summary>Another node took the last place under a cap between our look and our lock.</summary>
    sealed class NoRoomException : Exception;

    /// <summary>What is next would remove something, and nobody has just confirmed that this control plane is the latest.</summary>
    sealed class NotConfirmedException : Exception;

    /// <summary>Which runs that remove something are looked at.</summary>
    enum Removals { All, Confirmed }

    sealed record NextRun(RunId Id, JobKind Kind, LocationId Location, bool IsCapped, WaitingRun? Waiting, ScheduleSpec? Schedule,
        DateTimeOffset Now, bool IsConfirmed);

    // What may be handed out without asking first: backups and the like; what removes, while the answer is fresh; and a replication that
    // has had no answer for long, to add and not to remove: a copy that is late for days would cost more than space.
    const string MayGo = $"(not r.kind = any($4) or {TermTable.IsFresh} or (r.kind = 'Replicate' and not {TermTable.IsConfirmed}))";

    static Task<NextRun?> NextWaiting(Transaction tx, HostId host, LeaseRequest request, Removals mayRemove, CancellationToken ct)
        => tx.First($"""
        select r.id, r.kind, r.item_id, r.host_id, r.nominal_at, r.due_at, s.location_id, p.spec->'schedule' as schedule, clock() as now,
               r.nominal_at is not null and r.item_id is not null and r.kind = 'Backup' and r.lease_epoch = 0 as is_waiting,
               h.backups_at_once is not null or l.backups_at_once is not null as is_capped, {MayGo} as is_confirmed
        from run r join repository s on s.id = r.repository_id join location l on l.id = s.location_id join host h on h.id = r.host_id
        left join policy p on p.id = r.policy_id
        where r.host_id = $1 and r.state = 'Queued' and r.due_at <= clock() and (r.kind in ('Init', 'Adopt') or s.state = 'Ready')
          and (s.upkeep_allowed or not r.kind = any($2)) and not r.id = any($3) and not h.awaits_approval
          and {TermTable.IsLatest} and ($5 or {MayGo})
          and (r.kind <> 'Backup' or {RunCaps.Room} and not coalesce(r.item_id = any($6), false)
              and not exists (select 1 from run o where o.item_id = r.item_id and o.kind = 'Backup' and o.state in ('Leased', 'Running')))
        order by r.kind = 'Init' desc, r.kind = 'Restore' desc, r.due_at, r.id for update of r skip locked limit 1
        """, [host, RepositoryTable.UpkeepKinds, request.Running.Select(run => run.Value).ToArray(), RepositoryTable.RemovalKinds,
            mayRemove == Removals.All, (request.Alone ?? []).Select(item => item.Value).ToArray()],
            row => new NextRun(row.Id<RunId>("id"), row.Word<JobKind>("kind"), row.Id<LocationId>("location_id"),
                row.Bool("is_capped"), row.Bool("is_waiting") ? ScheduledStarts.Read(row) : null,
                row.Json("schedule", WireJson.Default.ScheduleSpec), row.Time("now"), row.Bool("is_confirmed")), ct);

    async Task<LeasedRun?> Claim(Transaction tx, RunId id, CancellationToken ct)
    {
        var (kind, epoch, job, repository, of) = await tx.First("""
            update run set state = 'Leased', lease_epoch = lease_epoch + 1, lease_until = clock() + $2, started_at =
            coalesce(started_at, clock()), report_seq = 0, progress = null, result = null, held_for = null
            where id = $1 returning kind, lease_epoch, job, repository_id, item_id, nominal_at
            """, [id, AgentProtocol.LeaseDuration],
            row => (row.Word<JobKind>(0), row.Long(1), row.Text(2), row.Id<RepositoryId>(3),
                row.IsNull("item_id") ? null : new LeasedItem(row.Id<ItemId>("item_id"), row.TimeOrNull("nominal_at"))), ct);
        await RunTable.Event(tx, id, epoch, EventLevel.Info, "run.leased", $"Taken by the agent (lease {epoch}).", ct);
        await Notifications.Changed(tx, "runs", id.ToString(), ct);
        var access = await repositories.Access(tx, repository, ct);
        var made = RunTable.ReadJob(job, kind, kind == JobKind.Restore ? access.WithoutLimits() : access);
        if (kind == JobKind.Forget) made = made with { Forget = await RetentionTable.Hand(tx, repository, id, ct) };
        if (kind == JobKind.Replicate && !await tx.Scalar<bool>($"select {TermTable.IsFresh}", [], ct))
            made = made with { Replicate = (made.Replicate ?? new ReplicateJob()) with { AddsOnly = true } };
        if (RepositoryTable.RemovalKinds.Contains(kind.ToString())
            && await repositories.TermPlaces(tx, repository, ct) is { Count: > 0 } places)
            made = made with { Terms = new TermPlaces { Term = fence.Own.Term, Folder = fence.Folder, Places = places } };
        return new LeasedRun(id, epoch, (int)AgentProtocol.LeaseDuration.TotalMilliseconds, made, kind == JobKind.Backup ? of : null);
    }
}

/// <summary>Progress and events of a run under way; extends its lease.</summary>
public sealed class ReportRun(Postgres db, LeaseExpiry leases, TermFence fence)
{
    /// <summary>Takes a report.</summary>
    /// <exception cref="ConflictException">"run.lease_lost": the epoch is not the run's any more, or its lease ended.</exception>
    public async Task<ReportAnswer> Handle(Caller caller, ReportRequest request, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        leases.MustKnow();
        await MustBeCurrent(fence, caller, request.RunId, request.Term, ct);
        if (request.Events.Count > AgentProtocol.MaximumEvents) throw new BadInputException("events",
            $"A report carries {request.Events.Count} events.", $"Send at most {AgentProtocol.MaximumEvents} and the rest with the next.");
        return await db.InTransaction(async tx =>
        {
            var (isOurs, seq, cancel) = await tx.First("""
                select report_seq, cancel_asked_at is not null from run
                where id = $1 and host_id = $2 and lease_epoch = $3 and state in ('Leased', 'Running') and lease_until > clock() for update
                """, [request.RunId.Value, caller.MustBeHost(), request.Epoch], row => (true, row.Long(0), row.Bool(1)), ct);
            if (!isOurs)
            {
                await MustBeOwn(tx, caller, request.RunId, ct);
                throw LeaseLost(request.RunId);
            }
            await tx.Execute("update run set state = 'Running', lease_until = clock() + $2, report_seq = greatest(report_seq, $3), "
                + "progress = coalesce($4, progress) where id = $1", [request.RunId.Value, AgentProtocol.LeaseDuration, request.Seq,
                    request.Progress is null ? null : JsonText.Of(request.Progress, WireJson.Default.JobProgress)], ct);
            if (request.Seq > seq)
                foreach (var line in request.Events) await RunTable.Event(tx, request.RunId, request.Epoch, line.Level,
                    Cut(line.Code, 100), Cut(line.Text, 4000), ct);
            await Notifications.Changed(tx, "runs", request.RunId.ToString(), ct);
            return new ReportAnswer((int)AgentProtocol.LeaseDuration.TotalMilliseconds, cancel);
        }, ct);
    }

    /// <summary>An agent that names another one's run does not just come late.</summary>
    /// <exception cref="DeniedException">The run is another host's.</exception>
    internal static async Task MustBeOwn(Transaction tx, Caller caller, RunId run, CancellationToken ct)
    {
        if (await tx.Scalar<bool>("select exists (select from run where id = $1 and host_id <> $2)", [run, caller.MustBeHost()], ct))
            throw new DeniedException($"{run} is no run of {caller.Name}.", "An agent tells of the runs that it leased itself.");
    }

    /// <summary>A run that was leased by an older control plane has lost its lease with it, and so has one of this control plane where a
    /// later one has begun.</summary>
    /// <exception cref="ConflictException">"run.lease_lost"; "control_plane.superseded" for a run of the later one, which only that can
    /// take.</exception>
    internal static async Task MustBeCurrent(TermFence fence, Caller caller, RunId run, TermMark? leased, CancellationToken ct)
    {
        if (fence.IsOlder(leased) || (fence.IsSuperseded && !(leased?.Term > fence.Own.Term))) throw LeaseLost(run);
        await fence.MustBeLatest(leased, caller.MustBeHost(), ct);
    }

    internal static ConflictException LeaseLost(RunId run)
        => new("run.lease_lost", $"The lease of {run} is lost: another lease has begun, or it was not extended in time.",
            "Stop at once and write nothing more for this run.");

    static string Cut(string text, int length) => text.Length <= length ? text : text[..length];
}

/// <summary>The end of a run, told by its agent.</summary>
public sealed class CompleteRun(Postgres db, RunEffects effects, LeaseExpiry leases, TermFence fence)
{
    /// <summary>Takes the result. Told twice for the same lease, it changes nothing the second time.</summary>
    /// <exception cref="ConflictException">"run.lease_lost".</exception>
    public async Task Handle(Caller caller, CompleteRequest request, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        leases.MustKnow();
        await ReportRun.MustBeCurrent(fence, caller, request.RunId, request.Term, ct);
        // Snapshots that were found are kept as recovery points, which a list of runs need not read.
        var kept = request.Result.Adopt is { } look ? request.Result with { Adopt = look with { Snapshots = [] } } : request.Result;
        (EndedRun Run, RunState State)? over = null;
        await db.InTransaction(async tx =>
        {
            var run = await tx.First("select state, lease_epoch, kind, item_id, policy_id, host_id, repository_id, point_id, lease_until "
                + "> clock(), title, coalesce(result = $3, false), cancel_asked_at is not null, looks, started_at, clock() from run "
                + "where id = $1 and host_id = $2 for update",
                    [request.RunId.Value, caller.MustBeHost(), JsonText.Of(kept, WireJson.Default.JobResult)], row => new EndedRun
                    {
                        Id = request.RunId,
                        State = row.Word<RunState>(0),
                        Epoch = row.Long(1),
                        Kind = row.Word<JobKind>(2),
                        Item =
                    row.IdOrNull<ItemId>(3),
                        Policy = row.IdOrNull<PolicyId>(4),
                        Host = row.Id<HostId>(5),
                        Repository = row.Id<RepositoryId>(6),
                        Point = row.IdOrNull<RecoveryPointId>(7),
                        LeaseHolds =
                    !row.IsNull(8) && row.Bool(8),
                        Title = row.Text(9),
                        IsSameResult = row.Bool(10),
                        CancelAsked = row.Bool(11),
                        Looks = row.Int(12),
                        StartedAt = row.TimeOrNull(13),
                        EndedAt = row.Time(14),
                    }, ct);
            if (run is null) await ReportRun.MustBeOwn(tx, caller, request.RunId, ct);
            if (run is null || run.Epoch != request.Epoch) throw ReportRun.LeaseLost(request.RunId);
            if (run.IsSameResult && (RunStates.IsOver(run.State) || run.State == RunState.Queued)) return;   // told before
            // What somebody asked to cancel is not put back.
            var trigger = request.Result.Outcome == JobOutcome.Waiting && run.CancelAsked ? RunTrigger.Cancelled
                : RunStates.Of(request.Result.Outcome);
            if (!run.LeaseHolds || !RunStates.TryMove(run.State, trigger, out var to)) throw ReportRun.LeaseLost(request.RunId);
            if (to == RunState.Queued)
            {
                await Postpone(tx, run, kept, ct);
                return;
            }
            await tx.Execute("update run set state = $2, result = $3, finished_at = clock(), lease_until = null where id = $1",
                [run.Id.Value, to.ToString(), JsonText.Of(kept, WireJson.Default.JobResult)], ct);
            var level = to is RunState.Complete ? EventLevel.Info : to is RunState.Failed ? EventLevel.Error : EventLevel.Warning;
            await RunTable.Event(tx, run.Id, run.Epoch, level, request.Result.Error?.Code ?? $"run.{to.ToString().ToLowerInvariant()}",
                request.Result.Error?.Message ?? $"{to}.", ct);
            await effects.Apply(tx, run, request.Result, ct);
            await Notifications.Changed(tx, "runs", run.Id.ToString(), ct);
            await Notifications.WakeHost(tx, run.Host, ct);
            if (run.Kind == JobKind.Backup) await RunCaps.Freed(tx, run.Repository, ct);
            over = (run, to);
        }, ct);
        if (over is { } ended) RunTelemetry.Ended(ended.Run, ended.State, request.Result.Error?.Code);
    }

    /// <summary>Puts it back to wait for something outside: no slot and no lease are held meanwhile. The result is kept only to tell a
    /// repeated answer.</summary>
    static async Task Postpone(Transaction tx, EndedRun run, JobResult result, CancellationToken ct)
    {
        var pause = RunStates.NextLook(run.Looks + 1);
        await tx.Execute("update run set state = 'Queued', lease_until = null, due_at = clock() + $2, looks = looks + 1, progress = null, "
            + "result = $3, thawing = $4 where id = $1", [run.Id.Value, pause, JsonText.Of(result, WireJson.Default.JobResult),
                result.Archived is { } packs ? JsonText.Of(packs, WireJson.Default.ArchivedPacks) : null], ct);
        await RunTable.Event(tx, run.Id, run.Epoch, EventLevel.Info, "run.postponed",
            $"Waits, holding nothing; looked at again in {pause.TotalSeconds:0} s.", ct);
        await Notifications.Changed(tx, "runs", run.Id.ToString(), ct);
    }
}

/// <summary>What a run was when it ended, or was put off.</summary>
public sealed record EndedRun
{
    /// <summary>The run.</summary>
    public required RunId Id { get; init; }
    /// <summary>Its state before the end.</summary>
    public required RunState State { get; init; }
    /// <summary>Its epoch.</summary>
    public required long Epoch { get; init; }
    /// <summary>What it did.</summary>
    public required JobKind Kind { get; init; }
    /// <summary>Its item.</summary>
    public ItemId? Item { get; init; }
    /// <summary>Its policy.</summary>
    public PolicyId? Policy { get; init; }
    /// <summary>Its host.</summary>
    public required HostId Host { get; init; }
    /// <summary>Its repository.</summary>
    public required RepositoryId Repository { get; init; }
    /// <summary>Its recovery point.</summary>
    public RecoveryPointId? Point { get; init; }
    /// <summary>Whether its lease still holds by the database's clock.</summary>
    public required bool LeaseHolds { get; init; }
    /// <summary>Its title.</summary>
    public required string Title { get; init; }
    /// <summary>Whether somebody asked to cancel it.</summary>
    public required bool CancelAsked { get; init; }
    /// <summary>How many of its leases ended only to wait.</summary>
    public required int Looks { get; init; }
    /// <summary>Whether it already ended with the very result that is told now.</summary>
    public required bool IsSameResult { get; init; }
    /// <summary>When it was first leased.</summary>
    public DateTimeOffset? StartedAt { get; init; }
    /// <summary>When it ends, by the database's clock.</summary>
    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>Takes an agent's answer to a question.</summary>
public sealed class AnswerRequest(Postgres db)
{
    /// <summary>Takes it; a second answer, or one that nobody waits for any more, changes nothing.</summary>
    public async Task Handle(Caller caller, RequestId id, AgentRequestAnswer answer, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        await db.InTransaction(async tx =>
        {
            await tx.Execute("update agent_request set answer = $3, answered_at = clock() where id = $1 and host_id = $2 and answered_at "
                + "is null", [id.Value, caller.MustBeHost(), JsonText.Of(answer, WireJson.Default.AgentRequestAnswer)], ct);
            await Notifications.Wake(tx, AgentQuestions.AnswerKey(id), ct);
        }, ct);
    }
}

/// <summary>Puts runs whose lease ended back into the queue, with a pause, or ends them after too many tries. Any node may do it at any
/// time.</summary>
/// <remarks>While the database is away nobody can extend a lease, and nobody can end one: the time stands still for both. Agents that were
/// told so by a node go on; so leases that would have ended meanwhile get a fresh time once.</remarks>
public sealed class LeaseExpiry(Postgres db, TimeProvider clock)
{
    /// <summary>The loop's own pace: a lease may have ended that long before the outage was noticed.</summary>
    static readonly TimeSpan Notice = TimeSpan.FromSeconds(3);

    long? _awaySince;
    volatile bool _isAway;

    /// <summary>Between the return of the database and the first look at the leases, nobody may say that one is lost.</summary>
    /// <exception cref="UnavailableException">"database.unavailable": that is now.</exception>
    internal void MustKnow()
    {
        if (_isAway) throw new UnavailableException("database.unavailable", "The database was away, and the leases are not looked at yet.",
            "Nothing was lost; try again in a few seconds.");
    }

    /// <summary>Deals with all expired leases; gives their number.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        try
        {
            var (expired, over) = await db.InTransaction(tx => Expire(tx, ct), ct);
            (_awaySince, _isAway) = (null, false);
            foreach (var (run, state) in over)
                RunTelemetry.Ended(run, state, state == RunState.Failed ? GaveUp.Error!.Code : null);
            return expired;
        }
        catch (Exception e) when (Outage.Is(e))
        {
            (_awaySince, _isAway) = (_awaySince ?? began, true);
            throw;
        }
    }

    static EndedRun ReadExpired(Row row) => new()
    {
        Id = row.Id<RunId>("id"),
        State = row.Word<RunState>("state"),
        Epoch = row.Long("lease_epoch"),
        Kind = row.Word<JobKind>("kind"),
        Item = row.IdOrNull<ItemId>("item_id"),
        Policy = row.IdOrNull<PolicyId>("policy_id"),
        Host = row.Id<HostId>("host_id"),
        Repository = row.Id<RepositoryId>("repository_id"),
        LeaseHolds = false,
        Title = row.Text("title"),
        CancelAsked = row.Bool("cancel_asked"),
        Looks = row.Int("looks"),
        IsSameResult = false,
        StartedAt = row.TimeOrNull("started_at"),
        EndedAt = row.Time("now"),
    };

    async Task<(int Expired, List<(EndedRun, RunState)> Over)> Expire(Transaction tx, CancellationToken ct)
    {
        if (_awaySince is { } since) await StandStill(tx, clock.GetElapsedTime(since) + Notice, ct);
        var over = new List<(EndedRun, RunState)>();
        var expired = await tx.Query("""
            select id, state, lease_epoch, cancel_asked_at is not null as cancel_asked, host_id, kind, repository_id, looks, item_id,
                policy_id, title, started_at, clock() as now
            from run where state in ('Leased', 'Running') and lease_until < clock() for update skip locked
            """, [], ReadExpired, ct);
        foreach (var run in expired)
        {
            var tries = run.Epoch - run.Looks;
            var trigger = RunStates.OfExpiry(run.CancelAsked, tries);
            if (!RunStates.TryMove(run.State, trigger, out var to)) continue;
            if (RunStates.IsOver(to)) over.Add((run, to));
            var pause = RunStates.BackOff(tries);
            await tx.Execute("update run set state = $2, lease_until = null, due_at = clock() + $3, finished_at = case when $2 = 'Queued' "
                + "then null else clock() end, result = $4 where id = $1", [run.Id.Value, to.ToString(), pause, to == RunState.Failed
                    ? JsonText.Of(GaveUp, WireJson.Default.JobResult) : null], ct);
            await RunTable.Event(tx, run.Id, run.Epoch, EventLevel.Warning, "run.lease_expired", to switch
            {
                RunState.Queued => $"The agent stopped reporting, so lease {run.Epoch} ended. It is tried again in {pause.TotalSeconds:0} "
                    + $"s; what was uploaded is reused.",
                RunState.Cancelled => "The agent stopped reporting after somebody asked to cancel.",
                _ => $"The agent stopped reporting {tries} times. Nothing more is tried.",
            }, ct);
            if (run.Kind == JobKind.Init && RunStates.IsOver(to)) await RepositoryTable.Initialised(tx, run.Repository, null, ct);
            if (run.Kind == JobKind.Adopt && RunStates.IsOver(to))
                await AdoptionTable.Failed(tx, run.Repository, GaveUp.Error!.Message, ct);
            await Notifications.WakeHost(tx, run.Host, ct);
            await Notifications.Changed(tx, "runs", run.Id.ToString(), ct);
        }
        return (expired.Count, over);
    }

    static async Task StandStill(Transaction tx, TimeSpan away, CancellationToken ct)
    {
        var paused = await tx.Query("update run set lease_until = clock() + $1 where state in ('Leased', 'Running') and lease_until "
            + "between clock() - $2 and clock() returning id, lease_epoch", [AgentProtocol.LeaseDuration, away],
            row => (Id: row.Id<RunId>(0), Epoch: row.Long(1)), ct);
        foreach (var run in paused)
            await RunTable.Event(tx, run.Id, run.Epoch, EventLevel.Info, "run.lease_paused", "The database was away, so nobody could "
                + $"report for {away.TotalSeconds:0} s: the agent has {AgentProtocol.LeaseDuration.TotalSeconds:0} s more.", ct);
    }

    static readonly JobResult GaveUp = new()
    {
        Outcome = JobOutcome.Failed,
        Error = new JobError("run.attempts", $"The agent stopped reporting {RunStates.MaximumLeases} times during this run.",
            "Look at the agent's log on its host, then retry the run.", false),
    };
}
