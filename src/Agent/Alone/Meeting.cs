using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Storage.Posix;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent.Alone;

/// <summary>Tells a node what this host did alone, before it is asked for work, and asks every few minutes what the host may do the next
/// time.</summary>
public sealed partial class Meeting(NodeConnection connection, AgentIdentity identity, Contact contact, AlonePlans plans,
    AloneQueue queue, AloneLedger ledger, TimeProvider clock, ILogger<Meeting> log)
{
    // A node that cannot take what is told must not keep this host from its work for ever.
    const int TriesBeforeWork = 5;
    static readonly TimeSpan AfterRefusal = TimeSpan.FromMinutes(5);

    long _askedAt = clock.GetTimestamp();
    TimeSpan? _next;
    int _failed;

    /// <summary>Whether there is something to tell or to ask.</summary>
    bool IsDue => _next is not { } pause || clock.GetElapsedTime(_askedAt) >= pause || (queue.Waiting > 0 && pause != AfterRefusal);

    /// <summary>The plan is asked for again with the next poll, because a run ended or a node was away.</summary>
    public void Soon() => _next = null;

    /// <summary>Tells and asks where it is time.</summary>
    /// <exception cref="UnavailableException">No node answers; nothing is to be asked of it either.</exception>
    /// <exception cref="DeniedException">The node refuses this host.</exception>
    /// <exception cref="ConflictException">"control_plane.superseded".</exception>
    public async Task Hold(CancellationToken ct)
    {
        while (IsDue)
        {
            try { await Once(ct); }
            catch (BackupDrException e) when (e is BadInputException || HasFailedOften(e))
            {
                LogRefused(log, queue.Waiting, e.Message);
                (_next, _askedAt, _failed) = (AfterRefusal, clock.GetTimestamp(), 0);
            }
        }
    }

    /// <summary>Whether a node that is there and works has failed at this again and again.</summary>
    bool HasFailedOften(BackupDrException e) => e is UnavailableException
        && e.Code is not ("node.unreachable" or "node.draining" or AgentProtocol.DatabaseAway) && ++_failed >= TriesBeforeWork;

    async Task Once(CancellationToken ct)
    {
        var client = connection.Client;
        var runs = queue.Next(AloneRequest.MostRuns);
        var answer = await client.Alone(new AloneRequest { Mark = plans.Kept.Mark, Runs = runs, Term = identity.Term }, ct);
        try { identity.Heed(answer.Term); }
        catch (ConflictException)
        {
            connection.Failed(client);
            throw;
        }
        // From here on nothing more begins alone: what is handed out next is not made a second time.
        contact.Answered();
        try
        {
            if (answer.Plan is { } plan) plans.Keep(new KeptPlan(answer.Mark, identity.Term.Term, plan));
            ledger.Settle(answer.Settled);
            foreach (var taken in answer.Taken) queue.Forget(taken);
            if (answer.Taken.Count > 0) LogTold(log, answer.Taken.Count, queue.Waiting);
        }
        // It counts until this process ends. What is told once more is taken once.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PosixException) { LogUnkept(log, e.Message); }
        _failed = 0;
        (_next, _askedAt) = (TimeSpan.FromMilliseconds(answer.NextMs), clock.GetTimestamp());
        if (runs.Count > 0 && answer.Taken.Count == 0) _next = AfterRefusal;
    }

    [LoggerMessage(3421, LogLevel.Information, "A node took {Count} backup(s) that this host made alone; {Left} are left to be told")]
    static partial void LogTold(ILogger log, int count, int left);

    [LoggerMessage(3422, LogLevel.Warning, "The node does not take what this host did alone ({Waiting} backup(s) wait), or does not know "
        + "what that is: {Reason}")]
    static partial void LogRefused(ILogger log, int waiting, string reason);

    [LoggerMessage(3423, LogLevel.Warning, "What this host may do alone cannot be kept: {Reason}")]
    static partial void LogUnkept(ILogger log, string reason);
}
