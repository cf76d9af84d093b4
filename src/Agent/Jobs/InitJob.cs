using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;

namespace BackupDr.Agent.Jobs;

/// <summary>Makes a repository. One that exists already and opens with the password is ours from an earlier try.</summary>
static class InitJob
{
    public static async Task<JobResult> Run(JobRunner jobs, LeasedRun run, RunReporter reporter, CancellationToken ct)
    {
        var access = run.Job.Repository;
        using var password = Secret.FromText(access.Password);
        var store = jobs.Store(run);
        Repository repository;
        try
        {
            repository = await Repository.Init(store, password, jobs.Options(run), ct);
            reporter.Event(EventLevel.Info, "repository.made", $"Made the repository {repository.Id[..8]} at {access.Url}.");
        }
        catch (RepositoryException e) when (e.Fault == RepositoryFault.Exists)
        {
            repository = await Repository.Open(store, password, jobs.Options(run), ct);
            reporter.Event(EventLevel.Info, "repository.found", $"Found the repository {repository.Id[..8]} at {access.Url}.");
        }
        using (repository) return new JobResult { Outcome = JobOutcome.Complete, ConfigId = repository.Id };
    }
}
