using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Policies;

/// <summary>Makes the runs of a policy: a backup of each item, and before it the making of its repository.</summary>
public sealed class PolicyRuns(TimeProvider clock)
{
    /// <summary>Makes them in the caller's transaction.</summary>
    /// <param name="tx">The transaction's.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="requestedBy">For the log.</param>
    /// <param name="note">What is to be known about how they came; null for nothing.</param>
    /// <param name="ct">Cancels.</param>
    internal async Task<IReadOnlyList<RunId>> Start(Transaction tx, PolicyId policy, string requestedBy, string? note,
        CancellationToken ct)
    {
        var started = new List<RunId>();
        foreach (var item in await Items(tx, "i.policy_id = $1", policy.Value, ct))
            if (await Start(tx, item, new RunStart { Note = note }, requestedBy, ct) is { } run) started.Add(run);
        return started;
    }

    /// <summary>Makes those of a firing. Where a backup of the item waits or runs, it makes none.</summary>
    /// <param name="tx">The transaction's.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="nominalAt">Time of the firing.</param>
    /// <param name="times">When they start.</param>
    /// <param name="note">What is to be known about how they came; null for nothing.</param>
    /// <param name="ct">Cancels.</param>
    internal async Task<IReadOnlyList<RunId>> Fire(Transaction tx, PolicyId policy, DateTimeOffset nominalAt, StartTimes times,
        string? note, CancellationToken ct)
    {
        var now = await tx.Scalar<DateTimeOffset>("select clock()", [], ct);
        await ScheduledStarts.SkipMissed(tx, policy, times, now, ct);
        var started = new List<RunId>();
        foreach (var item in await Items(tx, "i.policy_id = $1", policy.Value, ct))
        {
            if (item.IsBusy)
            {
                await RunTable.Coalesced(tx, item.Id, nominalAt, ct);
                continue;
            }
            var start = ScheduledStarts.Planned(times, nominalAt, item.Id, now);
            if (await Start(tx, item, new RunStart { NominalAt = nominalAt, At = start.At, HeldFor = start.WaitsFor, Note = note },
                "schedule", ct) is { } run) started.Add(run);
        }
        // Of those that come too late already a run tells, and nothing is done.
        await ScheduledStarts.SkipMissed(tx, policy, times, now, ct);
        return started;
    }

    /// <summary>When a run starts, and what is to be known about that.</summary>
    sealed record RunStart
    {
        public DateTimeOffset? NominalAt { get; init; }
        public DateTimeOffset? At { get; init; }
        public string? HeldFor { get; init; }
        public string? Note { get; init; }
    }

    /// <summary>Backs up some items at once, but for those that wait for it already or whose policy is paused.</summary>
    internal async Task StartAgain(Transaction tx, IReadOnlyCollection<ItemId> items, string requestedBy, CancellationToken ct)
    {
        if (items.Count == 0) return;
        foreach (var item in await Items(tx, "i.id = any($1)", items.Select(id => id.Value).ToArray(), ct))
            if (!item.IsBusy && !item.IsPaused) await Start(tx, item, new RunStart(), requestedBy, ct);
    }

    sealed record DueItem
    {
        public required ItemId Id { get; init; }
        public required PolicyId Policy { get; init; }
        public required string Name { get; init; }
        public required HostId Host { get; init; }
        public required string HostName { get; init; }
        public required RepositoryId Repository { get; init; }
        public required RepositoryState State { get; init; }
        public required SourceSpec Source { get; init; }
        public required HooksSpec? Hooks { get; init; }
        public required bool IsBusy { get; init; }
        public required bool IsPaused { get; init; }
    }

    static Task<List<DueItem>> Items(Transaction tx, string which, object value, CancellationToken ct) => tx.Query($"""
        select i.id, i.policy_id, i.name, i.host_id, h.name as host, i.repository_id, s.state, i.source, p.spec,
               exists (select 1 from run r where r.item_id = i.id and r.kind = 'Backup' and r.state in ('Queued', 'Leased', 'Running'))
               as busy, p.paused_at is not null or p.removed_at is not null as paused
        from item i join host h on h.id = i.host_id join repository s on s.id = i.repository_id join policy p on p.id = i.policy_id
        where {which} and i.retired_at is null and h.retired_at is null order by i.id
        """, [value], row => new DueItem
    {
        Id = row.Id<ItemId>("id"),
        Policy = row.Id<PolicyId>("policy_id"),
        Name = row.Text("name"),
        Host = row.Id<HostId>("host_id"),
        HostName = row.Text("host"),
        Repository = row.Id<RepositoryId>("repository_id"),
        State = row.Word<RepositoryState>("state"),
        Source = row.Json("source", WireJson.Default.SourceSpec)!,
        Hooks = row.Json("spec", WireJson.Default.PolicySpec)!.Hooks,
        IsBusy = row.Bool("busy"),
        IsPaused = row.Bool("paused"),
    }, ct);

    async Task<RunId?> Start(Transaction tx, DueItem item, RunStart start, string requestedBy, CancellationToken ct)
    {
        if (item.State != RepositoryState.Ready) await Init(tx, item.Repository, item.Host, item.HostName, ct);
        var id = RunId.New(clock);
        var made = await RunTable.Add(tx, new NewRun
        {
            Id = id,
            Kind = JobKind.Backup,
            Title = $"Back up {item.Name}",
            Item = item.Id,
            Policy = item.Policy,
            Host = item.Host,
            Repository = item.Repository,
            NominalAt = start.NominalAt,
            NotBefore = start.At,
            HeldFor = start.HeldFor,
            Note = start.Note,
            RequestedBy = requestedBy,
            Job = new StoredJob(Backup: new BackupJob
            {
                Source = item.Source,
                HostName = item.HostName,
                Tags = [$"{RecoveryPointTable.ItemTag}{item.Id}", $"backupdr.run={id}"],
                Hooks = item.Hooks,
            }),
        }, ct);
        return made ? id : null;
    }

    async Task Init(Transaction tx, RepositoryId repository, HostId host, string hostName, CancellationToken ct)
    {
        await RepositoryTable.AwaitInit(tx, repository, ct);
        if (await tx.Scalar<long>("select count(*) from run where repository_id = $1 and kind = 'Init' and state in ('Queued', 'Leased', "
            + "'Running')", [repository.Value], ct) > 0) return;
        await RunTable.Add(tx, new NewRun
        {
            Id = RunId.New(clock),
            Kind = JobKind.Init,
            Title = $"Make the repository of {hostName}",
            Host = host,
            Repository = repository,
            RequestedBy = "system",
            Job = new StoredJob(),
        }, ct);
    }
}

/// <summary>A backup of each item of a policy now, in addition to its schedule and also outside of its hours.</summary>
public sealed class RunPolicy(Postgres db, PolicyRuns runs)
{
    /// <summary>Starts them.</summary>
    public async Task<RunsStarted> Handle(Caller caller, RunPolicyRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RunStart, request.Id, ct);
        return await db.InTransaction(async tx =>
        {
            var schedule = (await PolicyTable.Get(tx, request.Id, ct)).Spec.Schedule;
            var (hours, now) = (StartHours.Of(schedule), await tx.Scalar<DateTimeOffset>("select clock()", [], ct));
            var note = hours.IsOpen(now) ? null : $"{caller.Name} started it outside of the policy's hours"
                + (hours.Opening(now) is { } opening ? $"; by schedule it would have waited for {hours.Words(now, opening)}." : ".");
            var started = await runs.Start(tx, request.Id, caller.Name, note, ct);
            await Audit.Add(tx, caller, "policy.run", request.Id.ToString(), $"{started.Count} runs. {note}".TrimEnd(), ct);
            return new RunsStarted(started, note);
        }, ct);
    }
}

/// <summary>A firing of a policy at a nominal time. However often it is called for one time, and on however many nodes, it happens
/// once.</summary>
public sealed class FirePolicy(Postgres db, PolicyRuns runs)
{
    /// <summary>How old firings are forgotten.</summary>
    static readonly TimeSpan Remembered = TimeSpan.FromDays(35);
    /// <summary>From when on a firing makes up for something.</summary>
    static readonly TimeSpan Late = TimeSpan.FromMinutes(2);

    /// <summary>Fires; a paused or removed policy fires nothing.</summary>
    public async Task<RunsStarted> Handle(Caller caller, PolicyId policy, DateTimeOffset nominalAt, CancellationToken ct)
    {
        caller.Must(Right.RunStart);
        return await db.InTransaction(async tx =>
        {
            var (schedule, since, now) = await tx.First("select spec->'schedule' as schedule, schedule_since, clock() as now from policy "
                + "where id = $1 and paused_at is null and removed_at is null", [policy],
                row => (row.Json("schedule", WireJson.Default.ScheduleSpec), row.Time("schedule_since"), row.Time("now")), ct);
            if (schedule is null || await tx.Execute("insert into firing (policy_id, nominal_at, runs) values ($1, $2, 0) "
                + "on conflict do nothing", [policy, nominalAt], ct) == 0) return new RunsStarted([]);
            var times = StartTimes.Of(schedule);
            var note = now - nominalAt > Late ? await MakesUpFor(tx, policy, nominalAt, times, since, ct) : null;
            var started = await runs.Fire(tx, policy, nominalAt, times, note, ct);
            await tx.Execute("update firing set runs = $3 where policy_id = $1 and nominal_at = $2", [policy, nominalAt, started.Count],
                ct);
            await tx.Execute("delete from firing where policy_id = $1 and fired_at < clock() - $2", [policy, Remembered], ct);
            return new RunsStarted(started);
        }, ct);
    }

    static async Task<string> MakesUpFor(Transaction tx, PolicyId policy, DateTimeOffset nominalAt, StartTimes times, DateTimeOffset since,
        CancellationToken ct)
    {
        var last = await tx.Scalar<DateTimeOffset?>("select max(nominal_at) from firing where policy_id = $1 and nominal_at < $2",
            [policy, nominalAt], ct);
        var missed = times.Between(last > since ? last.Value : since, nominalAt);
        return missed > 1 ? $"Makes up for {missed} times that passed while no node ran, the newest {ScheduledStarts.Time(nominalAt)}."
            : $"Makes up for {ScheduledStarts.Time(nominalAt)}, which passed while no node ran.";
    }
}
