using System.Diagnostics;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
namespace BackupDr.Simulation.Tests.Runbooks;

/// <summary>Runbooks by the thousand, executed under faults.</summary>
public sealed class ExecutionTests
{
    [Fact]
    public void In_every_world_the_rules_of_executions_hold()
    {
        var seeds = Worlds.Seeds(10_000);
        var outcomes = new Dictionary<ExecutionOutcome, int>();
        var (takeOvers, returns, leftovers) = (0L, 0, 0);
        for (var seed = 0; seed < seeds; seed++)
        {
            var world = new ExecutionWorld(seed).Play();
            if (world.Broken is not null) Assert.Fail($"seed {seed}: {world.Broken}\n{world.Tail}");
            outcomes[world.Execution.Outcome!.Value] = outcomes.GetValueOrDefault(world.Execution.Outcome!.Value) + 1;
            takeOvers += world.TakeOvers;
            returns += world.Execution.Returns;
            leftovers += world.Execution.HasLeftovers ? 1 : 0;
        }

        Assert.All(Enum.GetValues<ExecutionOutcome>(), outcome => Assert.True(outcomes.GetValueOrDefault(outcome) > seeds / 50,
            $"the worlds were too alike: {string.Join(", ", outcomes)}"));
        Assert.True(takeOvers > seeds && returns > seeds / 100 && leftovers > seeds / 200, $"{takeOvers} {returns} {leftovers}");
    }

    [Fact]
    public void A_seed_gives_the_same_world_again()
    {
        foreach (var seed in (int[])[3, 17, 4_711])
            Assert.Equal(new ExecutionWorld(seed).Play().Story, new ExecutionWorld(seed).Play().Story);
    }

    [Fact]
    public void Two_hundred_steps_of_which_fifty_are_at_work_are_decided_one_after_the_other()
    {
        var spec = new RunbookSpec
        {
            AtOnce = 50,
            Steps = [.. Enumerable.Range(0, 200).Select(number => new StepSpec
            {
                Name = $"s{number}",
                Kind = StepKind.DnsChange,
                Timeout = TimeSpan.FromMinutes(1),
                Needs = number < 50 ? [] : [$"s{number - 50}", $"s{(number - 13) % 50 + (number / 50 - 1) * 50}"],
            })],
        };
        var graph = new RunbookGraph(spec);
        var now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        var decided = Decision.Begin(graph, ExecutionMode.Disaster, now);
        Assert.Equal(50, decided.Effects.Count);
        var begun = new Queue<Effect>(decided.Effects);
        var from = Stopwatch.GetTimestamp();

        var events = 0;
        for (var execution = decided.Execution; begun.TryDequeue(out var effect); events++)
        {
            decided = Decision.Apply(graph, execution, new ExecutionEvent
            {
                Kind = ExecutionEventKind.Reported,
                At = now,
                Step = effect.Step,
                Attempt = effect.Attempt,
            });
            execution = decided.Execution;
            foreach (var next in decided.Effects.Where(one => one.Kind == EffectKind.Begin)) begun.Enqueue(next);
        }

        Assert.Equal((200, ExecutionPhase.Ended), (events, decided.Execution.Phase));
        TestContext.Current.TestOutputHelper?.WriteLine($"{Stopwatch.GetElapsedTime(from).TotalMilliseconds / events:0.000} ms a decision");
    }
}
