using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.ControlPlane;

/// <summary>An old control plane and the one that was rebuilt from its export, at once: nothing of the old one takes effect, and it says
/// why.</summary>
public sealed class TermTests(SchedulerDatabases databases)
{
    static readonly CancellationToken NoStop = CancellationToken.None;

    [Fact]
    public async Task An_old_control_plane_that_comes_back_starts_removes_and_changes_nothing_and_says_why()
    {
        await using var one = await Exported.Start(databases);
        var joined = await one.Node.Join("db-1");
        var policy = await one.Fleet.ProtectReady(joined.Id, "/srv/data");
        var running = (await one.Fleet.Lease(joined.Id))!;
        await one.Export();
        await using var second = await TestNode.Start(databases, shared: one.Node);
        await using var rebuilt = await one.Rebuild();
        await rebuilt.Get<TermWatch>().Look(NoStop);
        Assert.Null((await StateOf(rebuilt)).Later);

        await one.Node.Get<TermWatch>().Look(NoStop);   // it was away, and sees the places again
        await second.Get<TermFence>().Read(NoStop);

        foreach (var node in (TestNode[])[one.Node, second])
        {
            var http = node.AdminClient();
            var path = new Uri($"/api/v1/policies/{policy.Id}/pause", UriKind.Relative);
            using var refused = await http.PostAsJsonAsync(path, new PausePolicyRequest(default, "to see"),
                WireJson.Default.PausePolicyRequest);
            var problem = await refused.Problem();
            Assert.Equal((409, AgentProtocol.Superseded), (problem.Status, problem.Code));
            Assert.Contains("of term 1, and term 2 of this installation has begun: it was seen in the folder of the nodes at ",
                problem.Title, StringComparison.Ordinal);
            using var read = await http.GetAsync(path.ToString().Replace("/pause", "", StringComparison.Ordinal));
            Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        }
        Assert.Null((await one.Node.Db.Query("select paused_at from policy", [], row => row.TimeOrNull("paused_at"), NoStop)).Single());

        // Agents get nothing from it, and what they run for it is stopped.
        using var agent = one.Node.AgentClient(joined.Certificate);
        var poll = new LeaseRequest { Slots = 1, WaitSeconds = 0 };
        Assert.Equal(AgentProtocol.Superseded, await Refused(agent, "lease", poll, WireJson.Default.LeaseRequest));
        var report = new ReportRequest { RunId = running.RunId, Epoch = running.Epoch, Seq = 1 };
        Assert.Equal("run.lease_lost", await Refused(agent, "report", report, WireJson.Default.ReportRequest));
        Assert.Equal("run.lease_lost", await Refused(agent, "complete", new CompleteRequest(running.RunId, running.Epoch, Fleet.Backup()),
            WireJson.Default.CompleteRequest));
        Assert.Equal(AgentProtocol.Superseded, await Refused(agent, "duties", new DutiesRequest { Process = "p" },
            WireJson.Default.DutiesRequest));

        Assert.Equal((2, "the folder of the nodes"), ((await one.State()).Later!.Term, (await one.State()).Later!.SeenIn));
        var alert = Assert.Single(await one.Alerts(), alert => alert.Kind == AlertKind.Superseded);
        Assert.Equal(AlertSeverity.Broken, alert.Severity);
        var audit = await one.Fleet.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), NoStop);
        Assert.Single(audit.Entries, entry => entry.Action == "control_plane.superseded");

        // Nor does it after a restart, from its first moment on.
        await using var again = await TestNode.Start(databases, shared: one.Node);
        Assert.Equal(2, again.Get<TermFence>().Later!.Term);
        // And the new one goes on with the same agent.
        using var there = rebuilt.AgentClient(joined.Certificate);
        using var answer = await there.PostAsync("/agent/v1/lease", TestNode.Json(poll, WireJson.Default.LeaseRequest));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Loops_rest_where_a_later_control_plane_has_begun_but_for_what_tells_of_it()
    {
        await using var one = await Exported.Start(databases);
        using var stop = new CancellationTokenSource();
        var (loops, work, telling) = (one.Node.Get<NodeLoops>(), 0, 0);
        var running = Task.WhenAll(
            loops.Every(TimeSpan.FromMilliseconds(5), _ => Task.FromResult(Interlocked.Increment(ref work)), stop.Token),
            loops.Every(TimeSpan.FromMilliseconds(5), _ => Task.FromResult(Interlocked.Increment(ref telling)), stop.Token,
                alsoSuperseded: true));
        await Until(() => Volatile.Read(ref work) > 3);

        await one.Node.Get<TermFence>().Learn(2, "a test", NoStop);
        var told = Volatile.Read(ref telling);
        await Until(() => Volatile.Read(ref telling) > told + 2);   // a turn that had begun has ended
        var (done, then) = (Volatile.Read(ref work), Volatile.Read(ref telling));
        await Until(() => Volatile.Read(ref telling) > then + 5);

        Assert.Equal(done, Volatile.Read(ref work));
        var insisted = false;
        await loops.Insist(_ => Task.FromResult(insisted = true), NoStop);
        Assert.False(insisted);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task Removals_are_handed_out_only_while_most_places_hold_no_later_term()
    {
        await using var one = await Exported.Start(databases);
        var gateway = await one.AddGateway("Far");
        var host = await one.Fleet.AddHost();
        await one.Fleet.ProtectReady(host, "/srv/data");
        await one.Fleet.Finish(host, _ => Fleet.Backup());
        await one.Fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        var prune = await QueuePrune(one.Node, host);
        var watch = one.Node.Get<TermWatch>();

        // Cut off from one of two places: nobody can say what is in it.
        Directory.Move(gateway, $"{gateway}.away");
        await watch.Look(NoStop);
        await one.Node.PassTime(TimeSpan.FromMinutes(5));
        Assert.Null(await one.Fleet.Lease(host));
        Assert.Contains("to confirm that no later control plane has begun", (await one.Fleet.Show(prune)).WaitsFor,
            StringComparison.Ordinal);

        Directory.Move($"{gateway}.away", gateway);
        await watch.Look(NoStop);
        Assert.Equal(prune, (await one.Fleet.Lease(host))!.RunId);
    }

    [Fact]
    public async Task Without_any_place_of_exports_an_installation_goes_on_as_before()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        var prune = await QueuePrune(fleet.Node, host);
        await fleet.Get<TermWatch>().Look(NoStop);
        await fleet.Node.PassTime(TimeSpan.FromDays(2));

        Assert.Equal(prune, (await fleet.Lease(host))!.RunId);
    }

    [Fact]
    public async Task An_agent_that_was_told_a_later_term_ends_an_old_node_and_one_that_only_claims_it_does_not()
    {
        await using var one = await Exported.Start(databases);
        var joined = await one.Node.Join("db-1");
        await one.Fleet.ProtectReady(joined.Id, "/srv/data");
        await one.Export();
        await using var rebuilt = await one.Rebuild();
        LeaseRequest Poll(TermMark? known) => new() { Slots = 0, WaitSeconds = 0, Term = known };
        var caller = Caller.Agent(joined.Id);

        // Told at once, and once; an agent of the version before is told nothing.
        var told = (await rebuilt.Get<LeaseRun>().Handle(caller, Poll(TermMark.None) with { WaitSeconds = 30 }, NoStop)).Term!;
        Assert.Equal(2, told.Term);
        Assert.Null((await rebuilt.Get<LeaseRun>().Handle(caller, Poll(null), NoStop)).Term);

        await one.Node.Get<LeaseRun>().Handle(caller, Poll(new TermMark(7, told.Seal)), NoStop);
        await one.Node.Get<LeaseRun>().Handle(caller, Poll(new TermMark(7, "")), NoStop);
        Assert.False(one.Node.Get<TermFence>().IsSuperseded);

        var refused = await Assert.ThrowsAsync<ConflictException>(() => one.Node.Get<LeaseRun>().Handle(caller, Poll(told), NoStop));
        Assert.Equal(AgentProtocol.Superseded, refused.Code);
        Assert.Contains("what the agent on db-1 was told", refused.Message, StringComparison.Ordinal);
        Assert.Equal(2, (await one.State()).Later!.Term);
    }

    [Fact]
    public async Task What_was_leased_in_an_older_term_is_over_also_where_number_and_lease_are_the_same()
    {
        await using var one = await Exported.Start(databases);
        var joined = await one.Node.Join("db-1");
        await one.Fleet.ProtectReady(joined.Id, "/srv/data");
        await one.Export();
        await using var rebuilt = await one.Rebuild();
        var caller = Caller.Agent(joined.Id);
        var poll = new LeaseRequest { Slots = 1, WaitSeconds = 0, Term = TermMark.None };

        var before = await one.Node.Get<LeaseRun>().Handle(caller, poll, NoStop);
        var after = await rebuilt.Get<LeaseRun>().Handle(caller, poll, NoStop);
        Assert.Equal((before.Run!.RunId, before.Run.Epoch), (after.Run!.RunId, after.Run.Epoch));
        ReportRequest Report(TermMark? term) => new() { RunId = after.Run.RunId, Epoch = after.Run.Epoch, Seq = 1, Term = term };

        var lost = await Assert.ThrowsAsync<ConflictException>(() => rebuilt.Get<ReportRun>().Handle(caller, Report(before.Term), NoStop));
        Assert.Equal("run.lease_lost", lost.Code);
        await Assert.ThrowsAsync<ConflictException>(() => rebuilt.Get<CompleteRun>().Handle(caller,
            new CompleteRequest(after.Run.RunId, after.Run.Epoch, Fleet.Backup(), before.Term), NoStop));
        Assert.Equal(30_000, (await rebuilt.Get<ReportRun>().Handle(caller, Report(after.Term), NoStop)).TtlMs);
        // Its own new run, told to the old node by mistake, is no end of the run: the agent asks another node.
        var wrong = await Assert.ThrowsAsync<ConflictException>(() => one.Node.Get<ReportRun>().Handle(caller, Report(after.Term), NoStop));
        Assert.Equal(AgentProtocol.Superseded, wrong.Code);
    }

    [Fact]
    public async Task A_rebuild_needs_most_places_or_two_people_and_leaves_no_term_where_it_has_neither()
    {
        await using var one = await Exported.Start(databases);
        var gateway = await one.AddGateway("Far");
        foreach (var name in (string[])["anna", "ben"])
            await one.Node.Get<CreateUser>().Handle(TestNode.Admin, new CreateUserRequest(name), NoStop);
        await one.Export();
        var kit = await one.Kit();
        Directory.Move(gateway, $"{gateway}.away");

        var (exit, error, _) = await one.TryRebuild(kit, []);
        Assert.Equal(1, exit);
        Assert.Contains("Term 2 can be begun in 1 of the 2 places", error, StringComparison.Ordinal);
        Assert.Contains("the location Far: ", error, StringComparison.Ordinal);
        await one.Node.Get<TermWatch>().Look(NoStop);
        Assert.False(one.Node.Get<TermFence>().IsSuperseded);

        foreach (var (names, words) in ((string, string)[])[("anna", "names no two people"), ("anna,Anna", "names no two people"),
            ("anna,carl", "are not two people of this installation")])
            Assert.Contains(words, (await one.TryRebuild(kit, ["--override", names])).Error, StringComparison.Ordinal);

        var (done, none, database) = await one.TryRebuild(kit, ["--override", "Anna, ben"]);
        Assert.Equal((0, ""), (done, none));
        await using var source = Npgsql.NpgsqlDataSource.Create(database);
        var told = await new Postgres(source).Query("select detail from audit where action = 'control_plane.override'", [],
            row => row.Text("detail"), NoStop);
        Assert.StartsWith("Anna and ben say that the old control plane is off: term 2 begins in 1 of 2 places; not reached: the location "
            + "Far", Assert.Single(told), StringComparison.Ordinal);
        await one.Node.Get<TermWatch>().Look(NoStop);
        Assert.True(one.Node.Get<TermFence>().IsSuperseded);
    }

    [Fact]
    public async Task Snapshots_taken_after_the_export_are_found_again_as_points_of_their_items()
    {
        await using var one = await Exported.Start(databases);
        var joined = await one.Node.Join("db-1");
        await one.Fleet.ProtectReady(joined.Id, "/srv/data");
        await one.Fleet.Finish(joined.Id, _ => Fleet.Backup());
        await one.Fleet.Finish(joined.Id, _ => Fleet.Drill(ProofResult.Proven));
        await one.Export();
        await using var rebuilt = await one.Rebuild();
        var item = (await one.Fleet.OnlyItem()).Id;
        var caller = Caller.Agent(joined.Id);
        var look = (await rebuilt.Get<LeaseRun>().Handle(caller, new LeaseRequest { Slots = 1, WaitSeconds = 0 }, NoStop)).Run!;
        Assert.Equal(JobKind.Adopt, look.Job.Kind);
        static FoundSnapshot Found(char id, params string[] tags) => new()
        {
            SnapshotId = new string(id, 64),
            TakenAt = DateTimeOffset.UnixEpoch.AddDays(20_000),
            HostName = "db-1",
            Paths = ["/srv/data"],
            Tags = tags,
        };

        await rebuilt.Get<CompleteRun>().Handle(caller, new CompleteRequest(look.RunId, look.Epoch, new JobResult
        {
            Outcome = JobOutcome.Complete,
            ConfigId = new string('c', 64),
            Adopt = new AdoptResult
            {
                Snapshots = [Found('a', $"backupdr.item={item}"), Found('b', $"backupdr.item={item}"), Found('d', "backupdr-wal"),
                    Found('e', $"backupdr.item={ItemId.New(TimeProvider.System)}")],
                SnapshotCount = 4,
            },
        }), NoStop);

        var points = await rebuilt.Get<ListRecoveryPoints>().Handle(TestNode.Admin, new ListRecoveryPointsRequest(item), NoStop);
        Assert.Equal([('a', true, 1), ('b', false, 1)], points.Select(point => (point.SnapshotId[0], point.IsComplete,
            point.Locations.Count)).Order());
        Assert.Equal(2, await rebuilt.Db.Scalar<long>("select count(*) from recovery_point", [], NoStop));
        // The run of the one is among the rows of the export; that of the other is lost with the old database.
        Assert.Equal([('a', false), ('b', true)], points.Select(point => (point.SnapshotId[0], point.IsRunUnknown)).Order());
    }

    [Theory]
    [InlineData(JobKind.Prune)]
    [InlineData(JobKind.Replicate)]
    public async Task What_an_old_control_plane_had_decided_to_remove_is_not_handed_out_right_after_a_rebuild_elsewhere(JobKind kind)
    {
        await using var one = await Exported.Start(databases);
        var host = (await one.Node.Join("db-1")).Id;
        await one.Fleet.ProtectReady(host, "/srv/data");
        await one.Fleet.Finish(host, _ => Fleet.Backup());
        await one.Fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        await one.Export();
        var watch = one.Node.Get<TermWatch>();
        await watch.Look(NoStop);
        await one.Node.PassTime(TimeSpan.FromSeconds(20));   // confirmed, and not just now

        var waiting = await Queue(one.Node, host, kind);
        await using (var rebuilt = await one.Rebuild())
        {
            var refused = await Assert.ThrowsAsync<ConflictException>(() => one.Fleet.Lease(host, waitSeconds: 30));
            Assert.Equal(AgentProtocol.Superseded, refused.Code);
        }

        Assert.Equal(RunState.Queued, (await one.Fleet.Show(waiting)).State);
    }

    [Fact]
    public async Task A_replication_goes_on_where_nobody_can_confirm_the_term_and_only_adds()
    {
        await using var one = await Exported.Start(databases);
        var gateway = await one.AddGateway("Far");
        var host = (await one.Node.Join("db-1")).Id;
        await one.Fleet.ProtectReady(host, "/srv/data");
        await one.Fleet.Finish(host, _ => Fleet.Backup());
        await one.Fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        await one.Node.Get<TermWatch>().Look(NoStop);
        Directory.Move(gateway, $"{gateway}.away");
        await one.Node.PassTime(TimeSpan.FromMinutes(2));

        var waiting = await Queue(one.Node, host, JobKind.Replicate);
        var run = await one.Fleet.Lease(host);

        Assert.Equal(waiting, run!.RunId);
        Assert.True(run.Job.Replicate!.AddsOnly);
    }

    [Fact]
    public async Task A_removal_whose_turn_it_is_asks_the_places_itself_and_holds_nothing_else_up()
    {
        await using var one = await Exported.Start(databases);
        var gateway = await one.AddGateway("Far");
        var host = (await one.Node.Join("db-1")).Id;
        await one.Fleet.ProtectReady(host, "/srv/data", "/srv/more");
        await one.Node.Get<TermWatch>().Look(NoStop);
        await one.Node.PassTime(TimeSpan.FromMinutes(2));
        var first = await Queue(one.Node, host, JobKind.Prune);
        await one.Node.Db.Execute("update run set due_at = clock() - interval '1 day' where id = $1", [first], NoStop);

        Directory.Move(gateway, $"{gateway}.away");
        for (var i = 0; i < 2; i++)
            Assert.Equal(JobKind.Backup, (await one.Fleet.Finish(host, _ => Fleet.Backup(snapshot: (char)('a' + i)))).Job.Kind);
        Directory.Move($"{gateway}.away", gateway);

        // The one poll waits until most places have answered.
        for (var tries = 0; ; tries++)
        {
            var run = await one.Fleet.Lease(host, waitSeconds: 30);
            if (run?.RunId == first) break;
            Assert.NotNull(run);
            Assert.True(tries < 10, "the removal is not handed out");
            await one.Fleet.Complete(host, run, run.Job.Kind == JobKind.Drill ? Fleet.Drill(ProofResult.Proven)
                : Fleet.Backup(snapshot: 'f'));
        }
    }

    static async Task<string> Refused<T>(HttpClient agent, string path, T message, JsonTypeInfo<T> shape)
    {
        using var answer = await agent.PostAsync(new Uri($"/agent/v1/{path}", UriKind.Relative), TestNode.Json(message, shape));
        return (await answer.Problem()).Code;
    }

    static Task<ControlPlaneState> StateOf(TestNode node)
        => node.Get<ShowControlPlane>().Handle(TestNode.Admin, new ShowControlPlaneRequest(), NoStop);

    static Task<RunId> QueuePrune(TestNode node, HostId host) => Queue(node, host, JobKind.Prune);

    static async Task<RunId> Queue(TestNode node, HostId host, JobKind kind)
    {
        var repository = await node.Db.First("select id from repository", [], row => row.Id<RepositoryId>("id"), NoStop);
        var run = RunId.New(TimeProvider.System);
        await node.Db.InTransaction(tx => RunTable.Add(tx, new NewRun
        {
            Id = run,
            Kind = kind,
            Title = kind.ToString(),
            Host = host,
            Repository = repository,
            RequestedBy = "test",
            Job = kind == JobKind.Prune ? new StoredJob(Prune: new PruneJob()) : new StoredJob(Replicate: new ReplicateJob()),
        }, NoStop), NoStop);
        return run;
    }

    static async Task Until(Func<bool> isSo)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!isSo()) await Task.Delay(5, late.Token);
    }
}
