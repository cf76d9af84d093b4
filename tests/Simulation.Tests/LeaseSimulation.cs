using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Simulation.Tests;

/// <summary>Runs, agents that sleep, and messages that are late, doubled or lost, from one seed. No threads, no clock.</summary>
public sealed class LeaseSimulation
{
    const int Lease = 30;
    const int Horizon = 5_000;

    readonly Random _random;
    readonly SimulatedRun[] _runs;
    readonly int _mute;   // the run of an agent of which nothing gets through
    readonly List<(int Run, long Epoch, bool IsEnd, int Arrives)> _messages = [];
    int _now;

    public LeaseSimulation(int seed)
    {
        _random = new Random(seed);
        _mute = seed % 4 == 0 ? 3 : -1;
        _runs = [.. Enumerable.Range(0, 4).Select(_ => new SimulatedRun())];
    }

    /// <summary>Lets the world go until every run is over, or time is.</summary>
    public SimulatedRun[] Play()
    {
        for (_now = 0; _now < Horizon && _runs.Any(run => !RunStates.IsOver(run.State)); _now++)
        {
            for (var run = 0; run < _runs.Length; run++) Step(run);
            foreach (var message in _messages.Where(message => message.Arrives == _now).OrderBy(_ => _random.Next()).ToList())
                Deliver(message);
        }
        return _runs;
    }

    void Step(int number)
    {
        var run = _runs[number];
        if (run.State == RunState.Queued && _now >= run.DueAt && _random.Next(3) == 0) Claim(run);
        if (run.State is RunState.Leased or RunState.Running)
        {
            if (_random.Next(4) == 0) Send(number, run.Epoch, isEnd: _random.Next(12) == 0);
            if (_random.Next(200) == 0) run.CancelAsked = true;
            if (run.LeaseUntil <= _now) Expire(run);
        }
    }

    void Claim(SimulatedRun run)
    {
        run.Move(RunTrigger.Claimed);
        if (run.CancelAsked) run.ClaimedAfterCancel++;
        run.Epoch++;
        run.LeaseUntil = _now + Lease;
    }

    void Expire(SimulatedRun run)
    {
        run.Move(RunStates.OfExpiry(run.CancelAsked, run.Epoch));
        run.DueAt = _now + (int)RunStates.BackOff(run.Epoch).TotalSeconds;
    }

    /// <summary>An agent speaks with the epoch it knows; the network loses, doubles and delays beyond the lease.</summary>
    void Send(int run, long epoch, bool isEnd)
    {
        if (run == _mute || _random.Next(10) < 4) return;
        for (var copies = _random.Next(8) == 0 ? 2 : 1; copies > 0; copies--)
            _messages.Add((run, epoch, isEnd, _now + 1 + (_random.Next(6) == 0 ? _random.Next(3 * Lease) : 0)));
    }

    /// <summary>The guard of every write of an agent: state, epoch and lease together.</summary>
    void Deliver((int Run, long Epoch, bool IsEnd, int Arrives) message)
    {
        var run = _runs[message.Run];
        if (run.State is not (RunState.Leased or RunState.Running) || run.Epoch != message.Epoch || run.LeaseUntil <= _now)
        {
            run.Refused++;
            return;
        }
        run.WritesByEpoch.Add(message.Epoch);
        if (message.IsEnd) run.Move(run.CancelAsked ? RunTrigger.Cancelled : RunTrigger.Completed);
        else
        {
            if (run.State == RunState.Leased) run.Move(RunTrigger.Started);
            run.LeaseUntil = _now + Lease;
        }
    }
}

/// <summary>A run with its history.</summary>
public sealed class SimulatedRun
{
    public RunState State { get; private set; } = RunState.Queued;
    public long Epoch { get; set; }
    public int LeaseUntil { get; set; }
    public int DueAt { get; set; }
    public bool CancelAsked { get; set; }
    public int Refused { get; set; }
    public int ClaimedAfterCancel { get; set; }
    public int Ends { get; private set; }
    public List<long> WritesByEpoch { get; } = [];

    /// <summary>Moves by the table; a move that is not in it is a bug of whoever asked.</summary>
    public void Move(RunTrigger on)
    {
        if (!RunStates.TryMove(State, on, out var to)) throw new InvalidOperationException($"{State} has no move on {on}.");
        State = to;
        if (RunStates.IsOver(to)) Ends++;
    }
}
