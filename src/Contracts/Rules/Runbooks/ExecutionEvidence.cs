using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>Whose execution it is.</summary>
/// <param name="Execution">Text form of its id.</param>
/// <param name="Runbook">Name of the runbook.</param>
/// <param name="Version">Its version.</param>
/// <param name="Hash">SHA-256 of that version, in lower-case hex.</param>
/// <param name="By">Who began it.</param>
/// <param name="Why">Why.</param>
/// <param name="PartOf">The execution that it was a step of; null for none.</param>
public sealed record ExecutionFacts(string Execution, string Runbook, int Version, string Hash, string By, string Why,
    string? PartOf = null);

/// <summary>An execution that was a step of another one, or of one of those.</summary>
/// <param name="Way">The step, behind those above it: "site/db".</param>
/// <param name="Execution">Text form of its id.</param>
/// <param name="Runbook">Name of its runbook.</param>
/// <param name="Version">Its version.</param>
/// <param name="Hash">SHA-256 of that version, in lower-case hex.</param>
/// <param name="State">How it is when the one above is over.</param>
public sealed record ExecutedPart(string Way, string Execution, string Runbook, int Version, string Hash, Execution State);

/// <summary>What an execution leaves as evidence: each step with its times, what was not done and why, who said yes, what a person answered
/// for, what was left, and what was reached of the objectives.</summary>
public static class ExecutionEvidence
{
    /// <summary>The kind of the record.</summary>
    public const string Kind = "execution";
    /// <summary>Outputs of steps that tell of what moment the newest data is that is there afterwards, ISO 8601.</summary>
    public const string Newest = "newest", TakenAt = "takenAt";

    /// <summary>Of an execution that is over, with what was executed below it.</summary>
    public static EvidenceBody Of(RunbookSpec spec, Execution execution, ExecutionFacts facts, IReadOnlyList<ExecutedPart> parts)
    {
        var own = Of(spec, execution, facts);
        if (parts.Count == 0) return own;
        var all = parts.Select(part => (part.Way, Body: Of(new RunbookSpec(), part.State, facts))).ToList();
        IReadOnlyList<EvidenceOmission> Sum(Func<EvidenceBody, IReadOnlyList<EvidenceOmission>?> of) => [.. of(own) ?? [],
            .. all.SelectMany(part => (of(part.Body) ?? []).Select(one => one with { Name = $"{part.Way}/{one.Name}" }))];
        return own with
        {
            NotDone = Sum(body => body.NotDone),
            Deviations = Sum(body => body.Deviations),
            Leftovers = Sum(body => body.Leftovers),
            Approvals = [.. own.Approvals ?? [], .. all.SelectMany(part => (part.Body.Approvals ?? [])
                .Select(one => one with { Step = $"{part.Way}/{one.Step}" }))],
            PastReturn = YesNo(execution.IsPastReturn || parts.Any(part => part.State.IsPastReturn)),
            Parts = [.. parts.Select(part => new EvidencePart(part.Way, part.Execution, part.Runbook,
                part.Version.ToString(CultureInfo.InvariantCulture), part.Hash, part.State.Outcome?.ToString() ?? "not over"))],
        };
    }

    /// <summary>Of an execution that is over.</summary>
    public static EvidenceBody Of(RunbookSpec spec, Execution execution, ExecutionFacts facts) => new()
    {
        Execution = facts.Execution,
        Runbook = facts.Runbook,
        RunbookVersion = facts.Version.ToString(CultureInfo.InvariantCulture),
        RunbookHash = facts.Hash,
        Mode = Decision.Words(execution.Mode),
        RequestedBy = facts.By,
        Why = facts.Why,
        PartOf = facts.PartOf,
        StartedAt = HashChain.Moment(execution.StartedAt),
        FinishedAt = HashChain.Moment(execution.EndedAt ?? execution.Now),
        Outcome = execution.Outcome?.ToString(),
        Reason = execution.Reason,
        PastReturn = YesNo(execution.IsPastReturn),
        Steps = [.. execution.Steps.Where(step => step.BeganAt is not null).OrderBy(step => step.BeganAt).Select(Step)],
        NotDone = [.. execution.Steps.Where(step => step.BeganAt is null && step.Phase != StepPhase.Done)
            .Select(step => new EvidenceOmission(step.Name, step.Reason ?? "Its turn did not come."))],
        Approvals = [.. execution.Steps.Where(step => step.Approvers.Count > 0)
            .Select(step => new EvidenceApproval(step.Name, step.Approvers, HashChain.Moment(step.EndedAt ?? execution.Now)))],
        Deviations = [.. execution.Steps.Where(step => step.IsDeviation)
            .Select(step => new EvidenceOmission(step.Name, step.Reason ?? "No reason was given."))],
        Leftovers = [.. execution.Steps.Where(step => step.Undone == AfterwardsState.Failed || step.CleanedUp == AfterwardsState.Failed)
            .Select(step => new EvidenceOmission(step.Name, step.Reason ?? "It could not be undone."))],
        // What did not come to a good end achieved nothing, however far it came.
        Rto = HasSucceeded(execution) && spec.Targets.Rto is { } rto && execution.AchievedRto is { } took ? Target(rto, took.TotalSeconds)
            : null,
        Rpo = HasSucceeded(execution) && spec.Targets.Rpo is { } rpo && AchievedRpo(execution) is { } age ? Target(rpo, age) : null,
    };

    static bool HasSucceeded(Execution execution) => execution.Outcome == ExecutionOutcome.Succeeded;

    /// <summary>Seconds from the newest data that is there afterwards to the beginning of the execution: the worst of what the steps found
    /// out; null where none did. What was written after that was never the runbook's to bring back.</summary>
    public static double? AchievedRpo(Execution execution) => execution.Steps
        .Where(step => step.Phase == StepPhase.Done)
        .SelectMany(step => new[] { Newest, TakenAt }.Select(name => step.Outputs.GetValueOrDefault(name)))
        .Select(text => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            ? Math.Max(0, (execution.StartedAt - at).TotalSeconds) : (double?)null)
        .Max();

    static EvidenceStep Step(StepState step) => new(step.Name, HashChain.Moment(step.BeganAt!.Value),
        HashChain.Moment(step.EndedAt ?? step.BeganAt.Value), step.Phase switch
        {
            StepPhase.Done => "done",
            StepPhase.Skipped => "skipped",
            StepPhase.ByHand => "by hand",
            StepPhase.LeftOut => "left out",
            _ => "failed",
        }, Detail(step), step.Attempt.ToString(CultureInfo.InvariantCulture), Digest(step.Outputs));

    static string? Detail(StepState step)
    {
        var afterwards = (step.Undone, step.CleanedUp) switch
        {
            (AfterwardsState.Done, _) => "It was undone.",
            (_, AfterwardsState.Done) => "It was cleaned up.",
            (AfterwardsState.Failed, _) => "It could not be undone.",
            (_, AfterwardsState.Failed) => "It could not be cleaned up.",
            _ => null,
        };
        return (step.Reason, afterwards) switch
        {
            (null, _) => afterwards,
            (_, null) => step.Reason,
            _ => $"{step.Reason} {afterwards}",
        };
    }

    /// <summary>Of the names and values in the order of their names, each followed by a NUL; null for none.</summary>
    static string? Digest(IReadOnlyDictionary<string, string> outputs)
    {
        if (outputs.Count == 0) return null;
        var text = new StringBuilder();
        foreach (var (name, value) in outputs.OrderBy(one => one.Key, StringComparer.Ordinal))
            text.Append(name).Append('\0').Append(value).Append('\0');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    static EvidenceTarget Target(TimeSpan target, double achieved)
        => new(Seconds(target.TotalSeconds), Seconds(achieved), YesNo(achieved <= target.TotalSeconds));

    static string Seconds(double seconds) => seconds.ToString("0.###", CultureInfo.InvariantCulture);

    static string YesNo(bool value) => value ? "yes" : "no";
}
