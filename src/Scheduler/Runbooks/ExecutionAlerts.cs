using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Which alerts an execution wants: what waits for a person, and what it left behind.</summary>
static class ExecutionAlerts
{
    /// <summary>Raises and clears what an event changed, in its transaction.</summary>
    public static async Task Tell(Transaction tx, AlertBook book, (ExecutionId Id, string Runbook, RunbookSpec Spec) execution,
        Execution? before, Execution after, CancellationToken ct)
    {
        var (id, runbook, spec) = execution;
        List<RaisedAlert> Open(Execution state) => [.. Asked(id, runbook, spec, state).Append(Waiting(id, runbook, state))
            .OfType<RaisedAlert>()];
        var (had, wants) = (before is null ? [] : Open(before), Open(after));
        foreach (var one in wants.Where(one => had.All(other => other.Cause != one.Cause || other.Title != one.Title)))
            await book.Raise(tx, one, ct);
        foreach (var gone in had.Where(one => wants.All(other => other.Cause != one.Cause))) await book.Clear(tx, gone.Cause, ct);
        if (after.HasLeftovers && before is not { HasLeftovers: true }) await book.Raise(tx, Leftovers(id, runbook, after), ct);
    }

    /// <summary>Approvals that people are asked for.</summary>
    static IEnumerable<RaisedAlert?> Asked(ExecutionId id, string runbook, RunbookSpec spec, Execution state) => spec.Steps.Zip(state.Steps)
        .Where(one => one.First.Kind == StepKind.Approval && one.Second.Phase == StepPhase.Running).Select(one => new RaisedAlert
        {
            Cause = $"execution:{id}:asks:{one.First.Name}",
            Kind = AlertKind.ExecutionWaits,
            Severity = state.Mode == ExecutionMode.Rehearsal ? AlertSeverity.Warning : AlertSeverity.Broken,
            Title = $"The {Mode(state.Mode)} of '{runbook}' asks: {Question(one.First)}",
            Effect = $"What needs '{one.First.Name}' is not begun until {(one.First.Approval?.Of ?? 1) switch
            {
                1 => "somebody says yes",
                var several => $"{several} persons say yes",
            }}.",
            Action = "Answer it.",
            ActionUrl = $"/executions/{id}",
        });

    static string Question(StepSpec step) => step.Approval?.Asks is not { Length: > 0 } asks ? $"approve '{step.Title ?? step.Name}'."
        : asks.Length <= LongestQuestion ? asks : $"{asks[..LongestQuestion]}…";

    const int LongestQuestion = 200;

    static RaisedAlert? Waiting(ExecutionId id, string runbook, Execution state)
    {
        var what = state.Phase switch
        {
            ExecutionPhase.Paused when state.Steps.FirstOrDefault(step => step.IsOpen) is { } open
                => $"the step '{open.Name}' failed, and somebody has to choose how it goes on",
            ExecutionPhase.AwaitingCommit when !state.IsHeld => "all steps are done, and somebody has to say that the result counts",
            _ => null,
        };
        return what is null ? null : new RaisedAlert
        {
            Cause = $"execution:{id}:waits",
            Kind = AlertKind.ExecutionWaits,
            Severity = state.Mode == ExecutionMode.Rehearsal ? AlertSeverity.Warning : AlertSeverity.Broken,
            Title = $"The {Mode(state.Mode)} of '{runbook}' waits: {what}.",
            Effect = state.Phase == ExecutionPhase.AwaitingCommit ? "When its time ends it is decided as the runbook says."
                : "Nothing further is begun until then.",
            Action = "Look at the execution and choose.",
            ActionUrl = $"/executions/{id}",
        };
    }

    static RaisedAlert Leftovers(ExecutionId id, string runbook, Execution state)
    {
        var steps = string.Join(", ", state.Steps.Where(step => step.Undone == AfterwardsState.Failed
            || step.CleanedUp == AfterwardsState.Failed).Select(step => $"'{step.Name}'"));
        return new RaisedAlert
        {
            Cause = $"execution:{id}:left",
            Kind = AlertKind.ExecutionLeftovers,
            Severity = AlertSeverity.Warning,
            Title = $"The {Mode(state.Mode)} of '{runbook}' left something behind: {steps} could not be cleaned up or undone.",
            Effect = "It takes room, or answers where nothing should.",
            Action = "Take it down by hand; the execution tells what it is.",
            ActionUrl = $"/executions/{id}",
        };
    }

    static string Mode(ExecutionMode mode) => mode switch
    {
        ExecutionMode.Rehearsal => "rehearsal",
        ExecutionMode.Planned => "planned failover",
        ExecutionMode.Disaster => "disaster failover",
        _ => "failback",
    };
}
