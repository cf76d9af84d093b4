using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Web.Parts;

namespace BackupDr.Web.Runbooks;

/// <summary>States and kinds of runbooks as people read them.</summary>
public static class RunbookText
{
    public static (Tone Tone, string Word) Of(RunbookState state) => state switch
    {
        RunbookState.Ready => (Tone.Proven, "Ready"),
        RunbookState.NeedsRehearsal => (Tone.Unproven, "Needs rehearsal"),
        RunbookState.Problem => (Tone.Broken, "Problem"),
        _ => (Tone.Off, "Not evaluated"),
    };

    public static (Tone Tone, string Word) Of(ExecutionSummary one) => Of(one.Phase, one.Outcome);

    public static (Tone Tone, string Word) Of(ExecutionPhase phase, ExecutionOutcome? outcome) => (phase, outcome) switch
    {
        (ExecutionPhase.Running, _) => (Tone.Running, "Running"),
        (ExecutionPhase.Paused, _) => (Tone.Unproven, "Waits for a person"),
        (ExecutionPhase.AwaitingCommit, _) => (Tone.Unproven, "Awaits its commit"),
        (ExecutionPhase.Stopping, _) => (Tone.Running, "Stopping"),
        (ExecutionPhase.RollingBack, _) => (Tone.Running, "Rolling back"),
        (ExecutionPhase.CleaningUp, _) => (Tone.Running, "Cleaning up"),
        (_, ExecutionOutcome.Succeeded) => (Tone.Proven, "Succeeded"),
        (_, ExecutionOutcome.RolledBack) => (Tone.Off, "Rolled back"),
        (_, ExecutionOutcome.Stopped) => (Tone.Off, "Stopped"),
        _ => (Tone.Broken, "Failed"),
    };

    public static (Tone Tone, string Word) Of(Contracts.Rules.Runbooks.StepState step) => step switch
    {
        { IsOpen: true } => (Tone.Broken, "Failed: choose"),
        { Activity: StepActivity.Compensate } => (Tone.Running, "Being undone"),
        { Activity: StepActivity.CleanUp } => (Tone.Running, "Being cleaned up"),
        { Undone: AfterwardsState.Failed } => (Tone.Broken, "Not undone"),
        { CleanedUp: AfterwardsState.Failed } => (Tone.Broken, "Not cleaned up"),
        { Undone: AfterwardsState.Done } => (Tone.Off, "Undone"),
        { Phase: StepPhase.Waiting } => (Tone.Off, "Waits"),
        { Phase: StepPhase.Running, TryAt: not null } => (Tone.Unproven, "Tried again soon"),
        { Phase: StepPhase.Running } => (Tone.Running, "At work"),
        { Phase: StepPhase.Done } => (Tone.Proven, "Done"),
        { Phase: StepPhase.Failed } => (Tone.Broken, "Failed"),
        { Phase: StepPhase.Skipped } => (Tone.Unproven, "Left out by a person"),
        { Phase: StepPhase.ByHand } => (Tone.Unproven, "Done by hand"),
        _ => (Tone.Off, "Not executed"),
    };

    /// <summary>Whether a rehearsal by schedule is overdue: it begins by itself when due, so a day later something keeps it from that.
    /// </summary>
    public static bool IsLate(Runbook runbook, DateTimeOffset now) => runbook.Spec.RehearseEvery > TimeSpan.Zero
        && runbook.Open.All(open => open.Mode != ExecutionMode.Rehearsal)
        && now - (runbook.LastRehearsal?.StartedAt ?? runbook.ChangedAt) > runbook.Spec.RehearseEvery + Grace;

    static readonly TimeSpan Grace = TimeSpan.FromDays(1);

    /// <summary>What an execution is, for people: "Rehearsal", "Disaster failover".</summary>
    public static string Mode(ExecutionMode mode) => mode switch
    {
        ExecutionMode.Rehearsal => "Rehearsal",
        ExecutionMode.Planned => "Planned failover",
        ExecutionMode.Disaster => "Disaster failover",
        _ => "Failback",
    };

    /// <summary>"only planned failover"; null for a step of all modes.</summary>
    public static string? Modes(StepSpec step) => step.Modes.Count == 0 ? null
        : $"only {string.Join(", ", step.Modes.Select(mode => Mode(mode).ToLowerInvariant()))}";

    /// <summary>The title of a step, or what its kind does.</summary>
    public static string Title(StepSpec step) => step.Title ?? StepKinds.Of(step.Kind).Title;

    /// <summary>What to know of a step before it is done in earnest, behind its name; empty for nothing.</summary>
    public static string InEarnest(StepSpec step)
    {
        List<string> said = [];
        if (step.Kind == StepKind.Approval)
            said.Add($"{Words.Count((step.Approval ?? new()).Of, "person has", "persons have")} to say yes");
        if (Modes(step) is { } modes) said.Add(modes);
        if (StepKinds.IsPointOfNoReturn(step)) said.Add("point of no return");
        return string.Concat(said.Select(one => $", {one}"));
    }

    /// <summary>Names of the stored secrets that its steps use, each once.</summary>
    public static IReadOnlyList<string> Secrets(RunbookSpec spec) => [.. spec.Steps.SelectMany(step => new[]
    {
        step.Dns?.KeySecret, step.Dns?.Rehearsal?.KeySecret, step.Http?.BearerSecret, step.Http?.Undo?.BearerSecret,
        step.Http?.Rehearsal?.BearerSecret, step.Health?.Http?.BearerSecret, step.Health?.Sql?.ConnectionSecret,
        step.Health?.Rehearsal?.Http?.BearerSecret, step.Health?.Rehearsal?.Sql?.ConnectionSecret,
    }).OfType<string>().Where(name => name.Length > 0).Distinct()];

    /// <summary>"eu-west → eu-north"; empty where neither is named.</summary>
    public static string Sites(RunbookSpec spec) => (spec.From, spec.To) switch
    {
        ("", "") => "",
        ("", var to) => $"→ {to}",
        (var from, "") => from,
        var (from, to) => $"{from} → {to}",
    };

    /// <summary>": ann, bob"; empty for nobody.</summary>
    public static string Names(IReadOnlyList<string> names) => names.Count == 0 ? "" : $": {string.Join(", ", names)}";

    /// <summary>What happened, in a line.</summary>
    public static string Happened(ExecutionEventLine line) => line.Event switch
    {
        null => "It began",
        { Kind: ExecutionEventKind.TimePassed } => "Time passed",
        { Kind: ExecutionEventKind.Reported } one => $"{one.Step}, attempt {one.Attempt}: {Came(one.Outcome)}. {one.Text}",
        var one => $"{one.By}{(one.Second is null ? "" : $" with {one.Second}")} {Said(one.Kind)} {one.Step}".TrimEnd()
            + (one.Text is null ? "" : $": {one.Text}"),
    };

    static string Came(ActivityOutcome outcome) => outcome switch
    {
        ActivityOutcome.Succeeded => "done",
        ActivityOutcome.Failed => "failed",
        _ => "nobody knows",
    };

    static string Said(ExecutionEventKind kind) => kind switch
    {
        ExecutionEventKind.Approved => "said yes to",
        ExecutionEventKind.Refused => "said no to",
        ExecutionEventKind.PauseAsked => "paused it",
        ExecutionEventKind.ResumeAsked => "let it go on",
        ExecutionEventKind.RetryAsked => "tries again",
        ExecutionEventKind.SkipAsked => "left out",
        ExecutionEventKind.ByHandSaid => "did by hand",
        ExecutionEventKind.RollBackAsked => "rolls it back",
        ExecutionEventKind.StopAsked => "stopped it",
        _ => "said that the result counts",
    };
}
