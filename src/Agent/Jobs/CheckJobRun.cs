using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Agent.Jobs;

/// <summary>Checks a repository.</summary>
static class CheckJobRun
{
    const int MostTold = 1000;

    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, CheckJob job, RunReporter reporter, CancellationToken ct)
    {
        using var repository = await jobs.OpenToRead(run, reporter, ct);
        var progress = new JobRunner.Direct<CheckProgress>(now => reporter.Progress(new JobProgress
        {
            Phase = "checking",
            FilesDone =
            now.PacksDone,
            FilesTotal = now.PacksTotal
        }));
        var scope = job.Round is { } round ? CheckScope.Next(Round(round)) : job.ReadData ? CheckScope.All : CheckScope.None;
        var report = await RepositoryCheck.Execute(repository, scope, progress, ct);
        foreach (var error in report.Errors.Take(100)) reporter.Event(EventLevel.Error, "check.error", error);
        foreach (var remark in report.Remarks.Take(100)) reporter.Event(EventLevel.Info, "check.remark", remark);
        var restic = job.WithRestic ? await jobs.Stock.Look(repository, run, jobs.OwnUrl(run), reporter, ct) : null;
        List<string> errors = [.. report.Errors, .. (restic?.Errors ?? []).Select(error => $"restic {restic!.Version}: {error}")];
        return new JobResult
        {
            Outcome = errors.Count == 0 ? JobOutcome.Complete : JobOutcome.Incomplete,
            Check = new CheckResult
            {
                Errors = [.. errors.Take(MostTold)],
                Restic = restic,
                Packs = report.Packs,
                BytesRead = report.BytesRead,
                DamagedPacks = report.DamagedPacks.Count == 0 ? null : [.. report.DamagedPacks.Take(MostTold).Select(id => id.ToString())],
                Reached = report.Reached?.ToString(),
            },
            Healed = JobRunner.Healed(repository, reporter),
        };
    }

    static PackRound Round(CheckRound round) => new(round.After is null ? null : Pack(round.After), round.Share, round.LeastBytes,
        [.. round.Also.Select(Pack)]);

    static BlobId Pack(string name) => BlobId.TryParse(name, out var id) ? id
        : throw new BadInputException("round", $"'{name}' is no name of a pack.", "Install the agent of the node's version.");
}
