using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>The node's half of steps that hosts carry out, with an agent that answers what a test says.</summary>
public sealed class HostStepTests(SchedulerDatabases databases)
{
    static readonly string Hash = new('a', 64);
    static CancellationToken NoStop => CancellationToken.None;

    static StepSpec Script(string? rehearsalHost = null) => new()
    {
        Name = "stop-old",
        Kind = StepKind.Script,
        Timeout = TimeSpan.FromMinutes(4),
        Script = new ScriptStepSpec
        {
            Host = "web-1",
            RehearsalHost = rehearsalHost,
            Run = new ProgramSpec { Name = "cut", Arguments = ["-a", "b c"], Sha256 = Hash, User = "nobody" },
            Undo = new ProgramSpec { Name = "join", Sha256 = Hash },
        },
    };

    static StepSpec Service(StepKind kind) => new()
    {
        Name = "app",
        Kind = kind,
        Timeout = TimeSpan.FromMinutes(4),
        Service = new ServiceStepSpec { Host = "web-1", Unit = "shop.service" },
    };

    static StepWork Work(StepSpec step, StepActivity activity = StepActivity.Execute, ExecutionMode mode = ExecutionMode.Disaster,
        Dictionary<string, string>? outputs = null) => new()
        {
            Execution = "exe_1",
            Runbook = "shop",
            Mode = mode,
            Step = step,
            Activity = activity,
            Attempt = 2,
            Until = TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(4),
            Outputs = outputs ?? [],
        };

    static HostStepReport Report(HostStepState state, string text = "so", bool? wasActive = null)
        => new() { State = state, Text = text, WasActive = wasActive, ExitCode = 0, Lines = ["one", "two"] };

    /// <summary>Carries out with an agent that gives these answers, one after another; the last again and again.</summary>
    static Task<(StepResult Result, List<HostStep> Asked)> CarryOut(Fleet fleet, HostId host, StepWork work,
        params AgentRequestAnswer[] answers) => CarryOut(fleet, host, work, TimeProvider.System, answers);

    static async Task<(StepResult Result, List<HostStep> Asked)> CarryOut(Fleet fleet, HostId host, StepWork work, TimeProvider clock,
        params AgentRequestAnswer[] answers)
    {
        var asked = new List<HostStep>();
        using var done = new CancellationTokenSource();
        var agent = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                var leased = await fleet.Get<LeaseRun>().Handle(Caller.Agent(host),
                    new LeaseRequest { Slots = 0, WaitSeconds = 1, KnowsSteps = true }, NoStop);
                foreach (var request in leased.Requests)
                {
                    Assert.Equal(AgentRequestKind.Step, request.Kind);
                    asked.Add(request.Step!);
                    await fleet.Get<AnswerRequest>().Handle(Caller.Agent(host), request.Id,
                        answers[Math.Min(asked.Count, answers.Length) - 1], NoStop);
                }
            }
        }, NoStop);
        var executor = new HostStepExecutor(work.Step.Kind, fleet.Get<IHostReach>(), clock);
        try { return (await executor.CarryOut(work, NoStop), asked); }
        finally
        {
            await done.CancelAsync();
            await agent;
        }
    }

    static AgentRequestAnswer Answer(HostStepReport report) => new() { Step = report };

    [Fact]
    public async Task A_program_is_asked_for_under_one_key_until_it_is_over()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();

        var (result, asked) = await CarryOut(fleet, host, Work(Script()), Answer(Report(HostStepState.Running)),
            Answer(Report(HostStepState.Running)), Answer(Report(HostStepState.Done, "cut ended well.")));

        Assert.Equal((ActivityOutcome.Succeeded, "cut ended well."), (result.Outcome, result.Text));
        Assert.Equal("one\ntwo", result.Outputs!["output"]);
        Assert.Equal(3, asked.Count);
        Assert.All(asked, step => Assert.Equal(("exe_1/stop-old/2", HostStepWish.Run), (step.Key, step.Wish)));
        Assert.Equal(("cut", "nobody", Hash), (asked[0].Script!.Name, asked[0].Script!.User, asked[0].Script!.Sha256));
        Assert.Equal(["-a", "b c"], asked[0].Script!.Arguments);
        Assert.InRange(asked[0].Timeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(4));
    }

    [Theory]
    [InlineData(15)]
    [InlineData(-15)]
    public async Task A_node_whose_clock_is_wrong_gives_the_host_all_the_time_that_is_left_and_no_more(int minutesAhead)
    {
        await using var fleet = await Fleet.Start(databases);
        var clock = new ShiftedTime(TimeSpan.FromMinutes(minutesAhead));

        var (result, asked) = await CarryOut(fleet, await fleet.AddHost(), Work(Script()) with
        {
            Left = new TimeLeft(TimeSpan.FromMinutes(4), clock)
        }, clock, Answer(Report(HostStepState.Done)));

        Assert.Equal(ActivityOutcome.Succeeded, result.Outcome);
        Assert.InRange(Assert.Single(asked).Timeout, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(4));
    }

    [Theory]
    [InlineData(HostStepState.Failed, ActivityOutcome.Failed)]
    [InlineData(HostStepState.Unknown, ActivityOutcome.Unknown)]
    public async Task What_the_host_tells_is_what_came_of_it(HostStepState told, ActivityOutcome outcome)
    {
        await using var fleet = await Fleet.Start(databases);

        var (result, _) = await CarryOut(fleet, await fleet.AddHost(), Work(Script()), Answer(Report(told, "why")));

        Assert.Equal((outcome, "why"), (result.Outcome, result.Text));
    }

    [Fact]
    public async Task A_refusal_of_the_host_and_a_host_that_is_none_are_failures_with_a_way_on()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();

        var (refused, _) = await CarryOut(fleet, host, Work(Script()),
            new AgentRequestAnswer { Error = new JobError("step.changed", "Another program.", "Look at it.", false) });
        var (unknown, _) = await CarryOut(fleet, host, Work(Script() with { Script = Script().Script! with { Host = "web-9" } }));

        Assert.Equal((ActivityOutcome.Failed, "Another program. Look at it."), (refused.Outcome, refused.Text));
        Assert.Equal(ActivityOutcome.Failed, unknown.Outcome);
        Assert.Contains("web-9", unknown.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rehearsal_without_a_host_of_its_own_only_looks_and_undoes_nothing()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();

        var (looked, asked) = await CarryOut(fleet, host, Work(Script(), mode: ExecutionMode.Rehearsal),
            Answer(Report(HostStepState.Done)));
        var (cleaned, cleaning) = await CarryOut(fleet, host, Work(Script(), StepActivity.CleanUp, ExecutionMode.Rehearsal));

        Assert.Equal((ActivityOutcome.Succeeded, "Looked only: so"), (looked.Outcome, looked.Text));
        Assert.Equal(HostStepWish.Look, Assert.Single(asked).Wish);
        Assert.Equal(ActivityOutcome.Succeeded, cleaned.Outcome);
        Assert.Empty(cleaning);
    }

    [Fact]
    public async Task A_rehearsal_with_a_host_of_its_own_runs_there_and_cleans_up_there()
    {
        await using var fleet = await Fleet.Start(databases);
        await fleet.AddHost();
        var sandbox = await fleet.AddHost("sandbox");

        var (_, asked) = await CarryOut(fleet, sandbox, Work(Script("sandbox"), mode: ExecutionMode.Rehearsal),
            Answer(Report(HostStepState.Done)));
        var (_, cleaning) = await CarryOut(fleet, sandbox, Work(Script("sandbox"), StepActivity.CleanUp, ExecutionMode.Rehearsal),
            Answer(Report(HostStepState.Done)));

        // Never as a plain program: an agent that knows no sandbox must not run it.
        Assert.All([asked[0], cleaning[0]], step => Assert.Equal((HostStepWish.Run, null), (step.Wish, step.Script)));
        Assert.Equal(("exe_1", "stop-old", "cut", false), (asked[0].Sandbox!.Name, asked[0].Sandbox!.Step, asked[0].Sandbox!.Script!.Name,
            asked[0].Sandbox!.Ends));
        Assert.Equal(("join", true), (cleaning[0].Sandbox!.Script!.Name, cleaning[0].Sandbox!.Ends));
    }

    [Fact]
    public async Task Undoing_brings_a_service_back_to_how_it_was()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        foreach (var (kind, wasActive, undo) in new (StepKind, bool, ServiceVerb?)[]
        {
            (StepKind.ServiceStart, false, ServiceVerb.Stop), (StepKind.ServiceStart, true, null),
            (StepKind.ServiceStop, true, ServiceVerb.Start), (StepKind.ServiceStop, false, null),
            (StepKind.Fence, true, ServiceVerb.Start), (StepKind.ServiceRestart, true, null),
        })
        {
            var (done, _) = await CarryOut(fleet, host, Work(Service(kind)), Answer(Report(HostStepState.Done, wasActive: wasActive)));
            var (undone, asked) = await CarryOut(fleet, host, Work(Service(kind), StepActivity.Compensate, outputs: new(done.Outputs!)),
                Answer(Report(HostStepState.Done)));

            Assert.Equal(ActivityOutcome.Succeeded, undone.Outcome);
            Assert.Equal(undo, asked.Count == 0 ? null : Assert.Single(asked).Service!.Verb);
        }
    }

    [Fact]
    public async Task Where_nobody_saw_how_a_service_was_a_person_undoes_it()
    {
        await using var fleet = await Fleet.Start(databases);

        var (undone, asked) = await CarryOut(fleet, await fleet.AddHost(), Work(Service(StepKind.ServiceStop), StepActivity.Compensate));

        Assert.Equal(ActivityOutcome.Failed, undone.Outcome);
        Assert.Empty(asked);
    }

    [Fact]
    public async Task A_database_is_asked_with_the_bindings_of_the_mode_and_what_it_tells_is_kept()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var step = new StepSpec
        {
            Name = "newest",
            Kind = StepKind.DbAssert,
            Timeout = TimeSpan.FromMinutes(4),
            Assert = new DatabaseStepSpec
            {
                Host = "production",
                RehearsalHost = "web-1",
                Cluster = new PostgreSqlSpec { Port = 5432 },
                RehearsalCluster = new PostgreSqlSpec { Port = 5433 },
                Query = "select max(at) from orders",
                MaxAge = TimeSpan.FromMinutes(5),
            },
        };

        var (result, asked) = await CarryOut(fleet, host, Work(step, mode: ExecutionMode.Rehearsal),
            Answer(Report(HostStepState.Done) with { Facts = new Dictionary<string, string> { ["ageSeconds"] = "7.0" } }));

        Assert.Equal("7.0", result.Outputs!["ageSeconds"]);
        Assert.Equal((DatabaseVerb.Ask, 5433, TimeSpan.FromMinutes(5)),
            (asked[0].Database!.Verb, asked[0].Database!.Cluster.Port, asked[0].Database!.MaxAge));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Cancelling_ends_it_on_the_host_unless_another_node_goes_on_with_it(bool isWanted)
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var asked = Work(Script()) with { Execution = ExecutionId.New(TimeProvider.System).ToString() };
        if (isWanted) await PutAtWork(fleet, asked);
        using var cancel = new CancellationTokenSource();
        var executor = new HostStepExecutor(StepKind.Script, fleet.Get<IHostReach>(), TimeProvider.System);
        var work = executor.CarryOut(asked, cancel.Token);
        var wishes = new List<HostStepWish>();

        while (!work.IsCompleted)
        {
            var leased = await fleet.Get<LeaseRun>().Handle(Caller.Agent(host),
                new LeaseRequest { Slots = 0, WaitSeconds = 1, KnowsSteps = true }, NoStop);
            foreach (var request in leased.Requests)
            {
                wishes.Add(request.Step!.Wish);
                await cancel.CancelAsync();
                await fleet.Get<AnswerRequest>().Handle(Caller.Agent(host), request.Id, Answer(Report(HostStepState.Running)), NoStop);
            }
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => work);
        HostStepWish[] expected = isWanted ? [HostStepWish.Run] : [HostStepWish.Run, HostStepWish.Cancel];
        Assert.Equal(expected, wishes);
    }

    [Fact]
    public async Task A_database_that_is_away_for_a_moment_leaves_the_step_to_its_host()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var executor = new HostStepExecutor(StepKind.Script, fleet.Get<IHostReach>(), TimeProvider.System);
        var (work, asked) = (executor.CarryOut(Work(Script()), NoStop), 0);

        while (!work.IsCompleted)
        {
            try
            {
                var leased = await fleet.Get<LeaseRun>().Handle(Caller.Agent(host),
                    new LeaseRequest { Slots = 0, WaitSeconds = 1, KnowsSteps = true }, NoStop);
                foreach (var request in leased.Requests)
                {
                    if (asked++ == 0)
                        await fleet.Node.Db.Execute("select pg_terminate_backend(pid) from pg_stat_activity "
                            + "where datname = current_database() and pid <> pg_backend_pid()", [], NoStop);
                    else
                        await fleet.Get<AnswerRequest>().Handle(Caller.Agent(host), request.Id, Answer(Report(HostStepState.Done)), NoStop);
                }
            }
            catch (Exception e) when (Outage.Is(e)) { await Task.Yield(); }   // this agent's own connections are cut too
        }

        Assert.Equal(ActivityOutcome.Succeeded, (await work).Outcome);
    }

    /// <summary>An execution in the middle of this activity.</summary>
    static async Task PutAtWork(Fleet fleet, StepWork work)
    {
        var (runbook, execution) = (RunbookId.New(TimeProvider.System), ExecutionId.Parse(work.Execution));
        await fleet.Node.Db.Execute("insert into runbook (id, name, version) values ($1, 'shop', 1)", [runbook], NoStop);
        await fleet.Node.Db.Execute("insert into runbook_version (runbook_id, version, by_whom, spec, hash) "
            + "values ($1, 1, 'a test', '{}', '')", [runbook], NoStop);
        await fleet.Node.Db.Execute("insert into execution (id, runbook_id, version, mode, phase, by_whom, why, started_at, state) "
            + "values ($1, $2, 1, 'Disaster', 'Running', 'a test', '', clock(), '{}')", [execution, runbook], NoStop);
        await fleet.Node.Db.Execute("insert into activity (execution_id, step, attempt, kind, activity, until) "
            + "values ($1, $2, $3, 'Script', 'Execute', clock() + interval '1 hour')", [execution, work.Step.Name, work.Attempt], NoStop);
    }
}
