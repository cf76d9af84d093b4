using System.Text.Json;
using System.Threading.Channels;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>Executes a runbook by itself: the decision function of the nodes, over events that are written down in the place of the
/// database.</summary>
/// <param name="graph">What is executed.</param>
/// <param name="id">The execution.</param>
/// <param name="name">The runbook's name.</param>
/// <param name="journal">Where events are written down before anything follows from them.</param>
/// <param name="carryOut">Carries out an activity.</param>
/// <param name="screen">Shows what changes.</param>
/// <param name="clock">The time.</param>
sealed class BundleExecution(RunbookGraph graph, ExecutionId id, string name, JournalWriter journal, CarryOut carryOut,
    BundleScreen screen, TimeProvider clock)
{
    /// <summary>A moment that has come and changes nothing is not looked at more often.</summary>
    static readonly TimeSpan LeastPause = TimeSpan.FromMilliseconds(50), MostPause = TimeSpan.FromHours(1);

    readonly Channel<(ExecutionEvent Event, TaskCompletionSource<string?>? Answer)> _happened
        = Channel.CreateUnbounded<(ExecutionEvent, TaskCompletionSource<string?>?)>();
    readonly Dictionary<(string Step, int Attempt), CancellationTokenSource> _atWork = [];
    Execution? _state;

    /// <summary>Whether an activity's result still counts.</summary>
    public bool Counts(StepWork work) => Volatile.Read(ref _state)?.Steps
        .Any(step => step.Name == work.Step.Name && step.Attempt == work.Attempt && step.Activity is not null) != false;

    /// <summary>Goes on from a state to the end.</summary>
    /// <param name="state">As it is.</param>
    /// <param name="effects">What is to be done now.</param>
    /// <param name="ct">Ends it here; it can be gone on with.</param>
    public async Task<Execution> Run(Execution state, IReadOnlyList<Effect> effects, CancellationToken ct)
    {
        Change(state);
        Follow(effects, ct);
        try
        {
            while (_state!.Phase != ExecutionPhase.Ended) await Take(await Next(ct), ct);
            return _state;
        }
        finally
        {
            foreach (var stop in _atWork.Values) await stop.CancelAsync();
        }
    }

    /// <summary>A person asks for something.</summary>
    /// <returns>Why it does not fit; null where it was taken.</returns>
    public async Task<string?> Ask(ExecutionEvent asked, CancellationToken ct)
    {
        var answer = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _happened.Writer.WriteAsync((asked, answer), ct);
        return await answer.Task.WaitAsync(ct);
    }

    async Task<(ExecutionEvent Event, TaskCompletionSource<string?>? Answer)> Next(CancellationToken ct)
    {
        var wait = _state!.NextChange is { } next ? next - clock.GetUtcNow() : MostPause;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(wait < LeastPause ? LeastPause : wait > MostPause ? MostPause : wait);
        try { return await _happened.Reader.ReadAsync(late.Token); }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return (new ExecutionEvent { Kind = ExecutionEventKind.TimePassed, At = default }, null);
        }
    }

    async Task Take((ExecutionEvent Event, TaskCompletionSource<string?>? Answer) one, CancellationToken ct)
    {
        var happened = one.Event with { At = clock.GetUtcNow() };
        if (Decision.Refusal(graph, _state!, happened) is { } refusal)
        {
            one.Answer?.TrySetResult(refusal);
            return;
        }
        var decided = Decision.Apply(graph, _state!, happened);
        if (happened.Kind != ExecutionEventKind.TimePassed || !IsSame(_state!, decided.Execution))
            journal.Add(BundleJournal.Event, happened, BundleJson.Default.ExecutionEvent);
        Change(decided.Execution);
        one.Answer?.TrySetResult(null);
        Follow(decided.Effects, ct);
        await Task.Yield();
    }

    static bool IsSame(Execution before, Execution after) => Text(before) == Text(after with { Now = before.Now });

    static string Text(Execution state) => JsonSerializer.Serialize(state, WireJson.Default.Execution);

    void Change(Execution state)
    {
        screen.Changed(_state, state);
        Volatile.Write(ref _state, state);
    }

    void Follow(IReadOnlyList<Effect> effects, CancellationToken ct)
    {
        foreach (var effect in effects)
            switch (effect.Kind)
            {
                case EffectKind.Tell:
                    screen.Say(effect.Text ?? "");
                    break;
                case EffectKind.Cancel when _atWork.Remove((effect.Step!, effect.Attempt), out var stop):
                    stop.Cancel();
                    break;
                case EffectKind.Begin:
                    Begin(effect, ct);
                    break;
            }
        screen.Asks(graph, _state!);
    }

    void Begin(Effect effect, CancellationToken ct)
    {
        var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        _atWork[(effect.Step!, effect.Attempt)] = stop;
        var left = effect.Until!.Value - clock.GetUtcNow();
        stop.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        var claimed = new Claimed
        {
            Execution = id,
            Runbook = name,
            Mode = _state!.Mode,
            Step = graph.Spec.Steps[graph.PlaceOf(effect.Step!)],
            Spec = graph.Spec,
            States = _state.Steps,
            Activity = effect.Activity!.Value,
            Attempt = effect.Attempt,
            Until = effect.Until.Value,
            Left = left,
            Token = Guid.CreateVersion7(),
            Takes = 1,
        };
        _ = Task.Run(() => Work(claimed, stop), CancellationToken.None);
    }

    async Task Work(Claimed claimed, CancellationTokenSource stop)
    {
        try
        {
            var result = await carryOut.Do(claimed, stop.Token);
            _happened.Writer.TryWrite((new ExecutionEvent
            {
                Kind = ExecutionEventKind.Reported,
                At = default,
                Step = claimed.Step.Name,
                Attempt = claimed.Attempt,
                Outcome = result.Outcome,
                Text = result.Text,
                Outputs = result.Outputs,
            }, null));
        }
        // Its time is over, which the decision sees for itself; or it counts for nothing any more; or the execution is gone on with later.
        catch (OperationCanceledException) when (stop.IsCancellationRequested) { return; }
    }
}
