using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Something that happened, before it has its moment: that is the database's when it is taken.</summary>
/// <param name="Event">What.</param>
/// <param name="Token">Of a report: the lease of who carried it out. One that is no longer his counts for nothing.</param>
sealed record Arrival(ExecutionEvent Event, Guid? Token = null)
{
    public static Arrival Time => new(new ExecutionEvent { Kind = ExecutionEventKind.TimePassed, At = default });
}

/// <summary>Lets a node have what an event begins at once, without a second look.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Room">How many it takes at most.</param>
/// <param name="Kinds">The kinds that it can carry out.</param>
sealed record ClaimAtOnce(string Node, int Room, IReadOnlyCollection<string> Kinds);

/// <summary>Where an execution stands among others.</summary>
/// <param name="Parent">The one that it is a step of; null for none.</param>
/// <param name="Step">The step.</param>
/// <param name="Root">The first one above it.</param>
/// <param name="Parts">What the first one executes below it, in which versions.</param>
sealed record ExecutionPlace(ExecutionId? Parent, string? Step, ExecutionId? Root, IReadOnlyList<ExecutionPart> Parts);

/// <summary>What events made to do.</summary>
/// <param name="Execution">As it is now.</param>
/// <param name="Claimed">Activities that the node has now.</param>
/// <param name="Ended">Activities that are nobody's any more.</param>
sealed record Taken(Execution Execution, IReadOnlyList<Claimed> Claimed, IReadOnlyList<(string Step, int Attempt)> Ended);

/// <summary>Applies events to executions, the one place that changes them: locks the execution, asks the decision function, and stores
/// events, state and what is to be done in one transaction.</summary>
public sealed class TakeEvents(RunbookGraphs graphs, AlertBook alerts, EvidenceLog evidence)
{
    /// <summary>Who waits for activities listens for this.</summary>
    internal const string WakeKey = "activities";
    /// <summary>Nothing is looked at more often than this for time alone.</summary>
    static readonly TimeSpan LeastPause = TimeSpan.FromSeconds(1);

    sealed record Locked(RunbookId Runbook, string Name, int Version, long Seq, Execution State, DateTimeOffset Now);

    /// <summary>Takes events, in their order.</summary>
    /// <exception cref="ConflictException">"execution.not_now": what a person asks does not fit; nothing was changed.</exception>
    /// <exception cref="NotFoundException">There is no such execution.</exception>
    internal async Task<Taken> Take(Transaction tx, ExecutionId id, IReadOnlyList<Arrival> arrivals, ClaimAtOnce? claim,
        CancellationToken ct)
    {
        var locked = await tx.First("select e.runbook_id, r.name, e.version, e.seq, e.state, clock() as now from execution e "
            + "join runbook r on r.id = e.runbook_id where e.id = $1 for update of e", [id], row => new Locked(row.Id<RunbookId>(0),
                row.Text(1), row.Int(2), row.Long(3), row.Json("state", WireJson.Default.Execution)!, row.Time(5)), ct)
            ?? throw ExecutionTable.NotThere();
        var graph = await graphs.Get(tx, locked.Runbook, locked.Version, ct);
        var reported = await Reported(tx, id, arrivals, ct);
        var (state, events, effects) = (locked.State, new List<(ExecutionEvent Event, string[] Told)>(), new List<Effect>());
        foreach (var arrival in arrivals)
        {
            var happened = arrival.Event with { At = locked.Now };
            if (arrival.Token is { } token && !reported.Contains(token)) continue;   // another node has it now
            if (happened.Kind == ExecutionEventKind.TimePassed && !(state.NextChange <= locked.Now)) continue;
            if (Decision.Refusal(graph, state, happened) is { } refusal)
            {
                if (happened.Kind == ExecutionEventKind.Reported) continue;
                throw new ConflictException("execution.not_now", refusal, "Look at the execution as it is now.");
            }
            var decided = Decision.Apply(graph, state, happened);
            if (happened.Kind != ExecutionEventKind.TimePassed || !IsSame(state, decided.Execution))
                events.Add((happened, Told(decided.Effects)));
            state = decided.Execution;
            effects.AddRange(decided.Effects);
        }
        await Store(tx, id, locked, state, events, ct);
        var (claimed, ended) = await Carry(tx, id, locked.Name, graph, state, effects, claim, locked.Now, ct);
        await ExecutionAlerts.Tell(tx, alerts, (id, locked.Name, graph.Spec), locked.State, state, ct);
        if (locked.State.Phase != ExecutionPhase.Ended) await Prove(tx, id, locked.Runbook, graph.Spec, state, ct);
        return new Taken(state, claimed, ended);
    }

    /// <summary>Begins one in the caller's transaction, which has stored nothing of it yet.</summary>
    internal async Task<Taken> Begin(Transaction tx, ExecutionId id, (RunbookId Id, string Name, int Version) runbook, ExecutionMode mode,
        (string By, string Why) who, ExecutionPlace place, ClaimAtOnce? claim, CancellationToken ct)
    {
        var graph = await graphs.Get(tx, runbook.Id, runbook.Version, ct);
        var now = await tx.Scalar<DateTimeOffset>("select clock()", [], ct);
        var decided = Decision.Begin(graph, mode, now, isHeld: place.Parent is not null);
        await tx.Execute("""
            insert into execution (id, runbook_id, version, mode, phase, by_whom, why, started_at, state, parent_id, parent_step, root_id,
                parts)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """, [id, runbook.Id, runbook.Version, mode, decided.Execution.Phase, who.By, who.Why, now,
                JsonText.Of(decided.Execution, WireJson.Default.Execution), place.Parent?.Value, place.Step, place.Root?.Value,
                place.Parts is { Count: > 0 } parts ? JsonText.Of(parts, WireJson.Default.IReadOnlyListExecutionPart) : null], ct);
        await tx.Execute("insert into execution_event (execution_id, seq, at, event, told) values ($1, 0, $2, '{}', $3)",
            [id, now, Told(decided.Effects)], ct);
        await Store(tx, id, new Locked(runbook.Id, runbook.Name, runbook.Version, 0, decided.Execution, now), decided.Execution, [], ct);
        var (claimed, ended) = await Carry(tx, id, runbook.Name, graph, decided.Execution, decided.Effects, claim, now, ct);
        await ExecutionAlerts.Tell(tx, alerts, (id, runbook.Name, graph.Spec), null, decided.Execution, ct);
        await Prove(tx, id, runbook.Id, graph.Spec, decided.Execution, ct);
        return new Taken(decided.Execution, claimed, ended);
    }

    /// <summary>What is over stands in the evidence, in the transaction that ends it.</summary>
    async Task Prove(Transaction tx, ExecutionId id, RunbookId runbook, RunbookSpec spec, Execution state, CancellationToken ct)
    {
        if (state.Phase != ExecutionPhase.Ended) return;
        var facts = await tx.First("select r.name, e.version, v.hash, e.by_whom, e.why, e.parent_id from execution e "
            + "join runbook r on r.id = e.runbook_id join runbook_version v on v.runbook_id = e.runbook_id and v.version = e.version "
            + "where e.id = $1", [id],
            row => new ExecutionFacts(id.ToString(), row.Text(0), row.Int(1), Convert.ToHexStringLower(row.Bytes(2)), row.Text(3),
                row.Text(4), row.IdOrNull<ExecutionId>("parent_id")?.ToString()), ct);
        var hasParts = RunbookTree.Children(spec).Any();
        var parts = hasParts ? await ChildExecutions.Below(tx, id, ct) : [];
        await evidence.Append(tx, ExecutionEvidence.Kind, runbook.ToString(), ExecutionEvidence.Of(spec, state, facts!, parts), ct);
        if (hasParts) await Notifications.Wake(tx, WakeKey, ct);   // what it held is brought to its end now
    }

    /// <summary>Takes the activities that are reported by who has them out of what is at work; gives their tokens.</summary>
    static async Task<HashSet<Guid>> Reported(Transaction tx, ExecutionId id, IReadOnlyList<Arrival> arrivals, CancellationToken ct)
    {
        var tokens = arrivals.Select(arrival => arrival.Token).OfType<Guid>().ToArray();
        if (tokens.Length == 0) return [];
        return [.. await tx.Query("""
            with held as (select step, attempt from activity where execution_id = $1 and token = any($2) order by step, attempt for update)
            delete from activity a using held h where a.execution_id = $1 and a.step = h.step and a.attempt = h.attempt returning a.token
            """, [id, tokens], row => row.Guid("token"), ct)];
    }

    static string[] Told(IEnumerable<Effect> effects)
        => [.. effects.Where(effect => effect.Kind == EffectKind.Tell).Select(effect => effect.Text ?? "")];

    static bool IsSame(Execution before, Execution after) => Text(before) == Text(after with { Now = before.Now });

    static string Text(Execution state) => JsonSerializer.Serialize(state, WireJson.Default.Execution);

    static async Task Store(Transaction tx, ExecutionId id, Locked locked, Execution state,
        List<(ExecutionEvent Event, string[] Told)> events, CancellationToken ct)
    {
        var seq = locked.Seq + events.Count;
        if (events.Count > 0) await Add(tx, id, locked, events, ct);
        // A moment that has come and changes nothing must not be looked at again and again.
        var next = state.NextChange is { } change ? change > locked.Now ? change : locked.Now + LeastPause : (DateTimeOffset?)null;
        await tx.Execute("""
            update execution set seq = $2, state = $3, phase = $4, outcome = $5, next_change = $6, ended_at = $7 where id = $1
            """, [id, seq, JsonText.Of(state, WireJson.Default.Execution), state.Phase, state.Outcome, next, state.EndedAt], ct);
        if (state.Phase == ExecutionPhase.Ended)
        {
            await Release(tx, id, ct);
            await Notifications.Changed(tx, "runbooks", locked.Runbook.ToString(), ct);
        }
        await Notifications.Changed(tx, "executions", id.ToString(), ct);
    }

    /// <summary>Lets the items go, once the first execution and all that are parts of it are over.</summary>
    static async Task Release(Transaction tx, ExecutionId id, CancellationToken ct)
    {
        var root = await tx.Scalar<Guid>("select coalesce(root_id, id) from execution where id = $1", [id], ct);
        // Always upwards, and nobody locks downwards: two that end at once come one after the other.
        if (root != id.Value) await tx.Execute("select from execution where id = $1 for update", [root], ct);
        await tx.Execute("delete from execution_item where execution_id = $1 and not exists (select from execution where (id = $1 or "
            + "root_id = $1) and phase <> 'Ended')", [root], ct);
    }

    /// <summary>All in one statement: of a stage of fifty steps that end together each would wait for those before it.</summary>
    static Task Add(Transaction tx, ExecutionId id, Locked locked, List<(ExecutionEvent Event, string[] Told)> events, CancellationToken ct)
    {
        var told = events.SelectMany((one, at) => one.Told.Select(text => (Place: at + 1, Text: text))).ToList();
        return tx.Execute("""
            insert into execution_event (execution_id, seq, at, event, told)
            select $1, $2 + e.place, $3, e.event::jsonb, array(select t.text from unnest($5::integer[], $6::text[])
                with ordinality as t(place, text, number) where t.place = e.place order by t.number)
            from unnest($4::text[]) with ordinality as e(event, place)
            """, [id, locked.Seq, locked.Now,
                events.Select(one => JsonSerializer.Serialize(one.Event, WireJson.Default.ExecutionEvent)).ToArray(),
                told.Select(one => one.Place).ToArray(), told.Select(one => one.Text).ToArray()], ct);
    }

    /// <summary>Stores what is at work from now on, and takes away what is no longer.</summary>
    static async Task<(IReadOnlyList<Claimed> Claimed, IReadOnlyList<(string Step, int Attempt)> Ended)> Carry(Transaction tx,
        ExecutionId id, string name, RunbookGraph graph, Execution state, IReadOnlyList<Effect> effects, ClaimAtOnce? claim,
        DateTimeOffset now, CancellationToken ct)
    {
        var (begun, ended) = (new List<Effect>(), new List<(string Step, int Attempt)>());
        foreach (var effect in effects)
        {
            if (effect.Kind == EffectKind.Begin) begun.Add(effect);
            if (effect.Kind == EffectKind.Cancel
                && begun.RemoveAll(one => one.Step == effect.Step && one.Attempt == effect.Attempt) == 0)
                ended.Add((effect.Step!, effect.Attempt));
        }
        if (ended.Count > 0)
            await tx.Execute("""
                with gone as (select a.step, a.attempt from activity a join unnest($2::text[], $3::integer[]) as u(step, attempt)
                    on a.step = u.step and a.attempt = u.attempt where a.execution_id = $1 order by a.step, a.attempt for update of a)
                delete from activity a using gone g where a.execution_id = $1 and a.step = g.step and a.attempt = g.attempt
                """, [id, ended.Select(one => one.Step).ToArray(), ended.Select(one => one.Attempt).ToArray()], ct);
        var claimed = new List<Claimed>();
        foreach (var effect in begun)
        {
            var step = graph.Spec.Steps[graph.PlaceOf(effect.Step!)];
            if (claim is null || claimed.Count >= claim.Room || !claim.Kinds.Contains(step.Kind.ToString())) continue;
            claimed.Add(new Claimed
            {
                Execution = id,
                Runbook = name,
                Mode = state.Mode,
                Step = step,
                Spec = graph.Spec,
                States = state.Steps,
                Activity = effect.Activity!.Value,
                Attempt = effect.Attempt,
                Until = effect.Until!.Value,
                Left = effect.Until.Value - now,
                Token = Guid.CreateVersion7(),
                Takes = 1,
            });
        }
        if (begun.Count > 0) await ActivityTable.Add(tx, id, graph, begun, claimed, claim?.Node, ct);
        if (begun.Count > claimed.Count || ended.Count > 0) await Notifications.Wake(tx, WakeKey, ct);
        return (claimed, ended);
    }
}
