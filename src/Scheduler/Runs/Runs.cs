using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Repositories;

namespace BackupDr.Scheduler.Runs;

/// <summary>Runs, newest first.</summary>
public sealed class ListRuns(Postgres db)
{
    /// <summary>Lists a page.</summary>
    public async Task<RunPage> Handle(Caller caller, ListRunsRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.RunRead);
        var (hosts, policies) = caller.Visible(Right.RunRead);
        var limit = Math.Clamp(request.Limit, 1, 200);
        // Ids begin with a time, yet with a node's: a stretch of time is that of the database, and has an index of its own.
        var (order, before) = request.Since is null && request.Until is null ? ("r.id desc", "r.id < $6")
            : ("r.created_at desc, r.id desc", "(r.created_at, r.id) < (select b.created_at, b.id from run b where b.id = $6)");
        var runs = await db.Query($"""
            {RunTable.Select} where ($2::text[] is null or r.state = any($2)) and ($3::text is null or r.kind = $3) and ($4::uuid is
            null or r.item_id = $4)
              and ($5::uuid is null or r.host_id = $5) and ($6::uuid is null or {before})
              and ($8::uuid[] is null or r.host_id = any($8) or r.policy_id = any($9)) and ($10::uuid is null or r.policy_id = $10)
              and ($11::timestamptz is null or r.created_at >= $11) and ($12::timestamptz is null or r.created_at < $12)
            order by {order} limit $7
            """,
            [HostTable.Silence, request.States.Count == 0 ? null : request.States.Select(state => state.ToString()).ToArray(),
                request.Kind?.ToString(), request.Item?.Value, request.Host?.Value, request.Before?.Value, limit,
                hosts, policies, request.Policy?.Value, request.Since, request.Until], RunTable.Read, ct);
        var (running, waiting) = await db.First("select count(*) filter (where state in ('Leased', 'Running'))::int, count(*) filter "
            + "(where state = 'Queued')::int from run where state in ('Queued', 'Leased', 'Running') and ($1::uuid[] is null or "
            + "host_id = any($1) or policy_id = any($2))", [hosts, policies], row => (row.Int(0), row.Int(1)),
                ct);
        return new RunPage(runs, runs.Count == limit ? runs[^1].Id : null, running, waiting);
    }
}

/// <summary>One run.</summary>
public sealed class ShowRun(Postgres db)
{
    /// <summary>Shows.</summary>
    public async Task<Run> Handle(Caller caller, ShowRunRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RunRead, request.Id, ct);
        return await db.First($"{RunTable.Select} where r.id = $2", [HostTable.Silence, request.Id.Value], RunTable.Read, ct)
            ?? throw new NotFoundException("A run with this id");
    }
}

/// <summary>The log of a run.</summary>
public sealed class ReadRunEvents(Postgres db)
{
    /// <summary>Reads lines after a number, or the last ones.</summary>
    public async Task<RunEvents> Handle(Caller caller, ReadRunEventsRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RunRead, request.Id, ct);
        var limit = Math.Clamp(request.Limit, 1, 5000);
        var sql = request.After is null
            ? "select * from (select seq, epoch, at, level, code, text from run_event where run_id = $1 and seq > $2 order by seq desc "
                + "limit $3) e order by seq"
            : "select seq, epoch, at, level, code, text from run_event where run_id = $1 and seq > $2 order by seq limit $3";
        return new RunEvents(await db.Query(sql, [request.Id.Value, request.After ?? 0, limit], row =>
            new RunEvent(row.Long(0), row.Long(1), row.Time(2), row.Word<EventLevel>(3), row.Text(4), row.Text(5)), ct));
    }
}

/// <summary>Asks a run to stop. A waiting one is cancelled at once; one under way stops with its agent's next report.</summary>
public sealed class CancelRun(Postgres db)
{
    /// <summary>Asks. Asking twice changes nothing.</summary>
    /// <exception cref="ConflictException">It is over already.</exception>
    public async Task Handle(Caller caller, CancelRunRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RunCancel, request.Id, ct);
        await db.InTransaction(async tx =>
        {
            var (state, host) = await tx.First("select state, host_id from run where id = $1 for update", [request.Id.Value], row =>
                (row.Text(0), row.Id<HostId>(1)), ct);
            if (state is null) throw new NotFoundException("A run with this id");
            var now = Enum.Parse<RunState>(state);
            if (RunStates.IsOver(now)) throw new ConflictException("run.over", $"The run is {now} already.",
                "There is nothing left to cancel.");
            if (RunStates.TryMove(now, RunTrigger.Cancelled, out var to) && now == RunState.Queued)
                await tx.Execute("update run set state = $2, cancel_asked_at = clock(), finished_at = clock(), result = null "
                    + "where id = $1",
                    [request.Id.Value, to.ToString()], ct);
            else await tx.Execute("update run set cancel_asked_at = coalesce(cancel_asked_at, clock()) where id = $1", [request.Id.Value],
                ct);
            await RunTable.Event(tx, request.Id, 0, EventLevel.Warning, "run.cancel",
                $"{caller.Name} asked to cancel. What was uploaded is kept and reused.", ct);
            await Audit.Add(tx, caller, "run.cancel", request.Id.ToString(), "", ct);
            await Notifications.WakeHost(tx, host, ct);
            await Notifications.Changed(tx, "runs", request.Id.ToString(), ct);
        }, ct);
    }
}

/// <summary>Makes a new run with the same job as one that is over.</summary>
public sealed class RetryRun(Postgres db, TimeProvider clock)
{
    /// <summary>Makes it.</summary>
    public async Task<RunStarted> Handle(Caller caller, RetryRunRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RunStart, request.Id, ct);
        return await db.InTransaction(async tx =>
        {
            var again = await RunTable.Again(tx, request.Id, RunId.New(clock), caller.Name, ct);
            if (again.Kind is JobKind.Init or JobKind.Adopt) await RepositoryTable.AwaitInit(tx, again.Repository, ct);
            if (!await RunTable.Add(tx, again, ct)) throw new ConflictException("repository.busy",
                "Another run removes something from this repository already.", "Wait for it, or cancel it.");
            await Audit.Add(tx, caller, "run.retry", again.Id.ToString(), request.Id.ToString(), ct);
            return new RunStarted(again.Id);
        }, ct);
    }
}
