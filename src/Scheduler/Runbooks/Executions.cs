using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Executions, the newest first.</summary>
public sealed class ListExecutions(Postgres db)
{
    public Task<IReadOnlyList<ExecutionSummary>> Handle(Caller caller, ListExecutionsRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        return ExecutionTable.List(db, request.Runbook, request.Open, ct);
    }
}

/// <summary>One execution.</summary>
public sealed class ShowExecution(Postgres db)
{
    public Task<ExecutionView> Handle(Caller caller, ShowExecutionRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        return ExecutionTable.Get(db, request.Id, ct);
    }
}

/// <summary>What happened to an execution.</summary>
public sealed class ListExecutionEvents(Postgres db)
{
    public Task<IReadOnlyList<ExecutionEventLine>> Handle(Caller caller, ListExecutionEventsRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        return ExecutionTable.Events(db, request.Id, request.After, ct);
    }
}

/// <summary>What a person does to an execution.</summary>
public sealed class ActOnExecution(Postgres db, IServiceProvider parts)
{
    internal const int LongestText = 2_000;

    /// <summary>Does it. What leaves out a critical step is kept until a second person asks for the same.</summary>
    /// <exception cref="BadInputException">A member is missing or too long.</exception>
    /// <exception cref="ConflictException">"execution.not_now": it does not fit the execution as it is.</exception>
    public async Task<ExecutionView> Handle(Caller caller, ActOnExecutionRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRehearse);
        var text = TextOf(request.Text);
        var now = await ExecutionTable.Get(db, request.Id, ct);
        if (now.Summary.Mode != ExecutionMode.Rehearsal) caller.Must(Right.RunbookExecute);
        if (request.Action is ExecutionAction.Retry or ExecutionAction.Skip or ExecutionAction.ByHand && string.IsNullOrEmpty(request.Step))
            throw new BadInputException("step", "It does not say which step.", "Name the step that failed.");
        if (request.Action == ExecutionAction.Commit && now.Summary.Parent is { } above)
            throw new ConflictException("execution.not_now", $"It is a part of {above}: its result counts when that one's does.",
                "Look at that execution.");
        var work = parts.GetRequiredService<ActivityWork>();
        var taken = await db.InTransaction(async tx =>
        {
            var (happened, isProposed) = await Second(tx, caller, EventOf(caller, request, text), request, ct);
            if (isProposed) return null;
            var result = await parts.GetRequiredService<TakeEvents>().Take(tx, request.Id, [new Arrival(happened)], work.AtOnce, ct);
            await Audit.Add(tx, caller, $"execution.{request.Action.ToString().ToLowerInvariant()}", request.Id.ToString(),
                $"{request.Step} {text}".Trim(), ct);
            return result;
        }, ct);
        if (taken is not null) work.Follow(request.Id, taken);
        return await ExecutionTable.Get(db, request.Id, ct);
    }

    /// <exception cref="BadInputException">It is too long.</exception>
    internal static string? TextOf(string? text) => text?.Trim() is not { Length: > 0 } trimmed ? null
        : trimmed.Length <= LongestText ? trimmed
        : throw new BadInputException("text", $"It has {trimmed.Length} characters.", $"At most {LongestText}.");

    static ExecutionEvent EventOf(Caller caller, ActOnExecutionRequest request, string? text) => new()
    {
        Kind = request.Action switch
        {
            ExecutionAction.Pause => ExecutionEventKind.PauseAsked,
            ExecutionAction.Resume => ExecutionEventKind.ResumeAsked,
            ExecutionAction.Retry => ExecutionEventKind.RetryAsked,
            ExecutionAction.Skip => ExecutionEventKind.SkipAsked,
            ExecutionAction.ByHand => ExecutionEventKind.ByHandSaid,
            ExecutionAction.RollBack => ExecutionEventKind.RollBackAsked,
            ExecutionAction.Stop => ExecutionEventKind.StopAsked,
            ExecutionAction.Commit => ExecutionEventKind.CommitAsked,
            _ => throw new BadInputException("action", $"'{request.Action}' is nothing that can be done.", "See the page of the API."),
        },
        At = default,
        Step = request.Action is ExecutionAction.Retry or ExecutionAction.Skip or ExecutionAction.ByHand ? request.Step : null,
        By = caller.Name,
        Text = text,
    };

    /// <summary>For a critical step two have to say the same: the first is kept, the second makes it count.</summary>
    static async Task<(ExecutionEvent Happened, bool IsProposed)> Second(Transaction tx, Caller caller, ExecutionEvent happened,
        ActOnExecutionRequest request, CancellationToken ct)
    {
        if (happened.Kind is not (ExecutionEventKind.SkipAsked or ExecutionEventKind.ByHandSaid)) return (happened, false);
        var (state, proposal) = await tx.First("select state, proposal from execution where id = $1 for update", [request.Id],
            row => (row.Json("state", WireJson.Default.Execution)!, row.Json("proposal", WireJson.Default.ExecutionProposal)), ct);
        var view = await ExecutionTable.Get(tx, request.Id, ct);
        var spec = view.Spec.Steps.FirstOrDefault(step => step.Name == happened.Step);
        var step = state.Steps.FirstOrDefault(one => one.Name == happened.Step);
        if (spec is not { Impact: StepImpact.Critical } || step is not { IsOpen: true }) return (happened, false);
        if (caller.Person is null) throw new DeniedException($"{caller.Name} is no person, and a critical step is left to persons.",
            "Sign in and do it on the page of the execution.");
        if (ExecutionTable.IsOpen(state, proposal) && proposal is { } first && first.Action == request.Action
            && first.Step == happened.Step && first.By != caller.Name)
            return (happened with { By = first.By, Second = caller.Name, Text = first.Text }, false);
        if (happened.Text is null) throw new BadInputException("text", "It does not say why, or what was seen.", "In a sentence.");
        await tx.Execute("update execution set proposal = $2 where id = $1", [request.Id, JsonText.Of(new ExecutionProposal(request.Action,
            happened.Step!, step.Attempt, caller.Name, happened.Text), WireJson.Default.ExecutionProposal)], ct);
        await Notifications.Changed(tx, "executions", request.Id.ToString(), ct);
        await Audit.Add(tx, caller, "execution.propose", request.Id.ToString(), $"{request.Action} {happened.Step} {happened.Text}", ct);
        return (happened, true);
    }
}

/// <summary>The answer of a person to an approval.</summary>
public sealed class ApproveStep(Postgres db, IServiceProvider parts)
{
    /// <exception cref="DeniedException">The caller is no person.</exception>
    /// <exception cref="ConflictException">"execution.not_now": nobody is asked, or this one said yes already.</exception>
    public async Task<ExecutionView> Handle(Caller caller, ApproveStepRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookApprove);
        var text = ActOnExecution.TextOf(request.Text);
        await ExecutionTable.Get(db, request.Id, ct);
        if (caller.Person is null) throw new DeniedException($"{caller.Name} is no person, and approvals ask persons.",
            "Sign in and answer on the page of the execution.");
        var work = parts.GetRequiredService<ActivityWork>();
        var taken = await db.InTransaction(async tx =>
        {
            var result = await parts.GetRequiredService<TakeEvents>().Take(tx, request.Id, [new Arrival(new ExecutionEvent
            {
                Kind = request.Yes ? ExecutionEventKind.Approved : ExecutionEventKind.Refused,
                At = default,
                Step = request.Step,
                By = caller.Name,
                Text = text,
            })], work.AtOnce, ct);
            await Audit.Add(tx, caller, $"execution.{(request.Yes ? "approve" : "refuse")}", request.Id.ToString(),
                $"{request.Step} {text}".Trim(), ct);
            return result;
        }, ct);
        work.Follow(request.Id, taken);
        return await ExecutionTable.Get(db, request.Id, ct);
    }
}
