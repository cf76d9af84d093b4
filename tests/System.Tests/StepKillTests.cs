using System.Globalization;
using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.SystemTests;

/// <summary>The node that executes a runbook is killed before, inside and after its steps, as processes are; another one goes on, and what
/// the steps act on counts one effect of each. In the long form for each kind of step at each of its moments.</summary>
public sealed class StepKillTests
{
    const int LongKills = 29;

    static readonly CancellationToken NoStop = CancellationToken.None;
    static readonly TimeSpan Long = TimeSpan.FromHours(6), Pause = TimeSpan.FromHours(1);

    [Fact]
    public async Task Whichever_moment_a_node_is_killed_in_another_goes_on_and_each_effect_is_there_once()
    {
        Mount.NeedRoot();   // what runbooks may do on a host is in root's files
        await using var scene = await StepKillScene.Start();
        var programs = new CountedPrograms(scene.Work, scene.Steps);
        var move = programs.Write();
        await using var order = new PostSink();
        await scene.StartAgent(programs.Systemctl);
        if (!Nightly.IsOn)
        {
            await Briefly(scene, programs, move, order);
            return;
        }
        await using var old = PostgresCluster.Start();
        await old.Execute("create role asserter login in role pg_read_all_data; create table orders (id bigint); "
            + "insert into orders values (1)");
        await using var recovery = PostgresCluster.StandbyOf(old);
        await File.WriteAllTextAsync(Path.Combine(scene.Steps, "databases"),
            string.Create(CultureInfo.InvariantCulture, $"{recovery.Sockets}:{recovery.Port}\n"), NoStop);
        await using var names = new BindServer();
        await names.Start();
        await using var balancer = new HaproxyServer();
        await balancer.Start(FreePorts.Find(), FreePorts.Find());
        await using var counted = new CountedBalancer(balancer.Api);
        await using var edge = new PostSink();
        await using var health = new PostSink();
        await using var people = new PostSink();
        await Prepare(scene, names, people);
        var serial = names.Serial;

        var steps = new All(scene, programs, order, recovery, edge, health);
        var id = await scene.Play(new RunbookSpec
        {
            RehearseEvery = TimeSpan.Zero,
            Steps = Chain([
                Script("move", move), Service("quiet", StepKind.ServiceStop, "old.service"),
                Service("shop", StepKind.ServiceStart, "shop.service"), Service("again", StepKind.ServiceRestart, "main.service"),
                Service("fence", StepKind.Fence, "cache.service"),
                Step("promote", StepKind.DbPromote) with { Promote = Database(recovery, "postgres") },
                Step("rows", StepKind.DbAssert) with
                { Assert = Database(recovery, "asserter") with { Query = "select count(*) > 0 from orders" } },
                Name(names), Step("edge", StepKind.Http) with { Http = new HttpSpec { Method = "PUT", Url = edge.Url, Body = "b" } },
                Balancer(counted),
                Step("well", StepKind.HealthWait) with
                { InRehearsal = InRehearsal.Skip, Health = new HealthSpec { Http = new HttpCallSpec { Url = health.Url } } },
                Step("tell", StepKind.Notify) with { Notify = new NotifySpec { Subject = "It is done" } },
                Order("told", order) with { Impact = StepImpact.Optional }, Step("settle", StepKind.Wait) with { For = Pause },
                Order("order", order),
            ]),
        }, steps.Moments());
        var view = await scene.Rest(id);

        AssertDone(view, "told", "order");
        AssertAsked(view, "order");
        Assert.Equal((StepPhase.Failed, true), (Of(view, "told").Phase, Of(view, "told").Reason!.Contains("nobody knows",
            StringComparison.Ordinal)));
        Assert.Equal(["move all of it", "stop old.service", "start shop.service", "restart main.service", "stop cache.service"],
            programs.Done);
        Assert.Equal(2, await recovery.Ask<int>("select timeline_id from pg_control_checkpoint()"));
        Assert.Equal(("127.0.0.2", serial + 1), (names.Dig("app"), names.Serial));
        Assert.Equal(["set server be/s1 state maint", "set server be/s2 state ready"], counted.Set);
        Assert.Single(edge.All.Select(call => call.Key).Distinct());   // a PUT is the same twice as once, and says that it is the same
        Assert.Equal(2, order.All.Count);
        await scene.Until(() => Task.FromResult(people.Answered.Any(Tells)), "people are told");
        Assert.Single(people.All.Where(Tells).Select(message => message.Key).Distinct());
        await AssertReportedOnce(scene, id);
        Assert.Equal(LongKills, scene.Kills);
        TestContext.Current.TestOutputHelper?.WriteLine($"{scene.Kills} kills; PUT came {edge.All.Count} times under one key");
    }

    /// <summary>A program on a host goes on while another node takes over; a call that may have been made is not made again.</summary>
    static async Task Briefly(StepKillScene scene, CountedPrograms programs, ProgramSpec move, PostSink order)
    {
        var steps = new All(scene, programs, order);
        var id = await scene.Play(new RunbookSpec
        {
            RehearseEvery = TimeSpan.Zero,
            Steps = Chain([Script("move", move), Order("order", order)]),
        }, [steps.Inside("move", "move"), All.Held("order", order)]);
        var view = await scene.Rest(id);

        AssertDone(view, "order");
        AssertAsked(view, "order");
        Assert.Equal(["move all of it"], programs.Done);
        Assert.Single(order.All);
        await AssertReportedOnce(scene, id);
        Assert.Equal(2, scene.Kills);
    }

    static bool Tells(PostedText message) => message.Text.Contains("It is done", StringComparison.Ordinal);

    static StepState Of(ExecutionView view, string step) => view.State.Steps.Single(one => one.Name == step);

    static void AssertDone(ExecutionView view, params string[] except) => Assert.All(view.State.Steps.Where(step
        => !except.Contains(step.Name)), step => Assert.True(step is { Phase: StepPhase.Done, Attempt: 1 },
            $"{step.Name} {step.Phase} {step.Attempt}: {step.Reason}"));

    /// <summary>A call whose answer was lost with the node is left to a person.</summary>
    static void AssertAsked(ExecutionView view, string step)
    {
        Assert.Equal((ExecutionPhase.Paused, true, 1), (view.State.Phase, Of(view, step).IsOpen, Of(view, step).Attempt));
        Assert.Contains("look before it is done again", view.State.Reason, StringComparison.Ordinal);
    }

    static async Task AssertReportedOnce(StepKillScene scene, ExecutionId id)
    {
        using var http = scene.Http();
        var events = (await http.GetFromJsonAsync($"executions/{id}/events", WireJson.Default.IReadOnlyListExecutionEventLine, NoStop))!;
        var reported = events.Where(line => line.Event?.Kind == ExecutionEventKind.Reported).Select(line => line.Event!.Step).ToList();
        Assert.Equal(reported.Distinct(), reported);
    }

    static async Task Prepare(StepKillScene scene, BindServer names, PostSink people)
    {
        using var http = scene.Http();
        using var saved = await http.PutAsJsonAsync("step-secrets/ddns", new SaveStepSecretRequest { Name = "ddns", Value = names.Key },
            WireJson.Default.SaveStepSecretRequest, NoStop);
        Assert.True(saved.IsSuccessStatusCode, await saved.Content.ReadAsStringAsync(NoStop));
        using var channel = await http.PostAsJsonAsync("channels", new SaveChannelRequest
        {
            Name = "ops",
            Kind = ChannelKind.Webhook,
            Settings = new ChannelSettings { Url = people.Url, Collect = TimeSpan.Zero },
        }, WireJson.Default.SaveChannelRequest, NoStop);
        Assert.True(channel.IsSuccessStatusCode, await channel.Content.ReadAsStringAsync(NoStop));
    }

    static IReadOnlyList<StepSpec> Chain(IReadOnlyList<StepSpec> steps)
        => [.. steps.Select((step, place) => place == 0 ? step : step with { Needs = [steps[place - 1].Name] })];

    static StepSpec Step(string name, StepKind kind) => new() { Name = name, Kind = kind, Timeout = Long };

    static StepSpec Script(string name, ProgramSpec program) => Step(name, StepKind.Script) with
    { Script = new ScriptStepSpec { Host = StepKillScene.Host, Run = program } };

    static StepSpec Service(string name, StepKind kind, string unit) => Step(name, kind) with
    { Service = new ServiceStepSpec { Host = StepKillScene.Host, Unit = unit } };

    static StepSpec Order(string name, PostSink sink) => Step(name, StepKind.Http) with
    { Http = new HttpSpec { Method = "POST", Url = sink.Url, Body = "one" } };

    static DatabaseStepSpec Database(PostgresCluster server, string user) => new()
    {
        Host = StepKillScene.Host,
        Cluster = new PostgreSqlSpec { Host = server.Sockets, Port = server.Port, User = user },
    };

    static StepSpec Name(BindServer names) => Step("name", StepKind.DnsChange) with
    {
        Dns = names.Move("app", "ddns", "127.0.0.1", "127.0.0.2"),
    };

    static StepSpec Balancer(CountedBalancer balancer) => Step("balancer", StepKind.LbSwitch) with
    {
        Lb = new LbSpec
        {
            Address = balancer.Address,
            Servers = [new LbServer { Name = "be/s1", State = LbState.Maint }, new LbServer { Name = "be/s2", State = LbState.Ready }],
        },
    };

    /// <summary>The moments of the kinds of steps.</summary>
    sealed class All(StepKillScene scene, CountedPrograms programs, PostSink order, PostgresCluster? recovery = null, PostSink? edge = null,
        PostSink? health = null)
    {
        /// <summary>All of them, in the order in which they come. What a moment holds up, the step before must not need when it is asked
        /// for its end once more.</summary>
        public IReadOnlyList<KillMoment> Moments() =>
        [
            Asked("move"), Inside("move", "move"), Done("move"),
            Inside("quiet", "stop old.service"), Done("quiet"), Inside("shop", "start shop.service"), Done("shop"),
            Inside("again", "restart main.service"), Done("again"), Inside("fence", "stop cache.service"), Done("fence"),
            Frozen("promote"), Done("promote"), Locked("rows"), Done("rows"),
            // It looked, and has not changed anything yet; it changed, and has not told.
            At("name", "inside", "step_note"), Done("name"), Held("edge", edge!), Done("edge"),
            At("balancer", "inside", "step_note"), Done("balancer"), Held("well", health!), Done("well"),
            At("tell", "asked", "message"), Done("tell"),
            At("told", "asked", "step_note"), Done("told"),
            new KillMoment("settle", "inside", () => Nothing, _ => Task.FromResult(true)) { Later = Pause + StepKillScene.LeaseIsOver },
            Held("order", order),
        ];

        static Task<Func<Task>> Nothing => Task.FromResult<Func<Task>>(() => Task.CompletedTask);

        /// <summary>The node is about to ask the host.</summary>
        KillMoment Asked(string step) => At(step, "asked", "agent_request");

        /// <summary>It is about to write something down.</summary>
        KillMoment At(string step, string name, string table) => new(step, name, () => scene.Lock(table),
            node => scene.Waits(node, table))
        { IsReleasedFirst = true };

        /// <summary>It is done, and the node is about to store that.</summary>
        KillMoment Done(string step) => At(step, "done", "execution_event");

        /// <summary>The program of the host is at work.</summary>
        public KillMoment Inside(string step, string effect) => new(step, "inside", () => Task.FromResult(programs.Hold()),
            _ => Task.FromResult(programs.Done.Any(done => done.StartsWith(effect, StringComparison.Ordinal))));

        /// <summary>Whoever was called has it, and does not answer.</summary>
        public static KillMoment Held(string step, PostSink sink)
        {
            var before = 0;
            return new(step, "inside", () =>
            {
                before = sink.All.Count;
                sink.Hold();
                return Task.FromResult<Func<Task>>(() =>
                {
                    sink.Release();
                    return Task.CompletedTask;
                });
            }, _ => Task.FromResult(sink.All.Count > before));
        }

        /// <summary>The server does not go on for now.</summary>
        KillMoment Frozen(string step) => new(step, "inside", () =>
        {
            recovery!.Freeze();
            return Task.FromResult<Func<Task>>(() =>
            {
                recovery.Thaw();
                return Task.CompletedTask;
            });
        }, _ => Task.FromResult(scene.HasBegun(step)))
        { IsReleasedFirst = true };

        /// <summary>The query waits for somebody else.</summary>
        KillMoment Locked(string step) => new(step, "inside", async () =>
        {
            var connection = new Npgsql.NpgsqlConnection(recovery!.Connection());
            await connection.OpenAsync(NoStop);
            var tx = await connection.BeginTransactionAsync(NoStop);
            await using var command = new Npgsql.NpgsqlCommand("lock table orders in access exclusive mode", connection, tx);
            await command.ExecuteNonQueryAsync(NoStop);
            return async () =>
            {
                await tx.RollbackAsync(NoStop);
                await connection.DisposeAsync();
            };
        }, _ => recovery!.Ask<bool>("select exists (select from pg_locks where not granted and relation = 'orders'::regclass)"));
    }
}
