using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Web.Parts;

/// <summary>How a state looks: three severities and two neutral marks, each with its own shape and colour.</summary>
public enum Tone { Proven, Unproven, Broken, Running, Off }

/// <summary>The look and the word of every state that the console shows. Nothing else decides them.</summary>
public static class Tones
{
    public static (Tone Tone, string Word) Of(ItemState state) => state switch
    {
        ItemState.Proven => (Tone.Proven, "Proven"),
        ItemState.Unproven => (Tone.Unproven, "Unproven"),
        ItemState.Incomplete => (Tone.Unproven, "Incomplete"),
        ItemState.Overdue => (Tone.Broken, "Overdue"),
        ItemState.Failed => (Tone.Broken, "Broken"),
        ItemState.New => (Tone.Off, "No point yet"),
        ItemState.Off => (Tone.Off, "Off"),
        _ => (Tone.Off, "Unknown"),
    };

    public static (Tone Tone, string Word) Of(RunState state) => state switch
    {
        RunState.Queued => (Tone.Off, "Waiting"),
        RunState.Leased => (Tone.Running, "Starting"),
        RunState.Running => (Tone.Running, "Running"),
        RunState.Complete => (Tone.Proven, "Complete"),
        RunState.Incomplete => (Tone.Unproven, "Incomplete"),
        RunState.Failed => (Tone.Broken, "Failed"),
        _ => (Tone.Off, "Cancelled"),
    };

    /// <summary>A drill that came to its end and proved nothing is not what a person reads as complete.</summary>
    public static (Tone Tone, string Word) Of(Run run) => run is { State: RunState.Complete, Result.Drill: { } drill } ? drill.Result switch
    {
        ProofResult.Proven => (Tone.Proven, "Proven"),
        ProofResult.Failed => (Tone.Broken, "Proof failed"),
        _ => (Tone.Off, "Skipped"),
    } : Of(run.State);

    public static (Tone Tone, string Word) Of(HostState state) => state switch
    {
        HostState.Online => (Tone.Proven, "Online"),
        HostState.Silent => (Tone.Unproven, "Silent"),
        HostState.Waiting => (Tone.Unproven, "Waits for approval"),
        _ => (Tone.Off, "Retired"),
    };

    public static (Tone Tone, string Word) Of(NodeState state) => state switch
    {
        NodeState.Online => (Tone.Proven, "Online"),
        NodeState.Draining => (Tone.Running, "Draining"),
        NodeState.Drained => (Tone.Off, "Drained"),
        NodeState.Stopped => (Tone.Off, "Stopped"),
        _ => (Tone.Broken, "Silent"),
    };

    public static (Tone Tone, string Word) Of(RepositoryState state) => state switch
    {
        RepositoryState.Ready => (Tone.Proven, "Ready"),
        RepositoryState.Pending => (Tone.Off, "Pending"),
        _ => (Tone.Broken, "Failed"),
    };

    public static (Tone Tone, string Word) Of(RepositorySummary repository) => repository switch
    {
        { State: RepositoryState.Pending, Adoption.IsLooking: true } => (Tone.Running, "Being looked through"),
        { State: RepositoryState.Pending, Adoption: not null } => (Tone.Off, "Not looked through"),
        { State: RepositoryState.Failed, Adoption: not null } => (Tone.Broken, "Not adopted"),
        { State: RepositoryState.Ready, Adoption.Problem: not null } => (Tone.Unproven, "Needs a look"),
        { State: RepositoryState.Ready, Adoption: not null } => (Tone.Proven, "Adopted"),
        _ => Of(repository.State),
    };

    /// <summary>Of one line of a test. What no backup needs is no fault where it is missing.</summary>
    public static (Tone Tone, string Word) Of(ProbeLine line) => (line.Result, line.Ability) switch
    {
        (ProbeResult.Works, _) => (Tone.Proven, "Works"),
        (ProbeResult.Untested, _) => (Tone.Off, "Untested"),
        (_, ProbedAbility.ObjectLock or ProbedAbility.Versions or ProbedAbility.StorageClasses) => (Tone.Off, "Does not"),
        (_, ProbedAbility.NoOverwrite or ProbedAbility.OneWinner or ProbedAbility.Clock or ProbedAbility.CleanUp)
            => (Tone.Unproven, "Does not"),
        _ => (Tone.Broken, "Does not"),
    };

    public static (Tone Tone, string Word) Of(LocationTest? test)
    {
        if (test is null) return (Tone.Off, "Not tested");
        var worst = test.Lines.Select(line => Of(line).Tone).ToHashSet();
        return worst.Contains(Tone.Broken) ? (Tone.Broken, "Not usable")
            : worst.Contains(Tone.Unproven) ? (Tone.Unproven, "Usable with care") : (Tone.Proven, "Tested");
    }

    public static (Tone Tone, string Word) Of(Replica replica) => replica switch
    {
        { TriedAt: null } => (Tone.Running, "Being filled"),
        { Problem: not null } => (Tone.Broken, "Not up to date"),
        { PointsBehind: > 0 } => (Tone.Unproven, "Behind"),
        _ => (Tone.Proven, "Equal"),
    };

    public static (Tone Tone, string Word) Of(SourceFinding finding) => finding.Severity switch
    {
        SourceSeverity.Blocking => (Tone.Broken, "Stands in the way"),
        SourceSeverity.Warning => (Tone.Unproven, "Works, with less"),
        _ => (Tone.Off, "Good to know"),
    };

    public static (Tone Tone, string Word) Of(Alert alert) => alert switch
    {
        { ClearedAt: not null } => (Tone.Off, "Over"),
        { AcknowledgedUntil: not null } => (Tone.Off, "Acknowledged"),
        { Severity: AlertSeverity.Broken } => (Tone.Broken, "Broken"),
        _ => (Tone.Unproven, "Warning"),
    };

    public static (Tone Tone, string Word) OfUpkeep(bool allowed) => allowed ? (Tone.Proven, "Allowed") : (Tone.Off, "Not allowed");

    public static (Tone Tone, string Word) Of(Unprotected found) => found switch
    {
        { HiddenAt: not null } => (Tone.Off, "Hidden"),
        { Coverage: Coverage.Partly } => (Tone.Unproven, "Partly"),
        _ => (Tone.Broken, "Unprotected"),
    };

    public static (Tone Tone, string Word) Of(RecoveryPoint point) => point switch
    {
        { ForgottenAt: not null } => (Tone.Off, "Forgotten"),
        { GoneAt: not null } => (Tone.Off, "Gone"),
        { IsBeingForgotten: true } => (Tone.Off, "Being forgotten"),
        { Proof: ProofResult.Failed } => (Tone.Broken, "Proof failed"),
        { IsComplete: false } => (Tone.Unproven, "Incomplete"),
        { Proof: ProofResult.Proven } => (Tone.Proven, "Proven"),
        _ => (Tone.Unproven, "Unproven"),
    };

    public static (Tone Tone, string Class) Of(SafetyAnswer answer) => answer switch
    {
        SafetyAnswer.Yes => (Tone.Proven, "answer-yes"),
        SafetyAnswer.Mostly => (Tone.Unproven, "answer-mostly"),
        SafetyAnswer.No => (Tone.Broken, "answer-no"),
        SafetyAnswer.Empty => (Tone.Off, "answer-empty"),
        _ => (Tone.Off, "answer-unknown"),
    };
}
