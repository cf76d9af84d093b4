using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using Npgsql;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Begins executions: one in earnest and one rehearsal of a runbook and of an item at a time.</summary>
sealed class ExecutionStart(Postgres db, TakeEvents events, ActivityWork work, TimeProvider clock)
{
    const int LongestWhy = 2_000;

    /// <summary>Begins one in a transaction of its own, audited.</summary>
    /// <exception cref="ConflictException">It is being executed, or an item of it is, or it was changed since somebody looked.</exception>
    public async Task<ExecutionStarted> Begin(Caller caller, RunbookId id, ExecutionMode mode, string why, int? version,
        CancellationToken ct)
    {
        if (why.Length > LongestWhy) throw new BadInputException("why", $"It has {why.Length} characters.", $"At most {LongestWhy}.");
        var made = ExecutionId.New(clock);
        var (taken, warning) = await db.InTransaction(async tx =>
        {
            // Locked, so that two who begin at once come one after the other.
            if (await tx.First("select 1 from runbook where id = $1 and removed_at is null for update", [id], row => row.Int(0), ct) == 0)
                throw RunbookTable.NotThere();
            var runbook = await RunbookTable.Get(tx, id, ct);
            if (version is { } seen && seen != runbook.Version)
                throw new ConflictException("runbook.changed", $"'{runbook.Name}' was changed meanwhile: version {runbook.Version} is by "
                    + $"{runbook.ChangedBy}.", "Look at what is there now, and start it again.");
            MustBeFree(runbook, mode);
            var parts = await Parts(tx, runbook, mode, ct);
            var begun = await events.Begin(tx, made, (id, runbook.Name, runbook.Version), mode, (caller.Name, why),
                new ExecutionPlace(null, null, null, [.. parts.Select(one => one.Part)]), work.AtOnce, ct);
            if (begun.Execution.Phase != ExecutionPhase.Ended) await Exclude(tx, made, runbook, parts, mode, ct);
            await Notifications.Changed(tx, "runbooks", id.ToString(), ct);
            await Audit.Add(tx, caller, $"runbook.{(mode == ExecutionMode.Rehearsal ? "rehearse" : "execute")}", id.ToString(),
                $"{runbook.Name}, version {runbook.Version}, {mode}, {made}: {why}", ct);
            return (begun, WarningOf(runbook, mode));
        }, ct);
        work.Follow(made, taken);
        return new ExecutionStarted(made, warning);
    }

    /// <summary>Begins what a step of another execution executes, in the version that was looked up when the first one began. The items are
    /// that one's already.</summary>
    /// <exception cref="ConflictException">It is being executed, or was not looked up.</exception>
    public async Task BeginPart(ExecutionId parent, StepSpec step, ExecutionId made, CancellationToken ct)
    {
        try
        {
            var taken = await db.InTransaction(async tx =>
            {
                if (await tx.Scalar<bool>("select exists (select from execution where id = $1)", [made], ct)) return null;
                var above = await ExecutionTable.Get(tx, parent, ct);
                var root = await tx.Scalar<Guid>("select coalesce(root_id, id) from execution where id = $1", [parent], ct);
                var part = (above.Summary.Parts ?? []).FirstOrDefault(one => string.Equals(one.Name, step.Runbook!.Name,
                    StringComparison.OrdinalIgnoreCase)) ?? throw new ConflictException("execution.parts",
                        $"'{step.Runbook!.Name}' was not looked up when {parent} began.", "Begin the execution anew.");
                var begun = await events.Begin(tx, made, (part.Runbook, part.Name, part.Version), above.Summary.Mode, (above.Summary.By,
                    $"The step '{step.Name}' of '{above.Summary.RunbookName}'. {above.Summary.Why}"), new ExecutionPlace(parent, step.Name,
                    ExecutionId.From(root), above.Summary.Parts!), work.AtOnce, ct);
                await Notifications.Changed(tx, "runbooks", part.Runbook.ToString(), ct);
                await Audit.Add(tx, Caller.System("runbook"), "execution.part", made.ToString(),
                    $"{part.Name}, version {part.Version}, {above.Summary.Mode}, step {step.Name} of {parent}", ct);
                return begun;
            }, ct);
            if (taken is not null) work.Follow(made, taken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            throw Busy($"'{step.Runbook!.Name}' is being executed already.");
        }
    }

    /// <summary>What a runbook executes below it, each free to be executed.</summary>
    static async Task<IReadOnlyList<KnownRunbook>> Parts(Transaction tx, Runbook runbook, ExecutionMode mode, CancellationToken ct)
    {
        var tree = await RunbookTrees.Read(tx, runbook.Name, runbook.Spec, ct);
        if (tree.Problems is [var problem, ..])
            throw new ConflictException("execution.parts", $"{problem.Place}: {problem.Problem}", problem.Advice);
        Guid[] all = [.. tree.Parts.Select(one => one.Part.Runbook.Value).Order()];
        if (all.Length > 0) await tx.Execute("select from runbook where id = any($1) order by id for update", [all], ct);
        foreach (var one in tree.Parts) MustBeFree(await RunbookTable.Get(tx, one.Part.Runbook, ct), mode);
        var names = tree.Parts.Select(one => one.Part.Runbook.ToString()).Append(runbook.Id.ToString()).ToArray();
        var other = await tx.First("""
            select e.id, r.name from execution e join runbook r on r.id = e.runbook_id
            where e.phase <> 'Ended' and e.root_id is null and e.parts is not null and ($2 or e.mode <> 'Rehearsal')
                and exists (select from jsonb_array_elements(e.parts) p where p ->> 'runbook' = any($1)) limit 1
            """, [names, mode == ExecutionMode.Rehearsal], row => $"{row.Id<ExecutionId>(0)} of '{row.Text(1)}'", ct);
        return other is null ? tree.Parts : throw Busy($"'{runbook.Name}', or what it executes, is a part of another execution: {other}.");
    }

    /// <summary>A rehearsal waits for everything; what is in earnest does not wait for a rehearsal, which is apart from it.</summary>
    static void MustBeFree(Runbook runbook, ExecutionMode mode)
    {
        if (runbook.Open.FirstOrDefault(open => mode == ExecutionMode.Rehearsal || open.Mode != ExecutionMode.Rehearsal) is { } other)
            throw Busy($"'{runbook.Name}' is being executed already: {other.Id}, {other.Mode}, by {other.By}.");
    }

    static ConflictException Busy(string what) => new("execution.busy", what, "Look at that one; stop it, or wait until it is over.");

    static async Task Exclude(Transaction tx, ExecutionId made, Runbook runbook, IReadOnlyList<KnownRunbook> parts, ExecutionMode mode,
        CancellationToken ct)
    {
        var isRehearsal = mode == ExecutionMode.Rehearsal;
        foreach (var item in RunbookItems.Of([runbook.Spec, .. parts.Select(one => one.Spec)]).Order())
        {
            var name = await tx.First("select name from item where id = $1 and retired_at is null", [item], row => row.Text(0), ct)
                ?? throw new ConflictException("execution.no_item", $"The item {ItemId.From(item)} of '{runbook.Name}' is not protected "
                    + "any more.", "Mend the runbook first.");
            var other = await tx.First("select e.id, r.name from execution_item i join execution e on e.id = i.execution_id "
                + "join runbook r on r.id = e.runbook_id where i.item_id = $1 and ($2 or not i.is_rehearsal) limit 1", [item, isRehearsal],
                row => $"{row.Id<ExecutionId>(0)} of '{row.Text(1)}'", ct);
            if (other is not null) throw Busy($"The item '{name}' is part of another execution: {other}.");
            try
            {
                await tx.Execute("insert into execution_item (item_id, is_rehearsal, execution_id) values ($1, $2, $3)",
                    [item, isRehearsal, made], ct);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                throw Busy($"The item '{name}' is part of another execution that was begun this moment.");
            }
        }
    }

    /// <summary>An execution in earnest is never forbidden for want of a rehearsal: who has lost a site has to be able to go on.</summary>
    static string? WarningOf(Runbook runbook, ExecutionMode mode) => mode == ExecutionMode.Rehearsal ? null : runbook.State switch
    {
        RunbookState.NeedsRehearsal when runbook.LastRehearsal is null => "It was never rehearsed.",
        RunbookState.NeedsRehearsal => $"Version {runbook.Version} was not rehearsed with success.",
        RunbookState.Problem => $"{runbook.Problems[0].Place}: {runbook.Problems[0].Problem}",
        RunbookState.NotEvaluated => "Nobody looked yet whether anything stands in its way.",
        _ => null,
    };
}

/// <summary>The protected items that a runbook is about.</summary>
static class RunbookItems
{
    public static IEnumerable<Guid> Of(IEnumerable<RunbookSpec> specs)
        => specs.SelectMany(spec => spec.Steps).Select(step => step.Restore?.Item).OfType<ItemId>().Select(item => item.Value).Distinct();
}

/// <summary>Rehearses a runbook: in isolation, and cleaned up afterwards.</summary>
public sealed class RehearseRunbook(IServiceProvider parts)
{
    /// <exception cref="ConflictException">It is being executed, or an item of it is.</exception>
    public Task<ExecutionStarted> Handle(Caller caller, RehearseRunbookRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRehearse);
        return parts.GetRequiredService<ExecutionStart>().Begin(caller, request.Id, ExecutionMode.Rehearsal, request.Why.Trim(), null, ct);
    }
}

/// <summary>Executes a runbook in earnest.</summary>
public sealed class StartExecution(IServiceProvider parts, Postgres db, FourEyes eyes)
{
    /// <exception cref="BadInputException">It says not why, or the mode is a rehearsal's.</exception>
    /// <exception cref="ConflictException">It is being executed, or an item of it is; or it waits for a second person.</exception>
    public async Task<ExecutionStarted> Handle(Caller caller, StartExecutionRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookExecute);
        if (request.Mode == ExecutionMode.Rehearsal || !Enum.IsDefined(request.Mode))
            throw new BadInputException("mode", $"'{request.Mode}' is not how it is executed in earnest.",
                "Planned, Disaster or Failback; a rehearsal is begun by POST runbooks/{id}/rehearse.");
        if (string.IsNullOrWhiteSpace(request.Why))
            throw new BadInputException("why", "It does not say why.", "In a sentence; it stands in the evidence.");
        var runbook = await RunbookTable.Get(db, request.Id, ct);
        var site = runbook.Spec.To.Length > 0 ? $"'{runbook.Spec.To}'" : "the other site";
        await eyes.Pass(caller, new Command("runbook.execute", request.Id.ToString(), $"The runbook '{runbook.Name}' is executed in "
            + $"earnest ({request.Mode}), to bring {site} into service.",
            $"{runbook.Version}"), request, WireJson.Default.StartExecutionRequest, ct);
        return await parts.GetRequiredService<ExecutionStart>().Begin(caller, request.Id, request.Mode, request.Why.Trim(),
            request.Version ?? runbook.Version, ct);   // what was approved is this version, and no later one
    }
}
