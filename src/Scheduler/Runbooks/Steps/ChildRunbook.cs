using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>Executes another runbook in the same mode: an execution of its own, of which the step is the waiting. When all of it is done it
/// is held open, so that it can be undone with the rest; its result counts when that of the first execution does.</summary>
/// <remarks>The child's id is made from the step's attempt, so whoever carries it out again finds the one that was begun. What the
/// execution above wants (a pause, a stop, a roll-back) is looked up at each turn, so that no node has to remember to hand it on.</remarks>
sealed class ChildRunbook(Postgres db, ChildExecutions children, IServiceProvider parts, TimeProvider clock) : IStepExecutor
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1), Farewell = TimeSpan.FromSeconds(10), Margin = TimeSpan.FromSeconds(1);

    public StepKind Kind => StepKind.Runbook;

    public async Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
    {
        var tree = await RunbookTrees.Read(db, work.Runbook, new RunbookSpec { Steps = [work.Step] }, ct);
        if (tree.Problems.Count > 0) return tree.Problems;
        var child = await RunbookTable.Get(db, tree.Parts[0].Part.Runbook, ct);
        return [.. child.Problems.Select(problem => new RunbookProblem($"steps.{work.Step.Name}.runbook",
            $"'{child.Name}' has a problem: {problem.Place}: {problem.Problem}", problem.Advice))];
    }

    public async Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
    {
        if (!TypedId.TryParse<ExecutionId>(work.Execution, out var parent))
            return StepResult.Failed("A runbook is executed by another one only where the nodes and their database are.");
        return work.Activity switch
        {
            StepActivity.Simulate => await Looked(work, ct),
            StepActivity.Compensate => await Brought(work, parent, ExecutionEventKind.RollBackAsked, ct),
            StepActivity.CleanUp => await Brought(work, parent, ExecutionEventKind.CommitAsked, ct),
            _ => await Executed(work, parent, ct),
        };
    }

    async Task<StepResult> Looked(StepWork work, CancellationToken ct)
        => await Evaluate(work, ct) is [var problem, ..] ? StepResult.Failed($"{problem.Problem} {problem.Advice}")
            : StepResult.Done($"Would execute '{work.Step.Runbook!.Name}', in which nothing stands in the way.");

    async Task<StepResult> Executed(StepWork work, ExecutionId parent, CancellationToken ct)
    {
        var id = IdOf(work.IdempotencyKey);
        try
        {
            if (await children.Find(id, ct) is null)
            {
                foreach (var former in await children.Of(parent, work.Step.Name, ct)) await EndFormer(work, former.Id, ct);
                await parts.GetRequiredService<ExecutionStart>().BeginPart(parent, work.Step, id, ct);
            }
            while (true)
            {
                var child = await children.Find(id, ct) ?? throw ExecutionTable.NotThere();
                if (child.State.Phase is ExecutionPhase.Ended or ExecutionPhase.AwaitingCommit) return Result(work, child);
                await HandOn(work, child, ct);
                await Task.Delay(LookEvery, clock, ct);
            }
        }
        catch (BackupDrException e) when (!e.IsTransient) { return StepResult.Failed($"{e.Message} {e.Hint}".TrimEnd()); }
        catch (OperationCanceledException)
        {
            await Leave(work, parent, id);
            throw;
        }
    }

    /// <summary>Hands on what the execution above wants now.</summary>
    async Task HandOn(StepWork work, ChildState child, CancellationToken ct)
    {
        var by = ChildExecutions.By(work.Runbook);
        var isOpen = child.State.Phase is ExecutionPhase.Running or ExecutionPhase.Paused;
        switch (child.Parent)
        {
            case { Phase: ExecutionPhase.Paused, IsPauseAsked: true } when child.State.Phase == ExecutionPhase.Running:
                await children.Tell(child.Id, ExecutionEventKind.PauseAsked, by, ct);
                break;
            case { Phase: ExecutionPhase.Running } when child.State is { Phase: ExecutionPhase.Paused, IsPauseAsked: true }
                && child.State.Reason?.StartsWith(by, StringComparison.Ordinal) == true:
                await children.Tell(child.Id, ExecutionEventKind.ResumeAsked, by, ct);
                break;
            case { Phase: ExecutionPhase.Stopping, Outcome: ExecutionOutcome.Stopped } when isOpen:
                await children.Tell(child.Id, ExecutionEventKind.StopAsked, by, ct);
                break;
            case { Phase: ExecutionPhase.RollingBack } when isOpen:
                if (!await children.Tell(child.Id, ExecutionEventKind.RollBackAsked, by, ct))
                    await children.Tell(child.Id, ExecutionEventKind.StopAsked, by, ct);   // it passed its point of no return
                break;
        }
    }

    /// <summary>A former try is brought to its end before another one begins: a runbook is executed once at a time.</summary>
    async Task EndFormer(StepWork work, ExecutionId id, CancellationToken ct)
    {
        while (await children.Find(id, ct) is { State.Phase: not ExecutionPhase.Ended } former)
        {
            await children.Tell(id, former.State.Phase == ExecutionPhase.AwaitingCommit ? ExecutionEventKind.CommitAsked
                : ExecutionEventKind.StopAsked, ChildExecutions.By(work.Runbook), ct);
            await Task.Delay(LookEvery, clock, ct);
        }
    }

    /// <summary>Brings what this step executed to an end: undone, or with what it put up taken down.</summary>
    async Task<StepResult> Brought(StepWork work, ExecutionId parent, ExecutionEventKind wish, CancellationToken ct)
    {
        var isUndo = wish == ExecutionEventKind.RollBackAsked;
        var told = new List<string>();
        foreach (var one in await children.Of(parent, work.Step.Name, ct))
        {
            var now = one;
            while (now.State.Phase != ExecutionPhase.Ended)
            {
                if (now.State.Phase == ExecutionPhase.AwaitingCommit || isUndo)
                {
                    if (!await children.Tell(one.Id, wish, ChildExecutions.By(work.Runbook), ct) && isUndo && now.State.IsPastReturn)
                        return StepResult.Failed($"{one.Id} passed its point of no return, and is not undone.");
                }
                else await children.Tell(one.Id, ExecutionEventKind.StopAsked, ChildExecutions.By(work.Runbook), ct);
                await Task.Delay(LookEvery, clock, ct);
                now = await children.Find(one.Id, ct) ?? throw ExecutionTable.NotThere();
            }
            if (now.State.HasLeftovers) return StepResult.Failed($"{one.Id} left something behind: look at it.");
            if (isUndo && now.State.Outcome != ExecutionOutcome.RolledBack && now.State.Steps.Any(step => step.WasBegun))
                return StepResult.Failed($"{one.Id} was over already, and is not undone: look at it.");
            told.Add(one.Id.ToString());
        }
        return StepResult.Done(told.Count == 0 ? "Nothing was executed."
            : $"{(isUndo ? "Undone" : "Cleaned up")}: {string.Join(", ", told)}.");
    }

    /// <summary>Stops the child where the step's time is over or nobody wants it any more; where this node only gives it up, another one
    /// goes on with it.</summary>
    async Task Leave(StepWork work, ExecutionId parent, ExecutionId id)
    {
        using var late = new CancellationTokenSource(Farewell, clock);
        try
        {
            if (work.Now(clock) < work.Until - Margin && await IsWanted(work, parent, late.Token)) return;
            await children.Tell(id, ExecutionEventKind.StopAsked, ChildExecutions.By(work.Runbook), late.Token);
        }
        // Once the execution above is over, whichever node sees it stops this one too.
        catch (Exception e) when (e is BackupDrException or OperationCanceledException || Outage.Is(e)) { return; }
    }

    Task<bool> IsWanted(StepWork work, ExecutionId parent, CancellationToken ct)
        => db.Scalar<bool>("select exists (select from activity where execution_id = $1 and step = $2 and attempt = $3)",
            [parent, work.Step.Name, work.Attempt], ct);

    static StepResult Result(StepWork work, ChildState child)
    {
        var (name, state) = (work.Step.Runbook!.Name, child.State);
        var outputs = new Dictionary<string, string>
        {
            ["execution"] = child.Id.ToString(),
            ["version"] = child.Version.ToString(CultureInfo.InvariantCulture),
            ["outcome"] = $"{state.Outcome}",
        };
        // So that the age of the oldest of what came back counts above as well.
        if (ExecutionEvidence.AchievedRpo(state) is { } age)
            outputs[ExecutionEvidence.Newest] = (state.StartedAt - TimeSpan.FromSeconds(age)).UtcDateTime.ToString("O",
                CultureInfo.InvariantCulture);
        return state.Outcome == ExecutionOutcome.Succeeded
            ? StepResult.Done($"'{name}' was executed: {state.Steps.Count(step => step.Phase == StepPhase.Done)} of {state.Steps.Count} "
                + "steps were done.", outputs)
            : StepResult.Failed($"'{name}' did not succeed ({state.Outcome}): {state.Reason}", outputs);
    }

    /// <summary>The same id for the same attempt, on whichever node.</summary>
    internal static ExecutionId IdOf(string key) => ExecutionId.From(new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(key)).AsSpan(0, 16)));
}
