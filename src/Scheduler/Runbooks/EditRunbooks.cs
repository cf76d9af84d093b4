using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.Runbooks.Documents;
using BackupDr.Scheduler.Runbooks.Steps;
using Npgsql;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>All runbooks.</summary>
public sealed class ListRunbooks(Postgres db)
{
    public Task<IReadOnlyList<Runbook>> Handle(Caller caller, ListRunbooksRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        return RunbookTable.List(db, ct);
    }
}

/// <summary>One runbook.</summary>
public sealed class ShowRunbook(Postgres db)
{
    public Task<Runbook> Handle(Caller caller, ShowRunbookRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        return RunbookTable.Get(db, request.Id, ct);
    }
}

/// <summary>What a runbook was at each time.</summary>
public sealed class ListRunbookVersions(Postgres db)
{
    public async Task<IReadOnlyList<RunbookVersion>> Handle(Caller caller, ListRunbookVersionsRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        var found = await RunbookTable.Versions(db, request.Id, request.Most, ct);
        if (found.Count == 0) throw RunbookTable.NotThere();
        var names = await WireNames.Read(db, ct);
        return [.. found.Select((one, at) => at + 1 == found.Count ? one
            : one with { Changes = RunbookDocuments.Between(found[at + 1].Spec, one.Spec, names) })];
    }
}

/// <summary>Makes a runbook.</summary>
public sealed class CreateRunbook(Postgres db, StepExecutors executors, Readiness readiness, TimeProvider clock)
{
    /// <exception cref="BadInputException">It cannot be executed as it is written, or not by this version.</exception>
    /// <exception cref="ConflictException">The name is taken.</exception>
    public async Task<Runbook> Handle(Caller caller, CreateRunbookRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookWrite);
        var id = await db.InTransaction(async tx =>
        {
            var made = await Make(tx, caller, executors, request.Id ?? RunbookId.New(clock), request.Name, request.Spec, ct);
            await RunbookTrees.Check(tx, request.Name.Trim(), request.Spec, ct);
            return made;
        }, ct);
        await readiness.Look(id, ct);
        return await RunbookTable.Get(db, id, ct);
    }

    /// <summary>Makes it in the caller's transaction; the same id again changes nothing.</summary>
    internal static async Task<RunbookId> Make(Transaction tx, Caller caller, StepExecutors executors, RunbookId id, string name,
        RunbookSpec spec, CancellationToken ct)
    {
        RunbookTable.Check(spec, executors);
        var trimmed = RunbookTable.Name(name);
        try
        {
            if (await tx.Execute("insert into runbook (id, name, version) values ($1, $2, 1) on conflict (id) do nothing", [id, trimmed],
                ct) == 0) return id;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation) { throw NameTaken(trimmed); }
        await RunbookTable.AddVersion(tx, id, 1, caller, spec, ct);
        await Notifications.Changed(tx, "runbooks", id.ToString(), ct);
        await Audit.Add(tx, caller, "runbook.create", id.ToString(), trimmed, ct);
        return id;
    }

    internal static ConflictException NameTaken(string name) => new("runbook.name_taken", $"There is a runbook '{name}' already.",
        "Choose another name, or change that one.");
}

/// <summary>Changes a runbook. What differs is a new version, which needs a rehearsal.</summary>
public sealed class EditRunbook(Postgres db, StepExecutors executors, Readiness readiness)
{
    /// <exception cref="BadInputException">It cannot be executed as it is written, or not by this version.</exception>
    /// <exception cref="ConflictException">Somebody changed it meanwhile, or the name is taken.</exception>
    public async Task<Runbook> Handle(Caller caller, EditRunbookRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookWrite);
        await db.InTransaction(async tx =>
        {
            await Change(tx, caller, executors, request, ct);
            await RunbookTrees.Check(tx, request.Name.Trim(), request.Spec, ct);
        }, ct);
        await readiness.Look(request.Id, ct);
        return await RunbookTable.Get(db, request.Id, ct);
    }

    /// <summary>Changes it in the caller's transaction; the version that is the newest then, and whether anything differed.</summary>
    internal static async Task<(int Version, bool IsChanged)> Change(Transaction tx, Caller caller, StepExecutors executors,
        EditRunbookRequest request, CancellationToken ct)
    {
        var now = await tx.First("select r.name, r.version, v.hash, v.by_whom from runbook r join runbook_version v on v.runbook_id = r.id "
            + "and v.version = r.version where r.id = $1 and r.removed_at is null for update of r", [request.Id],
            row => new { Name = row.Text(0), Version = row.Int(1), Hash = row.Bytes(2), By = row.Text(3) }, ct)
            ?? throw RunbookTable.NotThere();
        if (request.Version is { } based && based != now.Version)
            throw new ConflictException("runbook.changed", $"'{now.Name}' was changed meanwhile: version {now.Version} is by {now.By}, and "
                + $"this was made from version {based}.{await Changed(tx, request.Id, based, now.Version, ct)}",
                "Look at what is there now, and make the change again.");
        RunbookTable.Check(request.Spec, executors);
        var name = RunbookTable.Name(request.Name);
        var isOther = !RunbookTable.HashOf(request.Spec).AsSpan().SequenceEqual(now.Hash);
        if (!isOther && name == now.Name) return (now.Version, false);
        var version = isOther ? now.Version + 1 : now.Version;
        try
        {
            await tx.Execute("update runbook set name = $2, version = $3, problems = null, evaluated_at = null where id = $1",
                [request.Id, name, version], ct);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation) { throw CreateRunbook.NameTaken(name); }
        if (isOther) await RunbookTable.AddVersion(tx, request.Id, version, caller, request.Spec, ct);
        await Notifications.Changed(tx, "runbooks", request.Id.ToString(), ct);
        await Audit.Add(tx, caller, "runbook.edit", request.Id.ToString(), $"{name}, version {version}", ct);
        return (version, true);
    }

    /// <summary>What was changed since a version, in a sentence; empty where that version was never there.</summary>
    static async Task<string> Changed(Transaction tx, RunbookId id, int from, int to, CancellationToken ct)
    {
        var specs = await tx.Query("select spec from runbook_version where runbook_id = $1 and version in ($2, $3) order by version",
            [id, from, to], row => row.Json("spec", WireJson.Default.RunbookSpec)!, ct);
        if (specs is not [var before, var after]) return "";
        var changes = RunbookDocuments.Between(before, after, await WireNames.Read(tx, ct));
        var told = changes.Take(MostNamed).Select(one => $"{one.Member} {Short(one.From)} → {Short(one.To)}")
            .Concat(changes.Count > MostNamed ? [$"and {changes.Count - MostNamed} more"] : []);
        return changes.Count == 0 ? "" : $" Changed: {string.Join("; ", told)}.";
    }

    /// <summary>Most changes that a refusal names; longest text of one.</summary>
    const int MostNamed = 5, LongestNamed = 80;

    static string Short(string? text) => text is null ? "(nothing)" : text.Length <= LongestNamed ? text : $"{text[..LongestNamed]}…";
}

/// <summary>Removes a runbook. Its executions stay.</summary>
public sealed class RemoveRunbook(Postgres db)
{
    /// <exception cref="ConflictException">It is being executed.</exception>
    public async Task Handle(Caller caller, RemoveRunbookRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookWrite);
        await db.InTransaction(async tx =>
        {
            var name = await tx.First("select name from runbook where id = $1 and removed_at is null for update", [request.Id],
                row => row.Text(0), ct) ?? throw RunbookTable.NotThere();
            if (await tx.First("select id from execution where runbook_id = $1 and phase <> 'Ended' limit 1", [request.Id],
                row => (ExecutionId?)row.Id<ExecutionId>(0), ct) is { } open)
                throw new ConflictException("runbook.executed", $"'{name}' is being executed: {open}.", "Stop that first, or wait for it.");
            await tx.Execute("update runbook set removed_at = clock() where id = $1", [request.Id], ct);
            await Notifications.Changed(tx, "runbooks", request.Id.ToString(), ct);
            await Audit.Add(tx, caller, "runbook.remove", request.Id.ToString(), name, ct);
        }, ct);
    }
}
