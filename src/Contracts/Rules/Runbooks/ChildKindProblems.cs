using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>What is wrong by itself with steps that execute another runbook; <see cref="RunbookTree"/> says what is wrong with that one.
/// </summary>
static class ChildKindProblems
{
    const int LongestName = 100;

    /// <summary>Adds it.</summary>
    public static void Of(StepSpec step, string at, List<RunbookProblem> problems)
    {
        if (step.Kind != StepKind.Runbook)
        {
            if (step.Runbook is not null)
                problems.Add(new($"{at}.runbook", "Only a step of the kind Runbook executes another one.", "Leave it out."));
            return;
        }
        if (step.Runbook is null)
            problems.Add(new($"{at}.runbook", "It does not say which runbook is executed.", "Give runbook: with name."));
        else if (step.Runbook.Name.Length is 0 or > LongestName || StepVariables.Has(step))
            problems.Add(new($"{at}.runbook.name", $"'{step.Runbook.Name}' is no name of a runbook.",
                "The name of one, as on the page of runbooks; nothing that a step finds out."));
        if (step.IsAlways)
            problems.Add(new($"{at}.isAlways", "A runbook is not executed however the others ended: it may want to be undone.",
                "Leave it out."));
    }
}
