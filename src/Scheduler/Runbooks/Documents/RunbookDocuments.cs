using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks.Documents;

/// <summary>Runbooks as documents: written, and read from files.</summary>
static class RunbookDocuments
{
    /// <param name="Document">What it says.</param>
    /// <param name="File">Where it stands.</param>
    /// <param name="Text">As it stands there, with places.</param>
    internal sealed record Given(RunbookDocument Document, string File, YamlMap Text);

    /// <summary>As people would write it: what goes without saying is left out, a step begins with its name, short lists are on one line.
    /// </summary>
    public static string Write(Runbook runbook, WireNames names) => Tidy(WireYaml.Write(new RunbookDocument
    {
        ApiVersion = RunbookDocument.TheVersion,
        Kind = RunbookDocument.TheKind,
        Name = runbook.Name,
        Spec = runbook.Spec,
    }, WireJson.Default.RunbookDocument, names, isBrief: true)).Block();

    /// <summary>Members that a step begins with; longest list on one line.</summary>
    static readonly string[] First = ["name", "title", "kind", "stage", "needs", "modes", "timeout"];
    const int LongestList = 100;

    static YamlValue Tidy(YamlValue value) => value switch
    {
        YamlList { Values.Count: > 0 } list when list.Values.All(one => one is YamlScalar) && list.Flow() is { Length: <= LongestList } flow
            => new YamlScalar(flow, IsPlain: true),
        YamlList list => new YamlList([.. list.Values.Select(Tidy)]),
        YamlMap map => new YamlMap([.. (IsStep(map) ? map.Members.OrderBy(Rank) : map.Members.AsEnumerable())
            .Select(member => new YamlMember(member.Name, Tidy(member.Value)))]),
        _ => value,
    };

    static bool IsStep(YamlMap map) => map.Find("name") is not null && map.Find("kind") is not null && map.Find("apiVersion") is null;

    static int Rank(YamlMember member) => Array.IndexOf(First, member.Name) is >= 0 and var at ? at : First.Length;

    /// <summary>All documents of files.</summary>
    /// <exception cref="BadInputException">Something in them is wrong; the message has a line for each problem, with its place.</exception>
    public static IReadOnlyList<Given> Read(IReadOnlyList<DocumentFile> files, WireNames names)
    {
        if (files.Count is 0 or > ApplyPoliciesRequest.MostFiles)
            throw new BadInputException("files", $"{files.Count} files were given.", $"From 1 to {ApplyPoliciesRequest.MostFiles}.");
        var (problems, documents) = (new List<DocumentProblem>(), new List<Given>());
        foreach (var file in files) documents.AddRange(Read(file, names, problems));
        MustBeWhole(documents, problems);
        return documents.Count > 0 ? documents : throw new BadInputException("files", "There is no document in what was given.",
            "docs/runbooks.md has an example.");
    }

    /// <summary>Documents that were found among others.</summary>
    /// <exception cref="BadInputException">Something in them is wrong; the message has a line for each problem, with its place.</exception>
    public static IReadOnlyList<Given> Read(IReadOnlyList<(YamlMap Text, string File)> texts, WireNames names)
    {
        var problems = new List<DocumentProblem>();
        var documents = texts.Select(one => Read(one.Text, one.File, names, problems)).OfType<Given>().ToList();
        MustBeWhole(documents, problems);
        return documents;
    }

    /// <summary>Refuses blanks that nobody filled in, a second document of one runbook, and whatever was wrong before.</summary>
    static void MustBeWhole(List<Given> documents, List<DocumentProblem> problems)
    {
        problems.AddRange(documents.SelectMany(given => RunbookPlaces.Blanks(given.Text).Select(blank => BlankAt(given.File, blank))));
        foreach (var twice in documents.GroupBy(given => given.Document.Name.Trim(), StringComparer.OrdinalIgnoreCase)
            .Where(same => same.Count() > 1).SelectMany(same => same.Skip(1)))
            problems.Add(new DocumentProblem(twice.File, twice.Text.Line, 1,
                $"The runbook '{twice.Document.Name}' has a document already.", "Keep one of them."));
        if (problems.Count > 0) throw DocumentHead.Refused(problems);
    }

    /// <summary>The documents of a file that can be read; what is wrong with the others is told.</summary>
    public static IReadOnlyList<Given> Read(DocumentFile file, WireNames names, List<DocumentProblem> problems)
    {
        var documents = new List<Given>();
        foreach (var value in YamlReading.Read(file, problems))
            if (Read(value, file.Name, names, problems) is { } given) documents.Add(given);
        return documents;
    }

    static Given? Read(YamlValue value, string file, WireNames names, List<DocumentProblem> problems)
    {
        // What it is comes first: the members of something else would all be unknown.
        if (value is YamlMap map && !(DocumentHead.Is(map, "apiVersion", RunbookDocument.TheVersion, file, problems)
            && DocumentHead.Is(map, "kind", RunbookDocument.TheKind, file, problems))) return null;
        return WireYaml.Read(value, WireJson.Default.RunbookDocument, names, file, problems) is { } document
            ? new Given(document, file, (YamlMap)value) : null;
    }

    /// <summary>What cannot be executed of a document as it is written, where it stands.</summary>
    public static IEnumerable<DocumentProblem> Unfit(Given given, StepExecutors executors)
        => Placed(given, RunbookTable.Problems(given.Document.Spec, executors));

    /// <summary>What is wrong with the runbooks that a document's executes, where it stands.</summary>
    public static async Task<IEnumerable<DocumentProblem>> UnfitParts(SqlSource db, Given given, CancellationToken ct)
        => Placed(given, (await RunbookTrees.Read(db, given.Document.Name.Trim(), given.Document.Spec, ct)).Problems);

    static IEnumerable<DocumentProblem> Placed(Given given, IEnumerable<RunbookProblem> problems) => problems.Select(problem =>
        {
            var at = RunbookPlaces.Of(given.Text, problem.Place);
            return new DocumentProblem(given.File, at.Line, at.Column, $"{problem.Place}: {problem.Problem}", problem.Advice);
        });

    /// <summary>A blank that nobody filled in.</summary>
    public static DocumentProblem BlankAt(string file, YamlScalar blank) => new(file, blank.Line, blank.Column,
        $"This is still to be filled in: {blank.Text[1..^1]}.", "Write it in the place of <…>, or take the step away.");

    /// <summary>What differs between two versions, step by step.</summary>
    public static IReadOnlyList<MemberChange> Between(RunbookSpec from, RunbookSpec to, WireNames names)
        => [.. PolicyDiff.Between(Named(from, names), Named(to, names), "")];

    /// <summary>With the steps by their names, so that a change of one is told as such.</summary>
    static YamlValue Named(RunbookSpec spec, WireNames names)
    {
        var all = (YamlMap)WireYaml.Write(spec, WireJson.Default.RunbookSpec, names, isBrief: true);
        return new YamlMap([.. all.Members.Select(member => member.Name != "steps" || member.Value is not YamlList list ? member
            : new YamlMember(member.Name, new YamlMap([.. list.Values.Cast<YamlMap>().Select(step
                => new YamlMember(RunbookPlaces.NameOf(step) ?? "", new YamlMap([.. step.Members.Where(one => one.Name != "name")])))])))]);
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
        await using var tx = await db.Begin(ct);
        var names = await WireNames.Read(tx, ct);
        var applied = await Apply(tx, caller, RunbookDocuments.Read(request.Files, names), names, ct);
        if (request.DryRun) return new RunbooksApplied(true, applied);
        await tx.Commit(ct);
        await Look(applied, ct);
        return new RunbooksApplied(false, applied);
    }

    /// <summary>Applies those that were found among documents of other kinds, in the caller's transaction.</summary>
    /// <exception cref="BadInputException">A document is wrong, or says what cannot be executed.</exception>
    internal async Task<IReadOnlyList<AppliedRunbook>> Apply(Transaction tx, Caller caller,
        IReadOnlyList<(YamlMap Text, string File)> texts, WireNames names, CancellationToken ct)
    {
        caller.Must(Right.RunbookWrite);
        return await Apply(tx, caller, RunbookDocuments.Read(texts, names), names, ct);
    }

    /// <summary>Looks at those that were changed, once that is stored.</summary>
    internal async Task Look(IReadOnlyList<AppliedRunbook> applied, CancellationToken ct)
    {
        foreach (var one in applied.Where(one => one.Change != DocumentChange.None)) await readiness.Look(one.Id, ct);
    }

    async Task<IReadOnlyList<AppliedRunbook>> Apply(Transaction tx, Caller caller, IReadOnlyList<RunbookDocuments.Given> documents,
        WireNames names, CancellationToken ct)
    {
        var applied = new List<AppliedRunbook>();
        var unfit = documents.SelectMany(given => RunbookDocuments.Unfit(given, executors)).ToList();
        if (unfit.Count > 0) throw DocumentHead.Refused(unfit);
        foreach (var given in documents)
        {
            try { applied.Add(await Apply(tx, caller, given, names, ct)); }
            catch (BadInputException e)
            {
                throw new BadInputException("files", $"{given.File}:{given.Text.Line}:1: '{given.Document.Name}': {e.Message}", e.Hint);
            }
        }
        // Only now are all there that name each other.
        foreach (var given in documents) unfit.AddRange(await RunbookDocuments.UnfitParts(tx, given, ct));
        return unfit.Count > 0 ? throw DocumentHead.Refused(unfit) : applied;
    }

    async Task<AppliedRunbook> Apply(Transaction tx, Caller caller, RunbookDocuments.Given given, WireNames names, CancellationToken ct)
    {
        var name = RunbookTable.Name(given.Document.Name);
        var known = await tx.First("select id from runbook where lower(name) = lower($1) and removed_at is null", [name],
            row => (RunbookId?)row.Id<RunbookId>(0), ct);
        if (known is not { } id)
            return new AppliedRunbook(name, await CreateRunbook.Make(tx, caller, executors, RunbookId.New(clock), name,
                given.Document.Spec, ct), DocumentChange.Create, 1, given.File);
        var before = await RunbookTable.Get(tx, id, ct);
        var (version, isChanged) = await EditRunbook.Change(tx, caller, executors, new EditRunbookRequest(id, name,
            given.Document.Spec), ct);
        IReadOnlyList<MemberChange> members = [.. before.Name == name ? [] : new[] { new MemberChange("name", before.Name, name) },
            .. RunbookDocuments.Between(before.Spec, given.Document.Spec, names)];
        return new AppliedRunbook(name, id, isChanged ? DocumentChange.Edit : DocumentChange.None, version, given.File,
            isChanged && members.Count > 0 ? members : null);
    }
}

/// <summary>The beginning of a runbook that brings an item back.</summary>
public sealed class DraftRunbook(Postgres db, ShowItem items)
{
    const int LongestName = 90, MostNames = 50;

    /// <exception cref="NotFoundException">There is no such item.</exception>
    public async Task<RunbookYaml> Handle(Caller caller, DraftRunbookRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        var item = await items.Handle(caller, new ShowItemRequest(request.Item), ct);
        var name = await Free(RunbookDraft.NameOf(item), ct);
        return new RunbookYaml(name, RunbookDraft.Of(name, item));
    }

    /// <summary>A name that no runbook has.</summary>
    async Task<string> Free(string wanted, CancellationToken ct)
    {
        var plain = new string([.. wanted.Select(one => char.IsControl(one) ? ' ' : one)]).Trim();
        plain = plain.Length == 0 ? "new" : plain.Length > LongestName ? plain[..LongestName].Trim() : plain;
        var taken = (await db.Query("select lower(name) from runbook where removed_at is null", [], row => row.Text(0), ct)).ToHashSet();
        return Enumerable.Range(1, MostNames).Select(number => number == 1 ? plain : $"{plain} {number}")
            .FirstOrDefault(name => !taken.Contains(name.ToLowerInvariant())) ?? plain;
    }
}
