using System.Text.Json;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Agent.Jobs;

/// <summary>Looks through a repository that stock restic made and tells its snapshots. Nothing is written to it, no lock either.</summary>
static class AdoptJobRun
{
    /// <summary>Snapshots that are told at most, and their size as they are told; beyond it the newest are told.</summary>
    const int MostSnapshots = 20_000, MostBytes = 6 << 20;
    const int MostTexts = 100, LongestText = 1000, MostProblems = 1000, MaximumLines = 100;

    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, RunReporter reporter, CancellationToken ct)
    {
        var begun = TimeProvider.System.GetTimestamp();
        try { return await Look(jobs, run, reporter, begun, ct); }
        catch (RepositoryException e) when (Hint(e.Fault) is { } hint) { throw new RepositoryException(e.Fault, e.Message, hint, e); }
    }

    /// <summary>What to do about somebody else's repository; null where the usual hint fits.</summary>
    static string? Hint(RepositoryFault fault) => fault switch
    {
        RepositoryFault.WrongPassword => "Give one of its passwords under 'Use another password' on the repository's page.",
        RepositoryFault.Missing => "The address is that of the folder in which restic's 'config' lies. Detach it, and add it with the "
            + "right one.",
        RepositoryFault.Damaged => "Nothing was written. See with 'restic check' what is damaged; 'restic repair index' makes a new index "
            + "from the packs. Then try again.",
        _ => null,
    };

    static async Task<JobResult> Look(JobRunner jobs, LeasedRun run, RunReporter reporter, long begun, CancellationToken ct)
    {
        using var repository = await jobs.OpenReadOnly(run, ct);
        reporter.Event(EventLevel.Info, "adopt.opened",
            $"Opened {repository.Store.Url}, {repository.Id[..8]}, to read. Nothing is written to it, no lock either.");
        var report = await RepositorySurvey.Execute(repository, new JobRunner.Direct<SurveyProgress>(now
            => reporter.Progress(new JobProgress { Phase = "looking", FilesDone = now.Done, FilesTotal = now.Total })), ct);
        var told = Cut(report.Snapshots);
        Tell(reporter, report, told.Count);
        return new JobResult
        {
            Outcome = report.Problems.Count == 0 ? JobOutcome.Complete : JobOutcome.Incomplete,
            ConfigId = repository.Id,
            Adopt = new AdoptResult
            {
                Snapshots = told,
                SnapshotCount = report.Snapshots.Count,
                NotListed = report.Snapshots.Count - told.Count,
                Problems = [.. report.Problems.Take(MostProblems)
                    .Select(problem => new SnapshotProblem(problem.Snapshot.ToString(), problem.Problem))],
                ProblemCount = report.Problems.Count,
                Trees = report.Trees,
                Blobs = report.Blobs,
                Seconds = TimeProvider.System.GetElapsedTime(begun).TotalSeconds,
            },
        };
    }

    static void Tell(RunReporter reporter, SurveyReport report, int told)
    {
        reporter.Event(EventLevel.Info, "adopt.found", $"{report.Snapshots.Count} snapshots with {report.Trees} different first trees can "
            + $"be read; the index names {report.Blobs} blobs.");
        if (told < report.Snapshots.Count) reporter.Event(EventLevel.Warning, "adopt.cut",
            $"Only the newest {told} of them become recovery points.");
        foreach (var (snapshot, problem) in report.Problems.Take(MaximumLines))
            reporter.Event(EventLevel.Error, "adopt.problem", $"Snapshot {snapshot.ToString()[..8]}: {problem}");
    }

    /// <summary>As many of them, the newest first, as fit into one message.</summary>
    static List<FoundSnapshot> Cut(IReadOnlyList<Snapshot> snapshots)
    {
        var (told, bytes) = (new List<FoundSnapshot>(), 0);
        foreach (var snapshot in snapshots.Take(MostSnapshots))
        {
            var found = Found(snapshot);
            bytes += Size(found);
            if (bytes > MostBytes) break;
            told.Add(found);
        }
        return told;
    }

    static FoundSnapshot Found(Snapshot snapshot)
    {
        var (files, size, added) = Numbers(snapshot);
        return new FoundSnapshot
        {
            SnapshotId = snapshot.Id.ToString(),
            TakenAt = snapshot.Time.ToDateTimeOffset(),
            HostName = Short(snapshot.HostName),
            UserName = Short(snapshot.UserName),
            Paths = [.. snapshot.Paths.Take(MostTexts).Select(Short)],
            Tags = [.. snapshot.Tags.Take(MostTexts).Select(Short)],
            ProgramVersion = snapshot.ProgramVersion.Length == 0 ? null : Short(snapshot.ProgramVersion),
            Files = files,
            Bytes = size,
            BytesAdded = added,
        };
    }

    /// <summary>Numbers that cannot be read are no reason to leave a snapshot out.</summary>
    static (long? Files, long? Bytes, long? BytesAdded) Numbers(Snapshot snapshot)
    {
        try { return snapshot.Numbers(); }
        catch (RepositoryException) { return default; }
    }

    // Half of a surrogate pair at the end would be no text any more.
    static string Short(string text) => text.Length <= LongestText ? text
        : text[..(char.IsHighSurrogate(text[LongestText - 1]) ? LongestText - 1 : LongestText)];

    static int Size(FoundSnapshot found) => JsonSerializer.SerializeToUtf8Bytes(found, WireJson.Default.FoundSnapshot).Length;
}
