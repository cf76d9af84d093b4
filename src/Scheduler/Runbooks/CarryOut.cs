using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Carries out one activity that this node has.</summary>
sealed partial class CarryOut(StepExecutors executors, TimeProvider clock, ILogger<CarryOut> log)
{
    /// <summary>What came of it. What an executor throws that is no cancellation is a result too.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled, or its time ended.</exception>
    /// <exception cref="Npgsql.NpgsqlException">The nodes' database is away: nothing is known of the step.</exception>
    public async Task<StepResult> Do(Claimed claimed, CancellationToken ct)
    {
        var left = new TimeLeft(claimed.Left, clock);
        var isRepeatable = StepKinds.Of(claimed.Step.Kind).IsRepeatable;
        var step = StepVariables.Fill(claimed.Step, claimed.States, out var problem);
        if (problem is not null) return StepResult.Failed(problem);
        // Looked at on saving too; now that its variables are filled in, it may name something else.
        if (claimed is { Mode: ExecutionMode.Rehearsal, Activity: StepActivity.Execute }
            && ProductionAddresses.Of(claimed.Spec).Refusal(step) is { } refusal)
            return StepResult.Failed($"{refusal} Nothing was done.");
        if (executors.Of(step.Kind) is not { } executor)
            return StepResult.Failed($"This version cannot carry out {step.Kind}.");   // only its own kinds are claimed
        try
        {
            return await executor.CarryOut(new StepWork
            {
                Execution = claimed.Execution.ToString(),
                Runbook = claimed.Runbook,
                Mode = claimed.Mode,
                Step = step,
                Activity = claimed.Activity,
                Attempt = claimed.Attempt,
                Until = claimed.Until,
                Left = left,
                Outputs = claimed.States.FirstOrDefault(state => state.Name == step.Name)?.Outputs ?? new Dictionary<string, string>(),
            }, ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { throw; }
        // The nodes' own database is away, which says nothing of the step: whoever has it next carries it out again, under the same name.
        catch (Exception e) when (Outage.Is(e)) { throw; }
        // Whatever is broken in one kind of step, the execution goes on with what its runbook says about failures.
        catch (Exception e)
        {
            LogBroken(log, claimed.Execution.ToString(), step.Name, claimed.Attempt, e);
            var text = $"It broke: {e.Message}";
            return isRepeatable || claimed.Activity != StepActivity.Execute ? StepResult.Failed(text) : StepResult.Unknown(text);
        }
    }

    [LoggerMessage(2742, LogLevel.Error, "{Execution}: the step {Step}, attempt {Attempt}, broke")]
    static partial void LogBroken(ILogger log, string execution, string step, int attempt, Exception exception);
}
