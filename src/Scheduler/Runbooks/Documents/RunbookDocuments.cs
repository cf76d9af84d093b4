using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks.Documents;

/// <summary>Runbooks as documents: written, and read from files.</summary>
static class RunbookDocuments
{
    internal sealed record Given(RunbookDocument Document, string File, int Line);

    public static string Write(Runbook runbook, WireNames names) => WireYaml.Write(new RunbookDocument
    {
        ApiVersion = RunbookDocument.TheVersion,
        Kind = RunbookDocument.TheKind,
        Name = runbook.Name,
        Spec = runbook.Spec,
    }, WireJson.Default.RunbookDocument, names).Block();

    /// <summary>All documents of files.</summary>
    /// <exception cref="BadInputException">Something in them is wrong; the message has a line for each problem, with its place.</exception>
    public static IReadOnlyList<Given> Read(IReadOnlyList<DocumentFile> files, WireNames names)
    {
        if (files.Count is 0 or > ApplyPoliciesRequest.MostFiles)
            throw new BadInputException("files", $"{files.Count} files were given.", $"From 1 to {ApplyPoliciesRequest.MostFiles}.");
        var (problems, documents) = (new List<DocumentProblem>(), new List<Given>());
        foreach (var file in files)
            foreach (var value in YamlReading.Read(file, problems))
                if (Read(value, file.Name, names, problems) is { } document) documents.Add(new Given(document, file.Name, value.Line));
        foreach (var twice in documents.GroupBy(given => given.Document.Name.Trim(), StringComparer.OrdinalIgnoreCase)
            .Where(same => same.Count() > 1).SelectMany(same => same.Skip(1)))
            problems.Add(new DocumentProblem(twice.File, twice.Line, 1, $"The runbook '{twice.Document.Name}' has a document already.",
                "Keep one of them."));
        if (problems.Count > 0) throw DocumentHead.Refused(problems);
        return documents.Count > 0 ? documents : throw new BadInputException("files", "There is no document in what was given.",
            "docs/runbooks.md has an example.");
    }

    static RunbookDocument? Read(YamlValue value, string file, WireNames names, List<DocumentProblem> problems)
    {
        // What it is comes first: the members of something else would all be unknown.
        if (value is YamlMap map && !(DocumentHead.Is(map, "apiVersion", RunbookDocument.TheVersion, file, problems)
            && DocumentHead.Is(map, "kind", RunbookDocument.TheKind, file, problems))) return null;
        return WireYaml.Read(value, WireJson.Default.RunbookDocument, names, file, problems);
    }
}

/// <summary>A runbook as a document.</summary>
public sealed class ShowRunbookDocument(Postgres db)
{
    public async Task<RunbookYaml> Handle(Caller caller, ShowRunbookDocumentRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        var runbook = await RunbookTable.Get(db, request.Id, ct);
        return new RunbookYaml(runbook.Name, RunbookDocuments.Write(runbook, await WireNames.Read(db, ct)));
    }
}

/// <summary>Makes runbooks be as documents say, in one transaction. A dry run does the same and takes it back.</summary>
public sealed class ApplyRunbooks(Postgres db, StepExecutors executors, Readiness readiness, TimeProvider clock)
{
    /// <exception cref="BadInputException">A document is wrong, or says what cannot be executed.</exception>
    public async Task<RunbooksApplied> Handle(Caller caller, ApplyRunbooksRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookWrite);
        var applied = new List<AppliedRunbook>();
        await using var tx = await db.Begin(ct);
        foreach (var given in RunbookDocuments.Read(request.Files, await WireNames.Read(tx, ct)))
        {
            try { applied.Add(await Apply(tx, caller, given, ct)); }
            catch (BadInputException e)
            {
                throw new BadInputException("files", $"{given.File}:{given.Line}:1: '{given.Document.Name}': {e.Message}", e.Hint);
            }
        }
        if (request.DryRun) return new RunbooksApplied(true, applied);
        await tx.Commit(ct);
        foreach (var one in applied.Where(one => one.Change != DocumentChange.None)) await readiness.Look(one.Id, ct);
        return new RunbooksApplied(false, applied);
    }

    async Task<AppliedRunbook> Apply(Transaction tx, Caller caller, RunbookDocuments.Given given, CancellationToken ct)
    {
        var name = RunbookTable.Name(given.Document.Name);
        var known = await tx.First("select id from runbook where lower(name) = lower($1) and removed_at is null", [name],
            row => (RunbookId?)row.Id<RunbookId>(0), ct);
        if (known is not { } id)
            return new AppliedRunbook(name, await CreateRunbook.Make(tx, caller, executors, RunbookId.New(clock), name,
                given.Document.Spec, ct), DocumentChange.Create, 1, given.File);
        var (version, isChanged) = await EditRunbook.Change(tx, caller, executors, new EditRunbookRequest(id, name,
            given.Document.Spec), ct);
        return new AppliedRunbook(name, id, isChanged ? DocumentChange.Edit : DocumentChange.None, version, given.File);
    }
}
