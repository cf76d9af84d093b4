using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules.Runbooks;

/// <summary>An execution that a test drives, one event after the other, with a clock of its own.</summary>
sealed class Drive
{
    public static readonly DateTimeOffset Start = new(2026, 3, 1, 3, 0, 0, TimeSpan.Zero);

    readonly RunbookGraph _graph;
    readonly List<ExecutionEvent> _events = [];

    public Drive(RunbookSpec spec, ExecutionMode mode = ExecutionMode.Disaster, bool isHeld = false)
    {
        Assert.Empty(RunbookProblems.OfCourse(spec));
        _graph = new RunbookGraph(spec);
        Keep(Decision.Begin(_graph, mode, Start, isHeld));
    }

    public Execution Execution { get; private set; } = null!;
    public DateTimeOffset Now { get; private set; } = Start;
    /// <summary>What the last event led to.</summary>
    public IReadOnlyList<Effect> Effects { get; private set; } = [];
    public List<string> Told { get; } = [];
    /// <summary>Every activity begun, as "Execute db".</summary>
    public List<string> Begun { get; } = [];

    public StepState this[string step] => Execution.Steps.Single(state => state.Name == step);

    public static StepSpec Step(string name, string needs = "", StepKind kind = StepKind.DnsChange) => StepSamples.Filled(new()
    {
        Name = name,
        Kind = kind,
        Needs = needs.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        Timeout = TimeSpan.FromMinutes(5),
        For = kind == StepKind.Wait ? TimeSpan.FromMinutes(1) : null,
    });

    public static RunbookSpec Book(params IReadOnlyList<StepSpec> steps) => new() { Steps = steps };

    public Drive Done(params IReadOnlyList<string> steps)
    {
        foreach (var step in steps) Reported(step, ActivityOutcome.Succeeded);
        return this;
    }

    public Drive Fails(string step, string text = "broken") => Reported(step, ActivityOutcome.Failed, text);

    public Drive Reported(string step, ActivityOutcome outcome, string? text = null, int? attempt = null)
        => Happens(new ExecutionEvent
        {
            Kind = ExecutionEventKind.Reported,
            At = Now,
            Step = step,
            Outcome = outcome,
            Text = text,
            Attempt = attempt ?? this[step].Attempt,
        });

    public Drive Says(ExecutionEventKind kind, string? step = null, string by = "ann", string? text = null, string? second = null)
        => Happens(new ExecutionEvent { Kind = kind, At = Now, Step = step, By = by, Text = text, Second = second });

    public string? Refusal(ExecutionEventKind kind, string? step = null, string by = "ann", string? text = null, string? second = null)
        => Decision.Refusal(_graph, Execution, new ExecutionEvent
        {
            Kind = kind,
            At = Now,
            Step = step,
            By = by,
            Text = text,
            Second = second
        });

    public Drive Passes(TimeSpan time)
    {
        Now += time;
        return Happens(new ExecutionEvent { Kind = ExecutionEventKind.TimePassed, At = Now });
    }

    /// <summary>Applied again from the beginning, the events make the same of it: what a node does that takes over.</summary>
    public Execution Again()
    {
        var execution = Decision.Begin(_graph, Execution.Mode, Start, Execution.IsHeld).Execution;
        foreach (var happened in _events) execution = Decision.Apply(_graph, execution, happened).Execution;
        return execution;
    }

    public IEnumerable<string> AtWork() => Decision.AtWork(_graph, Execution).Select(effect => $"{effect.Activity} {effect.Step}");

    public Drive Happens(ExecutionEvent happened)
    {
        _events.Add(happened);
        Keep(Decision.Apply(_graph, Execution, happened));
        return this;
    }

    void Keep(Decided decided)
    {
        (Execution, Effects) = (decided.Execution, decided.Effects);
        Told.AddRange(Effects.Where(effect => effect.Kind == EffectKind.Tell).Select(effect => effect.Text!));
        Begun.AddRange(Effects.Where(effect => effect.Kind == EffectKind.Begin).Select(effect => $"{effect.Activity} {effect.Step}"));
    }
}
