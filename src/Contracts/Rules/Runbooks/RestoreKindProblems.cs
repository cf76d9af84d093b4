using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>What is wrong with steps that bring something back.</summary>
static class RestoreKindProblems
{
    /// <summary>Adds it.</summary>
    public static void Of(StepSpec step, string at, List<RunbookProblem> problems)
    {
        var restores = step.Kind is StepKind.RestoreDatabase or StepKind.RestoreFiles;
        if (restores && step.Restore is null)
            problems.Add(new(at, "It does not say what is brought back.", "Give restore: with item."));
        if (!restores && step.Restore is not null)
            problems.Add(new(at, $"A step of the kind {step.Kind} brings nothing back.", "Leave it out."));
    }
}
