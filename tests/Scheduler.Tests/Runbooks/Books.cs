using System.Collections.Concurrent;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Fixtures;
using Microsoft.Extensions.DependencyInjection;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>What steps act on: counts what is done to it.</summary>
sealed class Target
{
    /// <summary>Each call, in order: "execution/step/attempt activity".</summary>
    public ConcurrentQueue<(string Key, StepActivity Activity)> Calls { get; } = new();

    /// <summary>What a call does beside being counted.</summary>
    public Func<StepWork, CancellationToken, Task<StepResult>>? Answer { get; set; }

    public IReadOnlyList<string> Of(string step, StepActivity activity = StepActivity.Execute) => [.. Calls
        .Where(call => call.Key.Split('/')[1] == step && call.Activity == activity).Select(call => call.Key.Split('/')[2])];

    public sealed class Executor(StepKind kind, Target target) : IStepExecutor
    {
        public StepKind Kind => kind;

        public Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
            => Task.FromResult<IReadOnlyList<RunbookProblem>>(work.Step.Title == "unreachable"
                ? [new($"steps.{work.Step.Name}", "It does not answer.", "Start it.")] : []);

        public Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
        {
            target.Calls.Enqueue((work.IdempotencyKey, work.Activity));
            return target.Answer?.Invoke(work, ct) ?? Task.FromResult(StepResult.Done("It was done."));
        }
    }
}

/// <summary>A node with steps that a test counts, and a runbook on it.</summary>
sealed class Books : IAsyncDisposable
{
    /// <summary>Kinds that the target stands for: done again without harm, and not.</summary>
    static readonly StepKind[] Kinds = [StepKind.ServiceStart, StepKind.ServiceStop, StepKind.Fence, StepKind.Script];

    public static readonly CancellationToken NoStop = CancellationToken.None;
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(4), LookEvery = TimeSpan.FromMilliseconds(20);

    Books(TestNode node, Target target) => (Node, Target) = (node, target);

    public TestNode Node { get; }
    public Target Target { get; }

    public static async Task<Books> Start(SchedulerDatabases databases, Target? target = null, TestNode? shared = null, string name = "one",
        bool loops = false, TimeProvider? clock = null)
    {
        var acted = target ?? new Target();
        NodeRole[] all = [NodeRole.Api, NodeRole.Console, NodeRole.Loops];
        return new Books(await TestNode.Start(databases, settings => settings with
        {
            Node = settings.Node with { Name = name, Roles = loops ? all : settings.Node.Roles },
        }, shared, builder =>
        {
            if (clock is not null) builder.Services.AddSingleton(clock);
            foreach (var kind in Kinds) builder.Services.AddSingleton<IStepExecutor>(new Target.Executor(kind, acted));
        }), acted);
    }

    public T Get<T>() where T : notnull => Node.Get<T>();

    public static StepSpec Step(string name, string needs = "", StepKind kind = StepKind.ServiceStart) => new()
    {
        Name = name,
        Kind = kind,
        Needs = needs.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        Timeout = TimeSpan.FromMinutes(5),
        For = kind == StepKind.Wait ? TimeSpan.FromMinutes(1) : null,
        Service = kind is not (StepKind.ServiceStart or StepKind.ServiceStop or StepKind.Fence) ? null
            : new ServiceStepSpec { Host = "web-1", Unit = "shop.service" },
        Script = kind != StepKind.Script ? null : new ScriptStepSpec
        {
            Host = "web-1",
            Run = new ProgramSpec { Name = "move", Sha256 = new string('a', 64) },
        },
    };

    public Task<Runbook> Make(string name, params IReadOnlyList<StepSpec> steps) => Get<CreateRunbook>().Handle(TestNode.Admin,
        new CreateRunbookRequest { Name = name, Spec = new RunbookSpec { Steps = steps } }, NoStop);

    public async Task<ExecutionId> Execute(RunbookId runbook, ExecutionMode mode = ExecutionMode.Planned)
        => mode == ExecutionMode.Rehearsal
            ? (await Get<RehearseRunbook>().Handle(TestNode.Admin, new RehearseRunbookRequest(runbook), NoStop)).Id
            : (await Get<StartExecution>().Handle(TestNode.Admin, new StartExecutionRequest(runbook, mode, "A test."), NoStop)).Id;

    public Task<ExecutionView> Show(ExecutionId id) => Get<ShowExecution>().Handle(TestNode.Admin, new ShowExecutionRequest(id), NoStop);

    public Task<Runbook> Show(RunbookId id) => Get<ShowRunbook>().Handle(TestNode.Admin, new ShowRunbookRequest(id), NoStop);

    public async Task<StepState> State(ExecutionId id, string step) => (await Show(id)).State.Steps.Single(state => state.Name == step);

    public Task<IReadOnlyList<ExecutionEventLine>> Events(ExecutionId id)
        => Get<ListExecutionEvents>().Handle(TestNode.Admin, new ListExecutionEventsRequest(id), NoStop);

    public Task<ExecutionView> Act(Caller caller, ExecutionId id, ExecutionAction action, string? step = null, string? text = null)
        => Get<ActOnExecution>().Handle(caller, new ActOnExecutionRequest(id, action, step, text), NoStop);

    /// <summary>Moves the clock, and lets the loops look once.</summary>
    public async Task Pass(TimeSpan time)
    {
        await Node.PassTime(time);
        await Get<ActivityWork>().Due(NoStop);
    }

    /// <summary>Carries out what there is, one activity after the other, as a node does; stops before its given boundary as one that is
    /// killed there: after it took an activity, after it did it, after it told what came of it.</summary>
    /// <returns>False where it died.</returns>
    public async Task<bool> Carry(int dieAt = int.MaxValue)
    {
        var at = 0;
        while (true)
        {
            var claimed = await Get<ActivityTable>().Claim("walker", 1, NoStop);
            if (claimed is not [var one]) return true;
            if (at++ == dieAt) return false;
            var result = await Get<CarryOut>().Do(one, NoStop);
            if (at++ == dieAt) return false;
            await Node.Db.InTransaction(tx => Get<TakeEvents>().Take(tx, one.Execution, [ActivityWork.ReportOf(one, result)], null,
                NoStop), NoStop);
            if (at++ == dieAt) return false;
        }
    }

    public static async Task Until(Func<Task<bool>> isSo)
    {
        using var late = new CancellationTokenSource(Patience);
        while (!await isSo()) await Task.Delay(LookEvery, late.Token);
    }

    public async Task<ExecutionView> Ended(ExecutionId id)
    {
        ExecutionView? view = null;
        await Until(async () => (view = await Show(id)).State.Phase == ExecutionPhase.Ended);
        return view!;
    }

    public ValueTask DisposeAsync() => Node.DisposeAsync();
}
