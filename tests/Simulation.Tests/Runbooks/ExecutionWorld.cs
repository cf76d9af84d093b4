using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Simulation.Tests.Runbooks;

/// <summary>One runbook made by chance and executed by nodes that die, agents that get lost, answers that come twice, late or never, and
/// people who choose by chance. The decisions are those of the product.</summary>
sealed class ExecutionWorld
{
    static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly StepKind[] Kinds = Enum.GetValues<StepKind>();

    readonly Random _random;
    readonly RunbookGraph _graph;
    readonly ExecutionMode _mode;
    readonly bool _isHeld;
    readonly List<ExecutionEvent> _log = [];
    readonly List<(string Step, int Attempt, StepActivity Activity)> _onTheWay = [];
    readonly Dictionary<(string Step, int Attempt), StepActivity> _begun = [];
    readonly List<string> _undone = [];
    Execution _execution;
    DateTimeOffset _now = Start;

    public ExecutionWorld(int seed)
    {
        _random = new Random(seed);
        _graph = new RunbookGraph(Chance());
        _mode = Pick(Enum.GetValues<ExecutionMode>());
        _isHeld = _random.Next(5) == 0;
        _execution = new Execution { Mode = _mode, StartedAt = Start, Now = Start, Steps = [] };
    }

    /// <summary>The rule that was broken; null for none.</summary>
    public string? Broken { get; private set; }
    public Execution Execution => _execution;
    public int TakeOvers { get; private set; }
    public string Story => string.Join('\n', _log.Select(happened => happened.ToString())) + $"\n{_execution}";

    /// <summary>The last that happened, and how the steps are.</summary>
    public string Tail => string.Join('\n', _log.TakeLast(6).Select(happened => happened.ToString()).Concat(_execution.Steps.Select(step
        => $"{Of(step.Name)}\n   {step}")));

    public ExecutionWorld Play()
    {
        Look(Decision.Begin(_graph, _mode, Start, _isHeld));
        for (var turn = 0; turn < 5_000 && Broken is null && _execution.Phase != ExecutionPhase.Ended; turn++) Turn(turn);
        if (Broken is null && _execution.Phase != ExecutionPhase.Ended) Broken = $"it never ends: {_execution.Phase} {_execution.Reason}";
        if (Broken is null) AtTheEnd();
        return this;
    }

    void Turn(int turn)
    {
        if (_random.Next(8) == 0) TakeOver();
        if (_onTheWay.Count > 0 && _random.Next(3) > 0)
        {
            var at = _random.Next(_onTheWay.Count);
            var (step, attempt, _) = _onTheWay[at];
            if (_random.Next(10) > 0) _onTheWay.RemoveAt(at);   // else the answer comes once more
            if (_random.Next(20) == 0) return;   // or never
            Happens(new ExecutionEvent
            {
                Kind = ExecutionEventKind.Reported,
                At = Told(),
                Step = step,
                Attempt = attempt,
                Text = "so",
                Outcome = _random.Next(10) switch
                {
                    < 7 => ActivityOutcome.Succeeded,
                    < 9 => ActivityOutcome.Failed,
                    _ => ActivityOutcome.Unknown,
                },
            });
        }
        else if (_random.Next(4) == 0 || _onTheWay.Count == 0) Person(turn);
        else Pass();
        if (_random.Next(3) == 0) Pass();
    }

    void Pass()
    {
        _now = _random.Next(4) > 0 && _execution.NextChange is { } next && next > _now ? next
            : _now + TimeSpan.FromSeconds(_random.Next(90));
        Happens(new ExecutionEvent { Kind = ExecutionEventKind.TimePassed, At = Told() });
    }

    /// <summary>What the database's clock says: behind what it said before, where another server took over or somebody set it.</summary>
    DateTimeOffset Told() => _random.Next(10) == 0 ? _now - TimeSpan.FromMinutes(5) : _now;

    void Person(int turn)
    {
        var open = _execution.Steps.FirstOrDefault(step => step.IsOpen);
        var asked = _execution.Steps.FirstOrDefault(step => step is { Phase: StepPhase.Running, Activity: not null }
            && Of(step.Name).Kind == StepKind.Approval);
        var kind = _random.Next(12) switch
        {
            < 6 when asked is not null => _random.Next(6) > 0 ? ExecutionEventKind.Approved : ExecutionEventKind.Refused,
            < 10 when open is not null => Pick([ExecutionEventKind.RetryAsked, ExecutionEventKind.SkipAsked,
                ExecutionEventKind.ByHandSaid]),
            < 9 => ExecutionEventKind.ResumeAsked,
            9 => ExecutionEventKind.CommitAsked,
            10 when turn > 20 => Pick([ExecutionEventKind.StopAsked, ExecutionEventKind.RollBackAsked]),
            _ => ExecutionEventKind.PauseAsked,
        };
        var step = kind is ExecutionEventKind.Approved or ExecutionEventKind.Refused ? asked?.Name
            : kind is ExecutionEventKind.RetryAsked or ExecutionEventKind.SkipAsked or ExecutionEventKind.ByHandSaid ? open?.Name : null;
        string[] people = ["ann", "bo", "cy"];
        Happens(new ExecutionEvent
        {
            Kind = kind,
            At = Told(),
            Step = step,
            By = Pick(people),
            Second = Pick(people),
            Text = "so it is",
        });
    }

    /// <summary>The node dies: the next one knows the events, and carries out again what is at work.</summary>
    void TakeOver()
    {
        TakeOvers++;
        var again = Decision.Begin(_graph, _mode, Start, _isHeld).Execution;
        foreach (var happened in _log) again = Decision.Apply(_graph, again, happened).Execution;
        if (!Same(again, _execution)) Broken = "the events make something else of it the second time";
        foreach (var effect in Decision.AtWork(_graph, again))
        {
            if (!_begun.ContainsKey((effect.Step!, effect.Attempt))) Broken = $"{effect.Step} {effect.Attempt} is at work and never began";
            if (_random.Next(2) == 0) _onTheWay.Add((effect.Step!, effect.Attempt, effect.Activity!.Value));
        }
    }

    static bool Same(Execution one, Execution other) => Plain(one) == Plain(other) && one.Steps.Select(Plain).SequenceEqual(
        other.Steps.Select(Plain));

    static (ExecutionPhase, ExecutionOutcome?, DateTimeOffset, string?, int, bool, bool, DateTimeOffset?) Plain(Execution of)
        => (of.Phase, of.Outcome, of.Now, of.Reason, of.Returns, of.IsPastReturn, of.IsPauseAsked, of.RecoveredAt);

    static (object, object, object)
        Plain(StepState of) => ((of.Phase, of.Attempt, of.Tries, of.Activity), (of.Until, of.TryAt),
            (of.Undone, of.CleanedUp, of.IsOpen, of.IsBlocking, of.Reason));

    void Happens(ExecutionEvent happened)
    {
        _log.Add(happened);
        var decided = Decision.Apply(_graph, _execution, happened);
        if (IsLate(happened))
        {
            var without = Decision.Apply(_graph, _execution, new ExecutionEvent { Kind = ExecutionEventKind.TimePassed, At = happened.At });
            if (!Same(decided.Execution, without.Execution)) Broken = $"{happened.Step} {happened.Attempt} answers late, and it counts";
        }
        Look(decided);
    }

    bool IsLate(ExecutionEvent happened) => happened.Kind == ExecutionEventKind.Reported
        && (State(happened.Step!).Activity is null || State(happened.Step!).Attempt != happened.Attempt);

    void Look(Decided decided)
    {
        var before = _execution;
        _execution = decided.Execution;
        if (_isHeld && _execution is { Phase: ExecutionPhase.Ended, Outcome: not ExecutionOutcome.RolledBack }
            && before.Phase is not (ExecutionPhase.AwaitingCommit or ExecutionPhase.CleaningUp or ExecutionPhase.Ended))
            Broken = "it ended before the one that it is a part of";
        if (before is { Phase: ExecutionPhase.AwaitingCommit, Outcome: { } known } && _execution.Outcome is not ExecutionOutcome.RolledBack
            && _execution.Outcome != known) Broken = "its outcome changed when it counted";
        if (before.Phase == ExecutionPhase.Ended && decided.Effects.Count > 0) Broken = "something is done after the end";
        if (decided.Execution.Now < before.Now) Broken = "time went back";
        foreach (var effect in decided.Effects.Where(effect => effect.Kind == EffectKind.Begin)) Began(effect, before);
        foreach (var (was, step) in before.Steps.Zip(_execution.Steps)) Timely(was, step);
        var busy = _execution.Steps.Count(step => step.Activity is StepActivity.Execute or StepActivity.Simulate
            && !Of(step.Name).IsAlways);
        if (busy > _graph.Spec.AtOnce) Broken = $"{busy} steps are at work, {_graph.Spec.AtOnce} may be";
        if (before is { IsPastReturn: true, Phase: not ExecutionPhase.RollingBack } && _execution.Phase == ExecutionPhase.RollingBack)
            Broken = "it is rolled back after the point of no return";
    }

    /// <summary>No try ends by time before its length is over, by the one clock that counts, and none goes on after it.</summary>
    void Timely(StepState was, StepState step)
    {
        if (step.Activity is not null && step.Until <= _execution.Now) Broken = $"the time of {step.Name} is over, and it goes on";
        if (step is { Activity: not null, ActivityBeganAt: null }) Broken = $"{step.Name} began at no time";
        var isOver = was.Activity is not null && (step.Activity is null || step.Attempt != was.Attempt);
        var spec = Of(step.Name);
        var length = spec.Kind == StepKind.Wait ? spec.For!.Value : spec.Timeout;
        if (isOver && was.Reason != step.Reason && step.Reason is { } reason
            && (reason.StartsWith("It did not end within", StringComparison.Ordinal)
                || reason.StartsWith("Not enough people", StringComparison.Ordinal))
            && _execution.Now < was.ActivityBeganAt + length) Broken = $"the time of {step.Name} was over too early";
        if (isOver && spec.Kind == StepKind.Wait && step.Phase == StepPhase.Done && _execution.Now < was.ActivityBeganAt + length)
            Broken = $"{step.Name} did not wait for long enough";
    }

    void Began(Effect effect, Execution before)
    {
        var step = Of(effect.Step!);
        if (!_begun.TryAdd((effect.Step!, effect.Attempt), effect.Activity!.Value)) Broken = $"{effect.Step} {effect.Attempt} began twice";
        _onTheWay.Add((effect.Step!, effect.Attempt, effect.Activity!.Value));
        if (effect.Until is null) Broken = $"{effect.Step} may take for ever";
        if (effect.Activity is StepActivity.Execute or StepActivity.Simulate)
        {
            foreach (var need in step.Needs)
                if (!(step.IsAlways ? State(need).IsSettled : State(need).LetsOthersGoOn))
                    Broken = $"{effect.Step} began before {need} was done";
            if (before.Phase is ExecutionPhase.Stopping or ExecutionPhase.RollingBack && !step.IsAlways)
                Broken = $"{effect.Step} began while it ends";
            if (_mode == ExecutionMode.Rehearsal && (effect.Activity == StepActivity.Simulate)
                != (StepKinds.Rehearsed(step) == InRehearsal.Simulate)) Broken = $"{effect.Step} does {effect.Activity} in a rehearsal";
        }
        if (effect.Activity == StepActivity.Compensate)
        {
            if (_mode == ExecutionMode.Rehearsal) Broken = "a rehearsal is rolled back";
            _undone.Add(effect.Step!);
            foreach (var later in _graph.From(_graph.PlaceOf(effect.Step!)).Select(place => _graph.Spec.Steps[place].Name))
                if (later != effect.Step && State(later).Undone is AfterwardsState.Wanted or AfterwardsState.Running)
                    Broken = $"{effect.Step} is undone before {later}, which relies on it";
        }
        if (effect.Activity == StepActivity.CleanUp && _mode != ExecutionMode.Rehearsal) Broken = "something is cleaned up in earnest";
    }

    void AtTheEnd()
    {
        if (_execution.Outcome is null || _execution.EndedAt is null) Broken = "it ended without an outcome";
        foreach (var step in _execution.Steps)
        {
            var spec = Of(step.Name);
            if (!step.IsSettled || step.Activity is not null || step.IsOpen) Broken = $"{step.Name} is {step.Phase} after the end";
            if (step.Phase is StepPhase.LeftOut or StepPhase.Failed or StepPhase.Skipped && string.IsNullOrEmpty(step.Reason))
                Broken = $"nobody knows why {step.Name} is {step.Phase}";
            if (_mode == ExecutionMode.Rehearsal && step.WasBegun && StepKinds.Of(spec.Kind).LeavesTraces
                && step.CleanedUp is not (AfterwardsState.Done or AfterwardsState.Failed)) Broken = $"{step.Name} was not cleaned up";
            if (_execution.Outcome == ExecutionOutcome.RolledBack && step.WasBegun && !spec.IsAlways && StepKinds.Of(spec.Kind).CanUndo
                && step.Undone is not (AfterwardsState.Done or AfterwardsState.Failed)) Broken = $"{step.Name} was not undone";
            if (_execution.Outcome == ExecutionOutcome.Succeeded && spec is { Impact: StepImpact.Critical, IsAlways: false }
                && step.Phase is StepPhase.Failed or StepPhase.Waiting) Broken = $"it succeeded without {step.Name}";
            if (spec.IsAlways && step.Phase == StepPhase.LeftOut && spec.Modes.Count == 0
                && !(_mode == ExecutionMode.Rehearsal && StepKinds.Rehearsed(spec) == InRehearsal.Skip))
                Broken = $"{step.Name} is always done";
        }
    }

    RunbookSpec Chance()
    {
        var count = _random.Next(1, 13);
        var steps = new List<StepSpec>();
        for (var number = 0; number < count; number++)
        {
            var kind = Pick(Kinds);
            var isAlways = _random.Next(10) == 0;
            var needs = steps.Where(step => (isAlways || !step.IsAlways) && _random.Next(3) == 0).Select(step => step.Name).ToList();
            var optional = _random.Next(5) == 0;
            steps.Add(new StepSpec
            {
                Name = $"s{number}",
                Kind = kind,
                Needs = needs,
                IsAlways = isAlways,
                Modes = _random.Next(6) == 0 ? [Pick(Enum.GetValues<ExecutionMode>())] : [],
                InRehearsal = _random.Next(4) == 0 ? Pick(Enum.GetValues<InRehearsal>()) : null,
                Timeout = TimeSpan.FromSeconds(_random.Next(60, 600)),
                For = kind == StepKind.Wait ? TimeSpan.FromSeconds(_random.Next(1, 60)) : null,
                Approval = kind != StepKind.Approval ? null
                    : new ApprovalSpec { Of = _random.Next(1, 3), InRehearsal = _random.Next(2) == 0 },
                Retries = kind is StepKind.Wait or StepKind.Approval ? 0 : _random.Next(3),
                Impact = optional ? StepImpact.Optional : StepImpact.Critical,
                IsPointOfNoReturn = _random.Next(10) == 0,
                OnFailure = optional ? null : Pick<OnStepFailure?>([null, OnStepFailure.Stop, OnStepFailure.Pause, OnStepFailure.Continue,
                    OnStepFailure.RollBack, needs.Count > 0 ? OnStepFailure.GoTo : null]),
            });
            if (steps[^1].OnFailure == OnStepFailure.GoTo) steps[^1] = steps[^1] with { GoTo = needs[0] };
        }
        var spec = new RunbookSpec
        {
            Steps = steps,
            AtOnce = _random.Next(1, 5),
            Commit = new CommitSpec
            {
                Planned = TimeSpan.FromMinutes(_random.Next(2) * 10),
                Disaster = TimeSpan.FromMinutes(_random.Next(2) * 10),
                OnSilence = Pick(Enum.GetValues<CommitSilence>()),
            },
        };
        // What is refused is refused: the steps in question do without it.
        var refused = RunbookProblems.OfCourse(spec).Select(problem => problem.Place.Split('.')[1]).ToHashSet();
        return spec with
        {
            Steps = [.. steps.Select(step => refused.Contains(step.Name) ? step with { OnFailure = null, GoTo = null } : step)],
        };
    }

    StepSpec Of(string step) => _graph.Spec.Steps[_graph.PlaceOf(step)];
    StepState State(string step) => _execution.Steps[_graph.PlaceOf(step)];
    T Pick<T>(T[] choices) => choices[_random.Next(choices.Length)];
}
