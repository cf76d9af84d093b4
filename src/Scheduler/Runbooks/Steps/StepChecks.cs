using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>What the kinds that a node carries out have in common before they begin.</summary>
static class StepChecks
{
    /// <summary>What is wrong with the step now that its variables are filled in; null where nothing is.</summary>
    public static StepResult? Problem(StepSpec step)
    {
        var problems = new List<RunbookProblem>();
        KindProblems.Of(step, $"steps.{step.Name}", problems);
        return problems.Count == 0 ? null
            : StepResult.Failed($"{problems[0].Place}: {problems[0].Problem} {problems[0].Advice} Nothing was done.");
    }

    /// <summary>Whether it is only said what would be done: it was asked for, or it is a rehearsal and the step names nothing of its own to
    /// do it at.</summary>
    public static bool IsLookOnly(StepWork work, bool hasBinding) => work.Activity == StepActivity.Simulate
        || (work is { Activity: StepActivity.Execute, Mode: ExecutionMode.Rehearsal } && !hasBinding);

    /// <summary>Whether there is something of production that a rehearsal did not do, and so has nothing to undo or clean up.</summary>
    public static bool WasNotDone(StepWork work, bool hasBinding) => work is
    {
        Mode: ExecutionMode.Rehearsal,
        Activity: StepActivity.CleanUp or StepActivity.Compensate
    } && !hasBinding;

    /// <summary>Problems with a secret that a step names.</summary>
    public static async Task Secret(IStepSecrets secrets, string? name, string place, List<RunbookProblem> problems, CancellationToken ct)
    {
        if (name is not null && await secrets.Find(name, ct) is null)
            problems.Add(new(place, $"There is no stored secret '{name}'.", $"Store it: PUT /api/v1/step-secrets/{name}"));
    }
}
