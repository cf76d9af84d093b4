using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Tests.Runbooks.Steps;

/// <summary>Carries out steps as an execution would, with notes and secrets in memory.</summary>
sealed class StepBench : IStepNotes, IStepSecrets
{
    public static readonly CancellationToken NoStop = CancellationToken.None;

    readonly Dictionary<(string Step, int Attempt), IReadOnlyDictionary<string, string>> _notes = [];

    /// <summary>Secrets by their name.</summary>
    public Dictionary<string, string> Secrets { get; } = [];

    public Task<Secret?> Find(string name, CancellationToken ct)
        => Task.FromResult(Secrets.TryGetValue(name, out var value) ? Secret.FromText(value) : null);

    public Task<KeptNotes> Keep(StepWork work, IReadOnlyDictionary<string, string> notes, CancellationToken ct)
    {
        var isFirst = _notes.TryAdd((work.Step.Name, work.Attempt), notes);
        return Task.FromResult(new KeptNotes(isFirst, _notes[(work.Step.Name, work.Attempt)]));
    }

    public Task<IReadOnlyList<IReadOnlyDictionary<string, string>>> All(StepWork work, CancellationToken ct)
        => Task.FromResult<IReadOnlyList<IReadOnlyDictionary<string, string>>>([.. _notes.Where(note => note.Key.Step == work.Step.Name)
            .OrderBy(note => note.Key.Attempt).Select(note => note.Value)]);

    public static StepSpec Step(StepKind kind, Func<StepSpec, StepSpec> with) => with(new StepSpec
    {
        Name = "step",
        Kind = kind,
        Timeout = TimeSpan.FromMinutes(4),
    });

    public static StepWork Work(StepSpec step, StepActivity activity = StepActivity.Execute, ExecutionMode mode = ExecutionMode.Disaster,
        int attempt = 1, StepResult? after = null, TimeSpan? patience = null) => new()
        {
            Execution = "execution_1",
            Runbook = "shop",
            Mode = mode,
            Step = step,
            Activity = activity,
            Attempt = attempt,
            Until = TimeProvider.System.GetUtcNow() + (patience ?? TimeSpan.FromMinutes(4)),
            Outputs = after?.Outputs ?? new Dictionary<string, string>(),
        };

    public static void Is(ActivityOutcome outcome, string text, StepResult result)
    {
        Assert.Contains(text, result.Text, StringComparison.Ordinal);
        Assert.Equal(outcome, result.Outcome);
    }
}
