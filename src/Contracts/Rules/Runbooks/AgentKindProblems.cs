using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>What is wrong with the steps that agents carry out.</summary>
static class AgentKindProblems
{
    public static void Of(StepSpec step, string at, List<RunbookProblem> problems)
    {
        var restores = step.Kind is StepKind.RestoreDatabase or StepKind.RestoreFiles;
        if (restores && step.Restore is null)
            problems.Add(new($"{at}.restore", "It does not say what is brought back.", "Write restore: { item: item_… }."));
        if (!restores && step.Restore is not null)
            problems.Add(new($"{at}.restore", $"A step of the kind {step.Kind} brings nothing back.", "Leave it out."));
    }
}
