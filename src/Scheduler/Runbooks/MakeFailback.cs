using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Makes the runbook of the way back from another one.</summary>
public sealed class MakeFailback(Postgres db, CreateRunbook create)
{
    const int MostHosts = 200;
    const string Ending = "-back";

    /// <exception cref="BadInputException">It does not say which host takes over from which, or the runbook has no way back.</exception>
    /// <exception cref="ConflictException">The old side was not fenced when it was executed, or it is being executed.</exception>
    public async Task<Runbook> Handle(Caller caller, MakeFailbackRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookWrite);
        var hosts = request.Hosts ?? [];
        if (hosts.Count > MostHosts) throw new BadInputException("hosts", $"There are {hosts.Count}.", $"At most {MostHosts}.");
        var there = await RunbookTable.Get(db, request.Id, ct);
        if (there.Open.FirstOrDefault(open => open.Mode != ExecutionMode.Rehearsal) is { } open)
            throw new ConflictException("execution.busy", $"'{there.Name}' is being executed: {open.Id}.", "Wait until it is over.");
        await MustBeFenced(there, ct);
        var spec = Failback.Of(there.Spec, hosts, out var problems);
        if (problems.Count > 0)
            throw new BadInputException("hosts", string.Join('\n', problems.Select(problem => $"{problem.Place}: {problem.Problem} "
                + problem.Advice)), "Nothing was made. Say that too.");
        return await create.Handle(caller, new CreateRunbookRequest { Name = request.Name ?? there.Name + Ending, Spec = spec }, ct);
    }

    /// <summary>An old side of which nobody knows whether it takes writes has to be fenced before anything follows from there.</summary>
    async Task MustBeFenced(Runbook there, CancellationToken ct)
    {
        var last = (await ExecutionTable.List(db, there.Id, false, ct))
            .FirstOrDefault(one => one.Mode is ExecutionMode.Disaster or ExecutionMode.Planned);
        if (last is null) return;   // it is made beforehand; the host itself refuses a server that takes writes
        var view = await ExecutionTable.Get(db, last.Id, ct);
        foreach (var fence in view.Spec.Steps.Where(step => step.Kind == StepKind.Fence))
            if (view.State.Steps.First(step => step.Name == fence.Name) is { Phase: not (StepPhase.Done or StepPhase.ByHand) } state)
                throw new ConflictException("runbook.not_fenced", $"The old side was not fenced in {last.Id}: the step '{fence.Name}' "
                    + $"{(state.Phase == StepPhase.Failed ? "failed" : "was left out")}. It may have taken writes since.",
                    "Make sure that it takes none, and look at what it has of its own; then execute the fence again, or write the way back "
                    + "by hand.");
    }
}
