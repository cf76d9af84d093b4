using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Retention;

/// <summary>One host with one item whose backups the test takes, day after day by the database's clock.</summary>
sealed class RetainedFleet : IAsyncDisposable
{
    int _snapshots;

    RetainedFleet(Fleet fleet, HostId host) => (Fleet, Host) = (fleet, host);

    public Fleet Fleet { get; }
    public HostId Host { get; }
    public Policy Policy { get; private set; } = null!;
    public ItemId Item => Policy.Items[0].Id;
    public RepositoryId Repository => Policy.Items[0].Repository;

    public static readonly RetentionSpec ThreeDays = new()
    {
        KeepHourly = 0,
        KeepDaily = 3,
        KeepMonthly = 0,
        Floor = 1,
        Trash = TimeSpan.FromDays(2),
    };

    /// <summary>A policy whose first backup is queued and whose repository is made.</summary>
    public static async Task<RetainedFleet> Start(SchedulerDatabases databases, RetentionSpec? keep = null)
    {
        var fleet = await Fixtures.Fleet.Start(databases);
        var made = new RetainedFleet(fleet, await fleet.AddHost());
        made.Policy = await fleet.Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
        {
            Name = "Documents",
            Items = [new NewItem(made.Host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data")] } })],
            Spec = new PolicySpec { Retention = keep ?? ThreeDays, Proof = new ProofSpec { DrillAfterFirst = false } },
            RunNow = false,
        }, default);
        await made.Backup();
        return made;
    }

    /// <summary>A point now.</summary>
    public async Task<RecoveryPoint> Backup(Func<BackupResult, BackupResult>? change = null)
    {
        await Fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(Policy.Id), default);
        var run = (await Fleet.Lease(Host))!;
        if (run.Job.Kind == JobKind.Init)
        {
            await Fleet.Complete(Host, run, new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
            run = (await Fleet.Lease(Host))!;
        }
        Assert.Equal(JobKind.Backup, run.Job.Kind);
        var result = new BackupResult
        {
            SnapshotId = (++_snapshots).ToString("x64", CultureInfo.InvariantCulture),
            TakenAt = await Now(),
            Files = 100,
            Bytes = 1_000_000,
            BytesAdded = 10_000,
        };
        await Fleet.Complete(Host, run, new JobResult { Outcome = JobOutcome.Complete, Backup = change?.Invoke(result) ?? result });
        return (await Points())[0];
    }

    public Task<DateTimeOffset> Now() => Fleet.Node.Db.Scalar<DateTimeOffset>("select clock()", [], default);

    /// <summary>Lets days pass, each with a point; then retention takes a turn.</summary>
    public async Task Days(int days)
    {
        for (var day = 0; day < days; day++)
        {
            await Fleet.Node.PassTime(TimeSpan.FromDays(1));
            await Backup();
        }
        await Turn();
    }

    public Task<int> Turn() => Fleet.Get<RetentionDue>().Run(default);

    /// <summary>Newest first.</summary>
    public Task<IReadOnlyList<RecoveryPoint>> Points()
        => Fleet.Get<ListRecoveryPoints>().Handle(TestNode.Admin, new ListRecoveryPointsRequest(Item, 1000), default);

    public Task<ItemRetention> Retention()
        => Fleet.Get<ShowItemRetention>().Handle(TestNode.Admin, new ShowItemRetentionRequest(Item), default);

    /// <summary>The removal that the host's agent takes next.</summary>
    public async Task<LeasedRun> Lease(JobKind kind)
    {
        var run = await Fleet.Lease(Host);
        Assert.Equal(kind, run?.Job.Kind);
        return run!;
    }

    public static JobResult Done(LeasedRun run) => new()
    {
        Outcome = JobOutcome.Complete,
        Forget = new ForgetResult { Gone = run.Job.Forget!.Snapshots, Removed = run.Job.Forget.Snapshots.Count },
    };

    public ValueTask DisposeAsync() => Fleet.DisposeAsync();
}
