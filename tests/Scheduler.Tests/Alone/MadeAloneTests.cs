using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alone;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Alone;

/// <summary>What a host is told that it may do alone, and what becomes of what it did.</summary>
public sealed class MadeAloneTests(SchedulerDatabases databases)
{
    static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();
    static readonly DateTimeOffset Nominal = new(Now.UtcTicks - Now.UtcTicks % TimeSpan.TicksPerSecond, TimeSpan.Zero);

    static Task<AloneAnswer> Meet(Fleet fleet, HostId host, string mark = "", params AloneRun[] runs) => fleet.Get<MeetAlone>().Handle(
        Caller.Agent(host), new AloneRequest { Mark = mark, Runs = runs }, Fleet.NoStop);

    /// <summary>A host with a folder that is backed up each hour, and was once; and what it is told then.</summary>
    static async Task<(HostId Host, PolicyId Policy, AlonePlan Plan, string Mark)> AddHost(Fleet fleet, string name)
    {
        var host = await fleet.AddHost(name);
        var policy = await Protect(fleet, host, null);
        await fleet.Finish(host, _ => new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        await fleet.Finish(host, _ => Fleet.Backup());
        var answer = await Meet(fleet, host);
        return (host, policy, answer.Plan!, answer.Mark);
    }

    static async Task<PolicyId> Protect(Fleet fleet, HostId host, LocationId? location) => (await fleet.Get<CreatePolicy>().Handle(
        TestNode.Admin, new CreatePolicyRequest
        {
            Location = location,
            Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/a")] } })],
            Spec = new PolicySpec
            {
                Schedule = new ScheduleSpec { Every = TimeSpan.FromHours(1), Spread = TimeSpan.Zero },
                Proof = new ProofSpec { DrillAfterFirst = false },
            },
        }, Fleet.NoStop)).Id;

    static AloneRun Made(AlonePlan plan, DateTimeOffset nominal, char snapshot = 'd', JobResult? result = null) => new()
    {
        Id = RunId.New(TimeProvider.System),
        Policy = plan.Parts[0].Policy,
        Item = plan.Parts[0].Item,
        NominalAt = nominal,
        Repository = plan.Parts[0].Repository,
        Title = plan.Parts[0].Name,
        AloneSince = Now.AddHours(-3),
        StartedAt = Now.AddHours(-2),
        EndedAt = Now.AddHours(-1),
        Result = result ?? Fleet.Backup(snapshot: snapshot),
        Events = [new RunEventLine(Now.AddHours(-2), EventLevel.Info, "run.alone", "No node has answered.")],
    };

    static async Task<RunId> Fire(Fleet fleet, PolicyId policy, DateTimeOffset nominal)
        => Assert.Single((await fleet.Get<FirePolicy>().Handle(Caller.System("schedule"), policy, nominal, Fleet.NoStop)).Runs);

    static Task<long> Count(Fleet fleet, string sql) => fleet.Node.Db.Scalar<long>(sql, [], Fleet.NoStop);

    static async Task<HostAlone> Shown(Fleet fleet, HostId host)
        => (await fleet.Get<ShowHost>().Handle(TestNode.Admin, new ShowHostRequest(host), Fleet.NoStop)).Alone!;

    [Fact]
    public async Task A_plan_names_the_items_of_running_policies_and_crosses_the_wire_only_when_it_changed()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy, plan, mark) = await AddHost(fleet, "web-1");
        var part = Assert.Single(plan.Parts);

        Assert.Equal((policy, TimeSpan.FromMinutes(15), TimeSpan.FromDays(7)), (part.Policy, plan.After, plan.Lasts));
        Assert.NotEmpty(Assert.Single(plan.Repositories, one => one.Id == part.Repository).Password);
        Assert.Equal([$"backupdr.item={part.Item}"], part.Backup.Tags);
        Assert.Null((await Meet(fleet, host, mark)).Plan);
        var now = TimeProvider.System.GetUtcNow();
        var nominal = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));   // after the policy was made
        await Fire(fleet, policy, nominal);
        Assert.True(Assert.Single((await Meet(fleet, host, mark)).Settled).Until < nominal);   // its run waits: the host may make it
        await fleet.Finish(host, run => run.Of == new LeasedItem(part.Item, nominal) ? Fleet.Backup(snapshot: 'b')
            : throw new InvalidOperationException($"{run.Of} was handed out"));
        Assert.Equal(nominal, Assert.Single((await Meet(fleet, host, mark)).Settled).Until);
        Assert.Equal(1, (await Shown(fleet, host)).Items);
        Assert.True((await Shown(fleet, host)).Until > Now.AddDays(6));

        var off = new MakeAlonePlan(fleet.Get<RepositoryTable>(), new AgentsOptions { AloneDays = 0 });
        var nothing = await off.For(fleet.Node.Db, host, Fleet.NoStop);
        Assert.Empty(nothing.Plan.Parts);
        Assert.Empty(nothing.Plan.Repositories);
        await fleet.Get<PausePolicy>().Handle(TestNode.Admin, new PausePolicyRequest(policy, "for a while"), Fleet.NoStop);
        Assert.Empty((await Meet(fleet, host, mark)).Plan!.Parts);

        using var folder = new ScratchFolder();
        var gateway = await fleet.Get<CreateLocation>().Handle(TestNode.Admin,
            new CreateLocationRequest { Name = "Office", Kind = LocationKind.Gateway, Path = folder.FilePath }, Fleet.NoStop);
        var web = await fleet.AddHost("web-2");
        await Protect(fleet, web, gateway.Id);
        await fleet.Finish(web, _ => new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        var behind = (await Meet(fleet, web)).Plan!;
        Assert.Empty(behind.Parts);
        Assert.Empty(behind.Repositories);
        Assert.Contains("behind the gateway", Assert.Single(behind.LeftOut), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_host_made_settles_the_run_that_a_node_queued_for_the_same_time_and_is_taken_once()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy, plan, _) = await AddHost(fleet, "web-1");
        await fleet.Node.Db.Execute("update host set last_seen_at = clock() - interval '3 hours' where id = $1", [host], Fleet.NoStop);
        var queued = await Fire(fleet, policy, Nominal);
        var made = Made(plan, Nominal);

        var answer = await Meet(fleet, host, "", made);
        await Meet(fleet, host, "", made);

        Assert.Equal([made.Id], answer.Taken);
        var run = await fleet.Show(queued);
        Assert.Equal((RunState.Complete, Nominal), (run.State, run.NominalAt));
        Assert.Contains("by the host alone", run.Note!, StringComparison.Ordinal);
        Assert.Null(await fleet.Lease(host));
        Assert.Equal(1, await Count(fleet, "select count(*) from run where nominal_at is not null"));
        Assert.Equal(1, await Count(fleet, "select count(*) from audit where action = 'host.alone'"));
        var point = Assert.Single(await fleet.Get<ListRecoveryPoints>().Handle(TestNode.Admin,
            new ListRecoveryPointsRequest(plan.Parts[0].Item), Fleet.NoStop), one => one.Backup.MadeAlone);
        // Not in one stroke with all that is told: retention and objectives go by it.
        Assert.Equal(made.EndedAt, point.ReceivedAt, TimeSpan.FromSeconds(1));
        Assert.Contains(await fleet.Log(queued), line => line.Code == "run.alone");
        var shown = await Shown(fleet, host);
        Assert.Equal((1, 0), (shown.Runs, shown.Failed));
        Assert.Equal(made.EndedAt, shown.LastEndedAt!.Value, TimeSpan.FromSeconds(1));

        // The other way round: told before the firing comes.
        await Meet(fleet, host, "", Made(plan, Nominal.AddHours(1), 'e'));
        var fired = await fleet.Get<FirePolicy>().Handle(Caller.System("schedule"), policy, Nominal.AddHours(1), Fleet.NoStop);
        Assert.Empty(fired.Runs);
        Assert.Null(await fleet.Lease(host));
    }

    [Fact]
    public async Task What_cannot_settle_a_nodes_run_stands_beside_it_and_nothing_is_lost()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy, plan, _) = await AddHost(fleet, "web-1");
        var item = plan.Parts[0].Item;

        // An agent had begun the node's.
        var begun = await Fire(fleet, policy, Nominal);
        Assert.Null((await fleet.Get<LeaseRun>().Handle(Caller.Agent(host),
            new LeaseRequest { Slots = 1, WaitSeconds = 0, Alone = [item] }, Fleet.NoStop)).Run);   // the host is at this item alone
        var leased = await fleet.Lease(host);
        var made = Made(plan, Nominal);
        await Meet(fleet, host, "", made);
        await fleet.Complete(host, leased!, Fleet.Backup(snapshot: 'e'));
        Assert.Equal(RunState.Complete, (await fleet.Show(begun)).State);
        var beside = await fleet.Show(made.Id);
        Assert.Equal((RunState.Complete, null), (beside.State, beside.NominalAt));
        Assert.Contains("both stand", beside.Note!, StringComparison.Ordinal);

        // What failed stands for nothing; what was made later stands for what still waits.
        var queued = await Fire(fleet, policy, Nominal.AddHours(1));
        await Meet(fleet, host, "", Made(plan, Nominal.AddHours(1), result: Fleet.NoSpace));
        Assert.Equal(RunState.Queued, (await fleet.Show(queued)).State);
        await Meet(fleet, host, "", Made(plan, Nominal.AddHours(2), 'f'));
        var ended = await fleet.Show(queued);
        Assert.Equal(RunState.Cancelled, ended.State);
        Assert.Contains("stands for this one", ended.Note!, StringComparison.Ordinal);

        // A control plane of an older state keeps what it does not know as a found point.
        var other = await fleet.AddHost("web-2");
        var unknown = Made(plan, Nominal, '1') with { Item = ItemId.New(TimeProvider.System), Policy = PolicyId.New(TimeProvider.System) };
        var nowhere = unknown with { Id = RunId.New(TimeProvider.System), Repository = RepositoryId.New(TimeProvider.System) };
        var points = await Count(fleet, "select count(*) from recovery_point");
        Assert.Equal(2, (await Meet(fleet, host, "", unknown, nowhere)).Taken.Count);
        await Meet(fleet, other, "", Made(plan, Nominal, '2'));   // another host's item, in another host's repository
        Assert.Contains("not known to this control plane", (await fleet.Show(unknown.Id)).Note!, StringComparison.Ordinal);
        Assert.Equal(points + 1, await Count(fleet, "select count(*) from recovery_point"));
        Assert.Equal(1, await Count(fleet, "select count(*) from recovery_point where item_id is null and found is not null"));
        Assert.Equal(2, await Count(fleet, "select count(*) from audit where action = 'host.alone' and detail like '%not known here%'"));
    }
}
