using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>The kinds of steps that this node can carry out.</summary>
public sealed class StepExecutors(IEnumerable<IStepExecutor> executors)
{
    readonly Dictionary<StepKind, IStepExecutor> _table = executors.GroupBy(executor => executor.Kind)
        .ToDictionary(same => same.Key, same => same.Last());   // the one that was added last, so that parts can be exchanged

    /// <summary>Their words, as activities are stored with.</summary>
    public string[] Kinds => [.. _table.Keys.Select(kind => kind.ToString())];

    /// <summary>The one of a kind; null where this version has none.</summary>
    public IStepExecutor? Of(StepKind kind) => _table.GetValueOrDefault(kind);

    /// <summary>Steps that this version cannot carry out. Time and people need no executor.</summary>
    public IEnumerable<RunbookProblem> Missing(RunbookSpec spec) => spec.Steps
        .Where(step => step.Kind is not (StepKind.Wait or StepKind.Approval) && !_table.ContainsKey(step.Kind))
        .Select(step => new RunbookProblem($"steps.{step.Name}.kind", $"This version cannot carry out {step.Kind}.",
            $"It can: {string.Join(", ", Enum.GetValues<StepKind>().Where(kind => kind is StepKind.Wait or StepKind.Approval
                || _table.ContainsKey(kind)))}."));
}
