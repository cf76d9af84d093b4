using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks.Documents;

/// <summary>Says what is wrong with the text of a runbook, as saving it would.</summary>
public sealed class CheckRunbook(Postgres db, StepExecutors executors)
{
    /// <summary>Most that is told; whoever mends that sees the rest.</summary>
    const int MostFaults = 50;

    /// <summary>Looks at it. Nothing is kept, and nothing outside of the text is asked but the names of hosts.</summary>
    public async Task<RunbookCheck> Handle(Caller caller, CheckRunbookRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        var (problems, file) = (new List<DocumentProblem>(), new DocumentFile("", request.Yaml.ReplaceLineEndings("\n")));
        var documents = RunbookDocuments.Read(file, await WireNames.Read(db, ct), problems);
        if (documents.Count == 0 && problems.Count == 0)
            problems.Add(new DocumentProblem("", 1, 1, "There is no document.", "It begins with apiVersion: backupdr/v1"));
        foreach (var more in documents.Skip(1))
            problems.Add(new DocumentProblem("", more.Text.Line, 1, "A second document begins here.", "One runbook at a time."));
        if (documents is not [var given, ..]) return new RunbookCheck { Faults = Faults(problems, []) };
        var blanks = RunbookPlaces.Blanks(given.Text).Select(blank => RunbookDocuments.BlankAt("", blank)).ToList();
        var open = blanks.Select(blank => blank.Line).ToHashSet();
        // That a blank is no address, name and so on goes without saying.
        problems.AddRange(RunbookDocuments.Unfit(given, executors).Where(problem => !open.Contains(problem.Line)));
        problems.AddRange((await RunbookDocuments.UnfitParts(db, given, ct)).Where(problem => !open.Contains(problem.Line)));
        return new RunbookCheck { Document = given.Document, Faults = Faults(problems, blanks) };
    }

    static IReadOnlyList<RunbookFault> Faults(IEnumerable<DocumentProblem> problems, IEnumerable<DocumentProblem> blanks)
        => [.. problems.Select(one => Fault(one, false)).Concat(blanks.Select(one => Fault(one, true)))
            .OrderBy(fault => fault.Line).ThenBy(fault => fault.Column).Take(MostFaults)];

    static RunbookFault Fault(DocumentProblem problem, bool isBlank)
        => new(Math.Max(problem.Line, 1), Math.Max(problem.Column, 1), problem.Text, problem.Hint, isBlank);
}
