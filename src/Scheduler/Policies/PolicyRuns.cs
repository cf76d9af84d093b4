using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Policies;

/// <summary>Makes the runs of a policy: a backup of each item, and before it the making of its repository.</summary>
public sealed class PolicyRuns(TimeProvider clock)
{
    /// <summary>Makes them in the caller's transaction.</summary>
    /// <param name="tx">The transaction's.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="nominalAt">Time of the firing; null for a person's wish. A firing while a backup of the item waits or runs makes
    /// nothing.</param>
    /// <param name="requestedBy">For the log.</param>
    /// <param name="ct">Cancels.</param>
    internal async Task<IReadOnlyList<RunId>> Start(Transaction tx, PolicyId policy, DateTimeOffset? nominalAt, string requestedBy,
        CancellationToken ct)
    {
        var started = new List<RunId>();
        foreach (var item in await Items(tx, "i.policy_id = $1", policy.Value, ct))
        {
            if (item.IsBusy && nominalAt is { } missed) await RunTable.Coalesced(tx, item.Id, missed, ct);
            else if (await Start(tx, item, nominalAt, requestedBy, ct) is { } run) started.Add(run);
        }
        return started;
    }

    /// <summary>Backs up some items at once, but for those that wait for it already or whose policy is paused.</summary>
    internal async Task StartAgain(Transaction tx, IReadOnlyCollection<ItemId> items, string requestedBy, CancellationToken ct)
    {
        if (items.Count == 0) return;
        foreach (var item in await Items(tx, "i.id = any($1)", items.Select(id => id.Value).ToArray(), ct))
            if (!item.IsBusy && !item.IsPaused) await Start(tx, item, null, requestedBy, ct);
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

    async Task<RunId?> Start(Transaction tx, DueItem item, DateTimeOffset? nominalAt, string requestedBy, CancellationToken ct)
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
            NominalAt = nominalAt,
            RequestedBy = requestedBy,
            Job = new StoredJob(Backup: new BackupJob
            {
                Source = item.Source,
                HostName = item.HostName,
                Tags = [$"backupdr.item={item.Id}", $"backupdr.run={id}"],
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

/// <summary>A backup of each item of a policy now, in addition to its schedule.</summary>
public sealed class RunPolicy(Postgres db, PolicyRuns runs)
{
    /// <summary>Starts them.</summary>
    public async Task<RunsStarted> Handle(Caller caller, RunPolicyRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunStart);
        return await db.InTransaction(async tx =>
        {
            await PolicyTable.Get(tx, request.Id, ct);
            var started = await runs.Start(tx, request.Id, null, caller.Name, ct);
            await Audit.Add(tx, caller, "policy.run", request.Id.ToString(), $"{started.Count} runs", ct);
            return new RunsStarted(started);
        }, ct);
    }
}

/// <summary>A firing of a policy at a nominal time. However often it is called for one time, and on however many nodes, it makes each run
/// once.</summary>
public sealed class FirePolicy(Postgres db, PolicyRuns runs)
{
    /// <summary>Fires; a paused or removed policy fires nothing.</summary>
    public async Task<RunsStarted> Handle(Caller caller, PolicyId policy, DateTimeOffset nominalAt, CancellationToken ct)
    {
        caller.Must(Right.RunStart);
        return await db.InTransaction(async tx =>
        {
            var active = await tx.Scalar<long>("select count(*) from policy where id = $1 and paused_at is null and removed_at is null",
                [policy.Value], ct);
            return new RunsStarted(active == 0 ? [] : await runs.Start(tx, policy, nominalAt, "schedule", ct));
        }, ct);
    }
}
