using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>The way to the hosts that carry out steps.</summary>
public interface IHostReach
{
    /// <summary>Lets a host begin a step, or tell how far it is.</summary>
    /// <param name="host">Its name.</param>
    /// <param name="step">The step.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="NotFoundException">There is no such host.</exception>
    /// <exception cref="UnavailableException">It does not answer now.</exception>
    /// <exception cref="ConflictException">It refuses; the code is the agent's.</exception>
    Task<HostStepReport> Ask(string host, HostStep step, CancellationToken ct);

    /// <summary>Whether an activity's result still counts, so that another one may go on waiting for it.</summary>
    Task<bool> IsWanted(StepWork work, CancellationToken ct);
}

/// <summary>The agents of the hosts, asked as everything is asked of them.</summary>
public sealed class HostReach(AgentQuestions questions, Postgres db) : IHostReach
{
    /// <inheritdoc/>
    public async Task<HostStepReport> Ask(string host, HostStep step, CancellationToken ct)
        => await questions.Step(await HostTable.FindByName(db, host, ct) ?? throw new NotFoundException($"A host named {host}",
            "Correct the name in the runbook, or let the host join."), step, ct);

    /// <inheritdoc/>
    public async Task<bool> IsWanted(StepWork work, CancellationToken ct)
        => TypedId.TryParse<ExecutionId>(work.Execution, out var execution)
            && await db.Scalar<bool>("select exists (select from activity where execution_id = $1 and step = $2 and attempt = $3)",
                [execution, work.Step.Name, work.Attempt], ct);
}
