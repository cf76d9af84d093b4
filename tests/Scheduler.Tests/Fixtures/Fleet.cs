using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Tests.Fixtures;

/// <summary>A node with hosts whose agents are the test itself: it leases, reports and completes as they would.</summary>
public sealed class Fleet : IAsyncDisposable
{
    public static readonly CancellationToken NoStop = CancellationToken.None;

    Fleet(TestNode node) => Node = node;

    public TestNode Node { get; }

    public static async Task<Fleet> Start(SchedulerDatabases databases, Func<NodeSettings, NodeSettings>? change = null)
        => new(await TestNode.Start(databases, change));

    public T Get<T>() where T : notnull => Node.Get<T>();

    /// <summary>A host in service.</summary>
    public async Task<HostId> AddHost(string name = "web-1")
    {
        var id = HostId.New(TimeProvider.System);
        await Node.Db.Execute("""
            insert into host (id, name, operating_system, agent_version, protocol_version, is_mover, last_seen_at)
            values ($1, $2, 'Debian GNU/Linux 12', '0.1.0', 1, false, clock())
            """, [id, name], NoStop);
        return id;
    }

    /// <summary>A policy over these folders of a host, with their first backups queued.</summary>
    public Task<Policy> Protect(HostId host, params string[] folders) => Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
    {
        Items = [.. folders.Select(folder
            => new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText(folder)] } }))],
    }, NoStop);

    /// <summary>The same with the repository made, so that the next lease is a backup.</summary>
    public async Task<Policy> ProtectReady(HostId host, params string[] folders)
    {
        var policy = await Protect(host, folders);
        var init = await Lease(host);
        Assert.Equal(JobKind.Init, init!.Job.Kind);
        await Complete(host, init, new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        return policy;
    }

    public async Task<LeasedRun?> Lease(HostId host, int waitSeconds = 0)
        => (await Get<LeaseRun>().Handle(Caller.Agent(host), new LeaseRequest { Slots = 1, WaitSeconds = waitSeconds }, NoStop)).Run;

    public Task<ReportAnswer> Report(HostId host, LeasedRun run, long seq = 1, params string[] lines)
        => Get<ReportRun>().Handle(Caller.Agent(host), new ReportRequest
        {
            RunId = run.RunId,
            Epoch = run.Epoch,
            Seq = seq,
            Events = [.. lines.Select(line => new RunEventLine(DateTimeOffset.UnixEpoch, EventLevel.Info, "test.line", line))],
        }, NoStop);

    public Task Complete(HostId host, LeasedRun run, JobResult result)
        => Get<CompleteRun>().Handle(Caller.Agent(host), new CompleteRequest(run.RunId, run.Epoch, result), NoStop);

    /// <summary>Leases and ends the next run of a host.</summary>
    public async Task<LeasedRun> Finish(HostId host, Func<LeasedRun, JobResult> result)
    {
        var run = await Lease(host);
        Assert.NotNull(run);
        await Complete(host, run, result(run));
        return run;
    }

    public Task<Run> Show(RunId run) => Get<ShowRun>().Handle(TestNode.Admin, new ShowRunRequest(run), NoStop);

    public async Task<IReadOnlyList<Run>> Runs(JobKind? kind = null)
        => (await Get<ListRuns>().Handle(TestNode.Admin, new ListRunsRequest { Kind = kind }, NoStop)).Runs;

    public async Task<IReadOnlyList<RunEvent>> Log(RunId run)
        => (await Get<ReadRunEvents>().Handle(TestNode.Admin, new ReadRunEventsRequest(run), NoStop)).Events;

    public async Task<Item> OnlyItem() => Assert.Single(await Get<ListItems>().Handle(TestNode.Admin, new ListItemsRequest(), NoStop));

    /// <summary>Moves the database's clock, then lets the lease loop look once.</summary>
    public async Task<int> PassAndExpire(TimeSpan time)
    {
        await Node.PassTime(time);
        return await Get<LeaseExpiry>().Run(NoStop);
    }

    public static JobResult Backup(JobOutcome outcome = JobOutcome.Complete, char snapshot = 'a') => new()
    {
        Outcome = outcome,
        Backup = new BackupResult
        {
            SnapshotId = new string(snapshot, 64),
            TakenAt = TimeProvider.System.GetUtcNow(),
            Files = 3,
            Bytes =
            1000
        },
    };

    public static JobResult NoSpace => new() { Outcome = JobOutcome.Failed, Error = new JobError("store.full", "No space.", null, false) };

    public static JobResult Drill(ProofResult result) => new()
    {
        Outcome = JobOutcome.Complete,
        Drill = new DrillResult { Result = result, FilesCompared = 3, BytesCompared = 1000, RestoreSeconds = 1.5 },
    };

    public ValueTask DisposeAsync() => Node.DisposeAsync();
}
