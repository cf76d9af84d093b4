using BackupDr.Agent.Leasing;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Agent.Jobs;

/// <summary>Checks a repository.</summary>
static class CheckJobRun
{
    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, CheckJob job, RunReporter reporter, CancellationToken ct)
    {
        using var repository = await jobs.Open(run, reporter, ct);
        var progress = new JobRunner.Direct<CheckProgress>(now => reporter.Progress(new JobProgress
        {
            Phase = "checking",
            FilesDone =
            now.PacksDone,
            FilesTotal = now.PacksTotal
        }));
        var report = await RepositoryCheck.Execute(repository, job.ReadData, progress, ct);
        foreach (var error in report.Errors.Take(100)) reporter.Event(EventLevel.Error, "check.error", error);
        foreach (var remark in report.Remarks.Take(100)) reporter.Event(EventLevel.Info, "check.remark", remark);
        return new JobResult
        {
            Outcome = report.IsGood ? JobOutcome.Complete : JobOutcome.Incomplete,
            Check = new CheckResult { Errors = [.. report.Errors.Take(1000)], Packs = report.Packs, BytesRead = report.BytesRead },
        };
    }
}
