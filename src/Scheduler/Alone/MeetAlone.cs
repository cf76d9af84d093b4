using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Telemetry;

namespace BackupDr.Scheduler.Alone;

/// <summary>Takes what a host backed up while no node was reachable, and tells it what it may back up the next time.</summary>
public sealed class MeetAlone(Postgres db, MakeAlonePlan plans, RunsMadeAlone runs, TermFence fence, NodeStanding standing)
{
    static readonly TimeSpan AskAgain = TimeSpan.FromMinutes(5);

    /// <summary>Takes and tells. Agents ask before they ask for work, so that a run of a nominal time that its host has made already is
    /// never handed to it.</summary>
    /// <exception cref="BadInputException">There are too many runs or lines in it.</exception>
    public async Task<AloneAnswer> Handle(Caller caller, AloneRequest request, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        var host = caller.MustBeHost();
        await fence.MustBeLatest(request.Term, host, ct);
        if (standing.IsDraining) throw new UnavailableException("node.draining", "This node takes no new work: it is being emptied.",
            "Ask another node.");
        Check(request);
        var taken = request.Runs.Count == 0 ? [] : await db.InTransaction(tx => Take(tx, caller, host, request.Runs, ct), ct);
        foreach (var (run, state, code) in taken) RunTelemetry.Ended(run, state, code);
        var (plan, settled) = await plans.For(db, host, ct);
        var mark = MakeAlonePlan.Mark(plan, fence.Own.Term);
        await HostAloneTable.Asked(db, host, plan, ct);
        return new AloneAnswer
        {
            Mark = mark,
            Plan = mark == request.Mark ? null : plan,
            Settled = settled,
            Taken = [.. request.Runs.Select(run => run.Id)],
            NextMs = (int)AskAgain.TotalMilliseconds,
            Term = request.Term is null ? null : fence.Own,
        };
    }

    static void Check(AloneRequest request)
    {
        if (request.Runs.Count > AloneRequest.MostRuns)
            throw new BadInputException("runs", $"A message carries {request.Runs.Count} runs.",
                $"Send at most {AloneRequest.MostRuns} and the rest with the next.");
        if (request.Runs.FirstOrDefault(run => run.Events.Count > AgentProtocol.MaximumEvents) is { } talker)
            throw new BadInputException("events", $"{talker.Id} carries {talker.Events.Count} events.",
                $"Send at most {AgentProtocol.MaximumEvents} of a run.");
    }

    async Task<List<(EndedRun, RunState, string?)>> Take(Transaction tx, Caller caller, HostId host, IReadOnlyList<AloneRun> told,
        CancellationToken ct)
    {
        var taken = new List<(EndedRun, RunState, string?)>();
        var words = new List<string>();
        // Before it asks for work again, which is what moves this: no point is older than the last word of its host.
        var seen = await tx.Scalar<DateTimeOffset?>("select last_seen_at from host where id = $1 for no key update", [host], ct);
        foreach (var run in told)
        {
            var (ended, state, word) = await runs.Take(tx, host, run, seen, ct);
            if (word is null) continue;   // told before
            await HostAloneTable.Did(tx, host, run, ct);
            words.Add(word);
            if (ended is not null) taken.Add((ended, state, run.Result.Error?.Code));
        }
        if (words.Count == 0) return taken;
        await Notifications.Changed(tx, "hosts", host.ToString(), ct);
        await Audit.Add(tx, caller, "host.alone", host.ToString(), string.Create(CultureInfo.InvariantCulture,
            $"{words.Count} backups made while no node was reachable: {string.Join("; ", words)}"), ct);
        return taken;
    }
}
