using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>An activity that a node has until its lease ends.</summary>
sealed record Claimed
{
    public required ExecutionId Execution { get; init; }
    public required string Runbook { get; init; }
    public required ExecutionMode Mode { get; init; }
    /// <summary>As it stands in the runbook.</summary>
    public required StepSpec Step { get; init; }
    /// <summary>The version that is executed.</summary>
    public required RunbookSpec Spec { get; init; }
    /// <summary>What the steps found out so far.</summary>
    public required IReadOnlyList<StepState> States { get; init; }
    public required StepActivity Activity { get; init; }
    public required int Attempt { get; init; }
    public required DateTimeOffset Until { get; init; }
    /// <summary>From the claim until then, by the database's clock.</summary>
    public required TimeSpan Left { get; init; }
    /// <summary>This lease: what a report has to name.</summary>
    public required Guid Token { get; init; }
    /// <summary>How often somebody took it; more than once where a former holder is gone.</summary>
    public required int Takes { get; init; }
}

/// <summary>Activities at work, and who has them.</summary>
sealed class ActivityTable(Postgres db, RunbookGraphs graphs, StepExecutors executors)
{
    /// <summary>How long a node has an activity without a sign of life, by the database's clock.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(20);

    /// <summary>Adds what is begun, some of it claimed already.</summary>
    public static Task Add(Transaction tx, ExecutionId id, RunbookGraph graph, IReadOnlyList<Effect> begun, IReadOnlyList<Claimed> claimed,
        string? node, CancellationToken ct)
    {
        var tokens = claimed.ToDictionary(one => (one.Step.Name, one.Attempt), one => one.Token);
        return tx.Execute("""
            insert into activity (execution_id, step, attempt, kind, activity, until, takes, node, token, leased_until)
            select $1, u.step, u.attempt, u.kind, u.activity, u.until, (u.token is not null)::integer,
                case when u.token is not null then $7 end, u.token, case when u.token is not null then clock() + $8 end
            from unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::timestamptz[], $9::uuid[])
                as u(step, attempt, kind, activity, until, token)
            """, [id, begun.Select(one => one.Step!).ToArray(), begun.Select(one => one.Attempt).ToArray(),
                begun.Select(one => graph.Spec.Steps[graph.PlaceOf(one.Step!)].Kind.ToString()).ToArray(),
                begun.Select(one => one.Activity!.Value.ToString()).ToArray(),
                begun.Select(one => one.Until!.Value.UtcDateTime).ToArray(), node ?? "", Lease,
                begun.Select(one => tokens.TryGetValue((one.Step!, one.Attempt), out var token) ? token : (Guid?)null).ToArray()], ct);
    }

    /// <summary>Takes activities that nobody has, or whose holder gave no sign of life.</summary>
    public async Task<IReadOnlyList<Claimed>> Claim(string node, int room, CancellationToken ct)
    {
        if (room <= 0) return [];
        var taken = await db.Query("""
            with free as (select execution_id, step, attempt from activity where (leased_until is null or leased_until < clock())
                and kind = any($1) order by wanted_at limit $2 for update skip locked)
            update activity a set node = $3, token = gen_random_uuid(), leased_until = clock() + $4, takes = takes + 1
            from free f where a.execution_id = f.execution_id and a.step = f.step and a.attempt = f.attempt
            returning a.execution_id, a.step, a.attempt, a.activity, a.until, a.takes, a.token, clock() as now
            """, [executors.Kinds, room, node, Lease], row => new
        {
            Execution = row.Id<ExecutionId>("execution_id"),
            Step = row.Text("step"),
            Attempt = row.Int("attempt"),
            Activity = row.Word<StepActivity>("activity"),
            Until = row.Time("until"),
            Takes = row.Int("takes"),
            Token = row.Guid("token"),
            Now = row.Time("now"),
        }, ct);
        var claimed = new List<Claimed>();
        foreach (var of in taken.GroupBy(one => one.Execution))
        {
            var (runbook, name, version, state) = await db.First("select e.runbook_id, r.name, e.version, e.state from execution e "
                + "join runbook r on r.id = e.runbook_id where e.id = $1", [of.Key], row => (row.Id<RunbookId>(0), row.Text(1), row.Int(2),
                    row.Json("state", WireJson.Default.Execution)!), ct);
            var graph = await graphs.Get(db, runbook, version, ct);
            claimed.AddRange(of.Select(one => new Claimed
            {
                Execution = of.Key,
                Runbook = name,
                Mode = state.Mode,
                Step = graph.Spec.Steps[graph.PlaceOf(one.Step)],
                Spec = graph.Spec,
                States = state.Steps,
                Activity = one.Activity,
                Attempt = one.Attempt,
                Until = one.Until,
                Left = one.Until - one.Now,
                Token = one.Token,
                Takes = one.Takes,
            }));
        }
        return claimed;
    }

    /// <summary>Gives a sign of life.</summary>
    /// <returns>The leases that hold; the others ended, or are another's.</returns>
    public async Task<HashSet<Guid>> Renew(IReadOnlyCollection<Guid> tokens, CancellationToken ct) => [.. await db.Query("""
        with held as (select execution_id, step, attempt from activity where token = any($1)
            order by execution_id, step, attempt for update)
        update activity a set leased_until = clock() + $2 from held h
        where a.execution_id = h.execution_id and a.step = h.step and a.attempt = h.attempt returning a.token
        """, [tokens.ToArray(), Lease], row => row.Guid("token"), ct)];

    /// <summary>Gives one back, so that another node can go on at once.</summary>
    public Task Release(Guid token, CancellationToken ct) => db.InTransaction(async tx =>
    {
        await tx.Execute("update activity set leased_until = clock() - interval '1 second', node = null, token = null where token = $1",
            [token], ct);
        await Notifications.Wake(tx, TakeEvents.WakeKey, ct);
    }, ct);
}
