using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>What the decision function has to know of a kind of step.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Title">What it does, in words.</param>
/// <param name="Rehearsal">What a rehearsal makes of it where the step does not say.</param>
/// <param name="IsRepeatable">Whether it may be done again where nobody knows whether it was done.</param>
/// <param name="CanUndo">Whether it can be undone.</param>
/// <param name="IsFinal">Whether what it did cannot be taken back: a point of no return by itself.</param>
/// <param name="LeavesTraces">Whether a rehearsal has something to clean up after it.</param>
public sealed record KindTraits(StepKind Kind, string Title, InRehearsal Rehearsal, bool IsRepeatable, bool CanUndo, bool IsFinal,
    bool LeavesTraces);

/// <summary>The kinds of steps.</summary>
public static class StepKinds
{
    static readonly Dictionary<StepKind, KindTraits> Table = new KindTraits[]
    {
        new(StepKind.RestoreDatabase, "Restore a database", InRehearsal.Do, true, true, false, true),
        new(StepKind.RestoreFiles, "Restore files", InRehearsal.Do, true, true, false, true),
        new(StepKind.DbPromote, "Promote a replica", InRehearsal.Simulate, false, false, true, false),
        new(StepKind.DbReprotect, "Protect a database again", InRehearsal.Skip, false, false, false, false),
        new(StepKind.DbAssert, "Check a database", InRehearsal.Do, true, false, false, false),
        new(StepKind.ServiceStart, "Start a service", InRehearsal.Do, true, true, false, true),
        new(StepKind.ServiceStop, "Stop a service", InRehearsal.Simulate, true, true, false, false),
        new(StepKind.ServiceRestart, "Restart a service", InRehearsal.Simulate, true, false, false, false),
        new(StepKind.Fence, "Fence the old side", InRehearsal.Simulate, true, true, false, false),
        new(StepKind.Script, "Run a script", InRehearsal.Simulate, false, true, false, true),
        new(StepKind.Http, "Call an address", InRehearsal.Simulate, false, true, false, false),
        new(StepKind.DnsChange, "Change a DNS record", InRehearsal.Simulate, true, true, false, true),
        new(StepKind.LbSwitch, "Switch a load balancer", InRehearsal.Simulate, true, true, false, true),
        new(StepKind.HealthWait, "Wait until it answers", InRehearsal.Do, true, false, false, false),
        new(StepKind.Wait, "Wait", InRehearsal.Do, true, false, false, false),
        new(StepKind.Notify, "Tell people", InRehearsal.Simulate, true, false, false, false),
        new(StepKind.Approval, "Ask people", InRehearsal.Do, true, false, false, false),
        new(StepKind.Runbook, "Execute a runbook", InRehearsal.Do, true, true, false, true),
    }.ToDictionary(traits => traits.Kind);

    /// <summary>What is known of a kind.</summary>
    public static KindTraits Of(StepKind kind) => Table[kind];

    /// <summary>What a rehearsal makes of a step.</summary>
    public static InRehearsal Rehearsed(StepSpec step) => step.InRehearsal ?? Of(step.Kind).Rehearsal;

    /// <summary>Whether nothing is rolled back by itself once it began.</summary>
    public static bool IsPointOfNoReturn(StepSpec step) => step.IsPointOfNoReturn || Of(step.Kind).IsFinal;
}
