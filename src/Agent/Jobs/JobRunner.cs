using System.Collections.Concurrent;
using BackupDr.Agent.Hooks;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Replicas;
using BackupDr.Storage;
using BackupDr.Storage.Layers;

namespace BackupDr.Agent.Jobs;

/// <summary>Turns a job into its result. What has a name becomes a failed result; a bug is told as one and ends the run, not the
/// agent.</summary>
public sealed class JobRunner(AgentState state, AgentIdentity identity, AgentStores stores, HookFolder hooks)
{
    const int MaximumLines = 100, MaximumCopies = 1000;

    readonly ConcurrentDictionary<RunId, StoreCounters> _counters = new();
    readonly ConcurrentDictionary<RunId, ConcurrentBag<ReplicatedStore>> _places = new();

    /// <summary>Does the job.</summary>
    public async Task<JobResult> Run(LeasedRun run, RunReporter reporter, CancellationToken ct)
    {
        try
        {
            var result = await Do(run, reporter, ct);
            return result with { Traffic = Counters(run).Read() };
        }
        finally
        {
            _counters.TryRemove(run.RunId, out _);
            if (_places.TryRemove(run.RunId, out var places))
                foreach (var store in places) await store.DisposeAsync();
        }
    }

    async Task<JobResult> Do(LeasedRun run, RunReporter reporter, CancellationToken ct)
    {
        try
        {
            var job = run.Job;
            if (job.Terms is { } terms) await LaterTerms.MustBeNone(stores, terms, reporter, ct);
            return job.Kind switch
            {
                JobKind.Init => await InitJob.Run(this, run, reporter, ct),
                JobKind.Backup => await Backup(run, Part(job.Backup), reporter, ct),
                JobKind.Restore => await RestoreJobRun.Run(this, run, Part(job.Restore), state, reporter, ct),
                JobKind.Drill => await DrillJobRun.Run(this, run, Part(job.Drill), state,
                    DrillLooks.Of(Part(job.Drill), hooks, run.RunId, reporter), reporter, ct),
                JobKind.Check => await CheckJobRun.Run(this, run, Part(job.Check), reporter, ct),
                JobKind.Replicate => await ReplicateJobRun.Run(this, run, Part(job.Replicate), reporter, ct),
                JobKind.Tier => await TierJobRun.Run(this, run, reporter, ct),
                JobKind.Forget => await ForgetJobRun.Run(this, run, Part(job.Forget), reporter, ct),
                JobKind.Prune => await PruneJobRun.Run(this, run, Part(job.Prune), reporter, ct),
                JobKind.Adopt => await AdoptJobRun.Run(this, run, reporter, ct),
                _ => throw new BadInputException("kind", $"The job kind {job.Kind} is unknown to this agent.",
                    "Install the agent of the node's version."),
            };
        }
        catch (BackupDrException e) { return Failed(new JobError(e.Code, e.Message, e.Hint, e.IsTransient)); }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return Failed(new JobError("agent.bug", $"Something in the agent is broken: {e.GetType().Name}: {e.Message}",
                "The agent's log on its host has the details.", false));
        }
    }

    Task<JobResult> Backup(LeasedRun run, BackupJob job, RunReporter reporter, CancellationToken ct) => job.Hooks is { } named
        ? HookRun.Around(hooks, named, run.RunId, job, reporter, token => BackupJobRun.Run(this, run, job, reporter, token), ct)
        : BackupJobRun.Run(this, run, job, reporter, ct);

    static JobResult Failed(JobError error) => new() { Outcome = JobOutcome.Failed, Error = error };

    static T Part<T>(T? part) where T : class => part ?? throw new BadInputException("job", "The job lacks the part that its kind names.",
        "Install the agent of the node's version.");

    /// <summary>Options for a run: our host's name, and a user that tells this run's locks from all others.</summary>
    internal RepositoryOptions Options(LeasedRun run) => new()
    {
        HostName = identity.Membership.HostName,
        UserName = $"backupdr-{run.RunId}",
        ProgramVersion = $"backupdr {AgentCommand.Version}",
        ExpectedId = run.Job.Repository.ConfigId,
        CacheFolder = identity.CacheFolder,
    };

    /// <summary>What the stores of a run were asked.</summary>
    StoreCounters Counters(LeasedRun run) => _counters.GetOrAdd(run.RunId, _ => new StoreCounters());

    /// <summary>restic as it is installed here.</summary>
    internal StockRestic Stock { get; } = new(state, StockRestic.Find());

    /// <summary>The place of a run's repository, as restic writes it and as this host reaches it.</summary>
    internal string OwnUrl(LeasedRun run) => run.Job.Repository is { IsGateway: true, Url: var gateway }
        ? AgentStores.OnOurWay(gateway, identity.Membership.Urls) : run.Job.Repository.Url;

    /// <summary>The store that a run's repository is to be made in.</summary>
    internal IObjectStore Store(LeasedRun run) => stores.Open(run.Job.Repository, Counters(run));

    /// <summary>The places of a run's repository, its own first.</summary>
    internal IReadOnlyList<(LocationId? Location, IObjectStore Store)> Places(LeasedRun run) => stores.OpenAll(run.Job.Repository,
        Counters(run));

    /// <summary>Opens a run's repository over all of its places, to read. They are closed when the run ends.</summary>
    internal async Task<Repository> OpenToRead(LeasedRun run, RunReporter reporter, CancellationToken ct)
    {
        var store = await stores.OpenToRead(run.Job.Repository, ct, Counters(run), Telling(reporter));
        if (store is ReplicatedStore places) _places.GetOrAdd(run.RunId, _ => []).Add(places);
        return await Open(run, store, reporter, ct);
    }

    /// <summary>Writes into a run's log which place is passed over and why, and which one is back.</summary>
    internal static Action<PlaceNews> Telling(RunReporter reporter) => news =>
    {
        if (news.IsBack) reporter.Event(EventLevel.Info, "replica.back", news.ToString());
        else reporter.Event(EventLevel.Warning, "replica.absent", news.ToString());
    };

    /// <summary>Opens a run's repository at its own place without removing even our own locks, so that nothing is written.</summary>
    internal async Task<Repository> OpenReadOnly(LeasedRun run, CancellationToken ct)
    {
        using var password = Secret.FromText(run.Job.Repository.Password);
        return await Repository.Open(Store(run), password, Options(run), ct);
    }

    /// <summary>Opens a run's repository at its own place.</summary>
    internal Task<Repository> Open(LeasedRun run, RunReporter reporter, CancellationToken ct)
        => Open(run, Store(run), reporter, ct);

    /// <summary>Opens a run's repository and removes the locks that earlier leases of the same run left when their agent died.</summary>
    internal async Task<Repository> Open(LeasedRun run, IObjectStore store, RunReporter reporter, CancellationToken ct)
    {
        using var password = Secret.FromText(run.Job.Repository.Password);
        var repository = await Repository.Open(store, password, Telling(run, reporter), ct);
        if (run.Epoch > 1)
        {
            // This lease is newer than theirs, so whoever held them may write nothing more.
            var removed = await RepositoryLock.RemoveLeftovers(repository, pid => pid == Environment.ProcessId, ct);
            if (removed > 0) reporter.Event(EventLevel.Info, "lock.removed",
                $"Removed {removed} lock(s) that an interrupted lease of this run left.");
        }
        return repository;
    }

    /// <summary>Options for a run, with what happens to locks told in its log.</summary>
    internal RepositoryOptions Telling(LeasedRun run, RunReporter reporter)
        => Options(run) with { LockRemoved = removed => reporter.Event(EventLevel.Info, "lock.removed", removed.ToString()) };

    /// <summary>Tells what other places answered for; gives it for the result, or null.</summary>
    internal static IReadOnlyList<HealedCopy>? Healed(Repository repository, RunReporter reporter)
    {
        if (repository.Store is not ReplicatedStore places) return null;
        foreach (var one in places.Healed.Take(MaximumLines))
            reporter.Event(EventLevel.Warning, "replica.healed", $"{one.Name} came from {one.From}; in {one.Place}: {one.Problem}");
        return places.Healed.Count == 0 ? null
            : [.. places.Healed.Take(MaximumCopies).Select(one => new HealedCopy(one.Name.Value, one.Place, one.Problem, one.From))];
    }

    /// <summary>A list short enough for the wire.</summary>
    internal static List<PathProblem> Cut(IEnumerable<Engine.Backup.Problem> problems) =>
        [.. problems.Take(1000).Select(problem => new PathProblem(problem.Path, problem.Message))];

    /// <summary>Progress that reports at once, on the caller's thread.</summary>
    internal sealed class Direct<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
