using System.Collections.Frozen;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Scheduler.Runs;

/// <summary>What can happen to a run.</summary>
public enum RunTrigger
{
    /// <summary>An agent took it.</summary>
    Claimed,
    /// <summary>Its agent reported for the first time.</summary>
    Started,
    /// <summary>The lease ended without a report, and it may be tried again.</summary>
    LeaseExpired,
    /// <summary>The lease ended without a report, after somebody had asked to cancel.</summary>
    LeaseExpiredCancelled,
    /// <summary>The lease ended without a report too many times.</summary>
    LeaseExpiredTooOften,
    /// <summary>The agent did all of it.</summary>
    Completed,
    /// <summary>The agent did it with something missing.</summary>
    CompletedPartly,
    /// <summary>The agent could not do it.</summary>
    Broke,
    /// <summary>The agent found that it has to wait for something outside, and let go of it.</summary>
    Postponed,
    /// <summary>Stopped because somebody asked: by its agent, or before any agent had it.</summary>
    Cancelled,
}

/// <summary>Every legal move of a run, once. docs/concepts/run.md holds the same table and a test compares them.</summary>
public static class RunStates
{
    static readonly FrozenDictionary<(RunState, RunTrigger), RunState> Moves = new Dictionary<(RunState, RunTrigger), RunState>
    {
        [(RunState.Queued, RunTrigger.Claimed)] = RunState.Leased,
        [(RunState.Queued, RunTrigger.Cancelled)] = RunState.Cancelled,
        [(RunState.Leased, RunTrigger.Started)] = RunState.Running,
        [(RunState.Leased, RunTrigger.LeaseExpired)] = RunState.Queued,
        [(RunState.Leased, RunTrigger.LeaseExpiredCancelled)] = RunState.Cancelled,
        [(RunState.Leased, RunTrigger.LeaseExpiredTooOften)] = RunState.Failed,
        [(RunState.Leased, RunTrigger.Completed)] = RunState.Complete,
        [(RunState.Leased, RunTrigger.CompletedPartly)] = RunState.Incomplete,
        [(RunState.Leased, RunTrigger.Broke)] = RunState.Failed,
        [(RunState.Leased, RunTrigger.Cancelled)] = RunState.Cancelled,
        [(RunState.Leased, RunTrigger.Postponed)] = RunState.Queued,
        [(RunState.Running, RunTrigger.LeaseExpired)] = RunState.Queued,
        [(RunState.Running, RunTrigger.LeaseExpiredCancelled)] = RunState.Cancelled,
        [(RunState.Running, RunTrigger.LeaseExpiredTooOften)] = RunState.Failed,
        [(RunState.Running, RunTrigger.Completed)] = RunState.Complete,
        [(RunState.Running, RunTrigger.CompletedPartly)] = RunState.Incomplete,
        [(RunState.Running, RunTrigger.Broke)] = RunState.Failed,
        [(RunState.Running, RunTrigger.Cancelled)] = RunState.Cancelled,
        [(RunState.Running, RunTrigger.Postponed)] = RunState.Queued,
    }.ToFrozenDictionary();

    /// <summary>The legal moves.</summary>
    public static IEnumerable<(RunState From, RunTrigger On, RunState To)> All =>
        Moves.Select(move => (move.Key.Item1, move.Key.Item2, move.Value));

    /// <summary>Where a trigger leads; false where it is not legal, which is an ordinary answer because two nodes may race.</summary>
    public static bool TryMove(RunState from, RunTrigger on, out RunState to) => Moves.TryGetValue((from, on), out to);

    /// <summary>Whether nothing can happen to it any more.</summary>
    public static bool IsOver(RunState state) => state is RunState.Complete or RunState.Incomplete or RunState.Failed or RunState.Cancelled;

    /// <summary>What an agent's answer triggers.</summary>
    public static RunTrigger Of(JobOutcome outcome) => outcome switch
    {
        JobOutcome.Complete => RunTrigger.Completed,
        JobOutcome.Incomplete => RunTrigger.CompletedPartly,
        JobOutcome.Cancelled => RunTrigger.Cancelled,
        JobOutcome.Waiting => RunTrigger.Postponed,
        _ => RunTrigger.Broke,
    };

    /// <summary>What the end of a lease triggers.</summary>
    /// <param name="cancelAsked">Somebody had asked to cancel.</param>
    /// <param name="leases">Leases so far, but for those that ended only to wait.</param>
    public static RunTrigger OfExpiry(bool cancelAsked, long leases)
        => cancelAsked ? RunTrigger.LeaseExpiredCancelled : leases >= MaximumLeases ? RunTrigger.LeaseExpiredTooOften
            : RunTrigger.LeaseExpired;

    /// <summary>Pause before it is looked again whether what a run waits for has come: 5 seconds, then twice as long each time, at most 15
    /// minutes.</summary>
    /// <param name="looks">Looks so far, from 1.</param>
    public static TimeSpan NextLook(long looks)
        => looks > 8 ? LongestWait : TimeSpan.FromSeconds(Math.Min(LongestWait.TotalSeconds, 5 * (1L << (int)(looks - 1))));

    static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(15);

    /// <summary>How often a run is tried.</summary>
    public const int MaximumLeases = 5;

    /// <summary>Pause before the next try: 1, 2, 4, 8 … seconds times two, at most two minutes.</summary>
    public static TimeSpan BackOff(long leases) => TimeSpan.FromSeconds(Math.Min(120, 1L << (int)Math.Min(leases, 7)));
}
