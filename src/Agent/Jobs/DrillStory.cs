using BackupDr.Contracts.Jobs;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources;

namespace BackupDr.Agent.Jobs;

/// <summary>What a drill tells for the evidence: its steps with their times, what each look expected, and what was not done.</summary>
static class DrillStory
{
    static readonly DrillOmission Isolation = new("Isolation from the network",
        "Nothing is started from the restored data, so nothing could reach a network.");
    static readonly DrillOmission Unisolated = new("Isolation from the network",
        "The kernel of the host did not allow the agent to cut the started copy off.");
    static readonly DrillOmission Scripts = new("Checks by a program", "The policy names none.");

    /// <summary>The wall clock's time: steps are compared with logs of the host.</summary>
    public static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    /// <summary>A restored database that was opened and looked through.</summary>
    /// <param name="report">What was found.</param>
    /// <param name="begunAt">When it began.</param>
    /// <param name="startsServer">Whether a server was started in it.</param>
    public static DrillResult OfDatabase(ProofReport report, DateTimeOffset begunAt, bool startsServer)
    {
        var restored = begunAt + report.RestoreTime;
        var started = restored + report.StartTime;
        // What was looked at after a server that did not start was not looked at.
        var isUp = report.Checks.FirstOrDefault(check => check.Name is "recovery" or "start")?.Passed ?? true;
        List<DrillStep> steps =
        [
            new("Restore into a folder of its own", begunAt, restored, true,
                report.Checks.FirstOrDefault(check => check.Name == "log")?.Detail),
            new(startsServer ? "Start a server in it" : "Open the database", restored, started, isUp),
        ];
        if (isUp) steps.Add(new DrillStep("Look through it", started, started + report.CheckTime, report.IsProven));
        List<DrillOmission> notDone = startsServer ? [] : [new("Start a server", "The database is a file; no server belongs to it.")];
        if (!report.Checks.Any(check => check.Name.StartsWith(DrillLooks.ScriptPrefix, StringComparison.Ordinal))) notDone.Add(Scripts);
        if (!isUp) notDone.Insert(0, new DrillOmission("Look through it", "The server did not come up."));
        return new DrillResult
        {
            Result = report.IsProven ? ProofResult.Proven : ProofResult.Failed,
            Reason = report.Checks.FirstOrDefault(check => !check.Passed) is { } wrong ? $"{wrong.Name}: {wrong.Detail}" : null,
            Checks = [.. report.Checks.Select(check => new DrillCheck(check.Name, check.Passed, check.Detail, Expected(check.Name)))],
            Steps = steps,
            NotDone = !startsServer ? [.. notDone, Isolation] : report.IsIsolated ? notDone : [.. notDone, Unisolated],
            Seconds = Math.Round((report.RestoreTime + report.StartTime + report.CheckTime).TotalSeconds, 3),
        };
    }

    /// <summary>What a drill of files did, up to now.</summary>
    public static IReadOnlyList<DrillStep> StepsOfFiles(DateTimeOffset begunAt, DateTimeOffset restoredAt, RestoreSummary restored,
        ProofFindings findings) =>
    [
        new("Restore into a folder of its own", begunAt, restoredAt, restored.Failed.Count == 0, $"{restored.Files} files"),
        new("Compare each file with the snapshot", restoredAt, Now, findings.Mismatches.Count == 0, $"{findings.FilesCompared} files"),
    ];

    /// <summary>What a drill of files does not do.</summary>
    /// <param name="liveProblem">Why the live source was not compared; null where it was.</param>
    /// <param name="hasScript">Whether a program looked at the copy.</param>
    public static IReadOnlyList<DrillOmission> OfFiles(string? liveProblem, bool hasScript)
    {
        List<DrillOmission> omitted = [.. hasScript ? (DrillOmission[])[] : [Isolation, Scripts],
            new("Start a server", "The item is a file tree; no server belongs to it.")];
        if (liveProblem is not null) omitted.Insert(0, new DrillOmission("Comparison with the live source", liveProblem));
        return omitted;
    }

    static string Expected(string check) => check switch
    {
        "restore" => "every blob matches its hash",
        "open" => "the database opens",
        "integrity_check" => "ok",
        "rows" => "as many rows in each table as when it was stored",
        "recovery" => "the server ends its recovery",
        "identity" => "the identifier of the source",
        "catalog" => "the databases, relations and roles of the manifest",
        "relations" => "no damage in any table or index",
        "log" => "the stored log follows the backup without a gap, and the server takes every transaction in it",
        "start" => "the server answers",
        "tables" => "the tables of the manifest, where those were settled",
        "check" => "no damage in any table or index",
        "count" => "the rows of every table can be counted",
        "stop" => "the server stops cleanly",
        "checksums" => "every page matches its checksum",
        _ => "it holds",
    };
}
