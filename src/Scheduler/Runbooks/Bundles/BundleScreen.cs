using System.Globalization;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>What whoever executes a bundle sees: a line for each change, and what waits for an answer. Safe for concurrent use.</summary>
/// <param name="output">Where lines go.</param>
/// <param name="clock">The time.</param>
sealed class BundleScreen(TextWriter output, TimeProvider clock)
{
    readonly Lock _one = new();
    string _asked = "";

    /// <summary>What can be typed.</summary>
    public const string Words = """
        retry STEP · skip STEP WHY · byhand STEP WHAT · yes STEP · no STEP WHY · report TEXT · fail STEP WHY
        pause · resume · rollback WHY · stop WHY · commit · a word @NAME names the second person, or who says yes
        """;

    /// <summary>Says something.</summary>
    public void Say(string text)
    {
        lock (_one)
            output.WriteLine($"{clock.GetUtcNow().UtcDateTime.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture)}  {text}");
    }

    /// <summary>Shows what changed.</summary>
    public void Changed(Execution? before, Execution after)
    {
        for (var place = 0; place < after.Steps.Count; place++)
        {
            var (was, now) = (before?.Steps[place], after.Steps[place]);
            if (was is not null && was.Phase == now.Phase && was.Attempt == now.Attempt && was.Undone == now.Undone
                && was.CleanedUp == now.CleanedUp) continue;
            if (was is null && now.Phase == StepPhase.Waiting) continue;
            Say($"{now.Name}: {Course(now)}{(now.Phase == StepPhase.Running || now.Reason is null ? "" : $". {now.Reason}")}");
        }
        if (before?.Phase != after.Phase && after.Phase != ExecutionPhase.Running)
            Say($"The execution is {Decision.Words(after.Phase)}{(after.Reason is null ? "" : $". {after.Reason}")}");
    }

    static string Course(StepState step) => step switch
    {
        { Undone: AfterwardsState.Running } => "is being undone",
        { Undone: AfterwardsState.Done } => "was undone",
        { CleanedUp: AfterwardsState.Running } => "is being cleaned up",
        { CleanedUp: AfterwardsState.Done } => "was cleaned up",
        { Phase: StepPhase.Running } => $"at work, attempt {step.Attempt.ToString(CultureInfo.InvariantCulture)}",
        { Phase: StepPhase.Done } => "done",
        { Phase: StepPhase.Failed } => "failed",
        { Phase: StepPhase.Skipped } => "left out",
        { Phase: StepPhase.ByHand } => "done by hand",
        { Phase: StepPhase.LeftOut } => "not done",
        _ => "waits",
    };

    /// <summary>Shows once what waits for an answer.</summary>
    public void Asks(RunbookGraph graph, Execution state)
    {
        var asked = new List<string>();
        foreach (var step in state.Steps)
        {
            var spec = graph.Spec.Steps[graph.PlaceOf(step.Name)];
            if (step.IsOpen)
            {
                var second = spec.Impact == StepImpact.Critical
                    ? $" (it is critical: the last two need a second person, as in: byhand {step.Name} @bob what was seen)" : "";
                asked.Add($"'{step.Name}' waits for your choice: retry, skip or byhand{second}, "
                    + $"{(state.IsPastReturn ? "" : "rollback, ")}or stop.");
            }
            if (spec.Kind == StepKind.Approval && step.Phase == StepPhase.Running)
                asked.Add($"'{step.Name}' asks: {spec.Approval?.Asks ?? spec.Title ?? step.Name} "
                    + $"(yes {step.Name} @NAME, or no; {step.Approvers.Count} of {spec.Approval?.Of ?? 1} said yes)");
        }
        if (state.Phase == ExecutionPhase.AwaitingCommit) asked.Add("All is done: commit, or rollback.");
        if (state is { Phase: ExecutionPhase.Paused, IsPauseAsked: true }) asked.Add("It is paused: resume, or stop.");
        var all = string.Join('\n', asked);
        if (all == _asked) return;
        _asked = all;
        foreach (var line in asked) Say($">>> {line}");
    }

    /// <summary>Reads what was typed.</summary>
    /// <param name="line">The line.</param>
    /// <param name="by">Who types.</param>
    /// <param name="problem">What is wrong with it.</param>
    public static BundleAnswer? Read(string line, string by, out string? problem)
    {
        problem = null;
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ToList();
        var other = words.FirstOrDefault(word => word.Length > 1 && word[0] == '@')?[1..];
        words.RemoveAll(word => word.Length > 1 && word[0] == '@');
        var rest = words.Count > 2 ? string.Join(' ', words.Skip(2)) : null;
        var all = words.Count > 1 ? string.Join(' ', words.Skip(1)) : null;
        BundleAnswer Of(ExecutionEventKind kind, string? step, string? text) => new() { Kind = kind, Step = step, Text = text, By = by };
        BundleAnswer? answer = words switch
        {
            ["retry", var step] => Of(ExecutionEventKind.RetryAsked, step, null),
            ["skip", var step, _, ..] => Of(ExecutionEventKind.SkipAsked, step, rest) with { Second = other },
            ["byhand", var step, _, ..] => Of(ExecutionEventKind.ByHandSaid, step, rest) with { Second = other },
            ["yes", var step, ..] => Of(ExecutionEventKind.Approved, step, rest) with { By = other ?? by },
            ["no", var step, ..] => Of(ExecutionEventKind.Refused, step, rest) with { By = other ?? by },
            ["report", var text] => Of(ExecutionEventKind.Reported, null, null) with { Report = text },
            ["fail", var step, _, ..] => Of(ExecutionEventKind.Reported, step, rest),
            ["pause"] => Of(ExecutionEventKind.PauseAsked, null, null),
            ["resume"] => Of(ExecutionEventKind.ResumeAsked, null, null),
            ["rollback", ..] => Of(ExecutionEventKind.RollBackAsked, null, all),
            ["stop", ..] => Of(ExecutionEventKind.StopAsked, null, all),
            ["commit"] => Of(ExecutionEventKind.CommitAsked, null, null),
            _ => null,
        };
        if (answer is null) problem = $"Not understood. {Words}";
        return answer;
    }
}
