using BackupDr.Scheduler.ControlPlane;

namespace BackupDr.Simulation.Tests.Terms;

/// <summary>An old control plane, its rebuild, the places of exports and agents, with cut networks and late answers, from one seed. What is
/// decided by votes is decided by the node's own code. Seconds are steps; no threads, no clock.</summary>
/// <param name="seed">Gives the world.</param>
/// <param name="countsReadableOnly">A planted bug: half of the places that can be read is enough.</param>
public sealed class TermWorld(int seed, bool countsReadableOnly = false)
{
    const int Horizon = 1_500, LookEvery = 30, Patience = 20, Agents = 4;
    const long Old = 1, New = 2;

    readonly Random _random = new(seed);
    readonly long[] _agents = new long[Agents];
    long[] _places = [];
    bool[] _seenByOld = [], _seenByNew = [];
    bool[] _reachesOld = [], _reachesNew = [];
    bool _isSuperseded, _isRebuilt;
    int _confirmedAt;
    Look? _look;

    sealed record Look(int Begun, List<(int Place, int At)> Answers, List<TermVote> Votes);

    /// <summary>When most places held the new term; null for never.</summary>
    public int? BegunAt { get; private set; }

    /// <summary>When the old control plane handed out removals.</summary>
    public List<int> Removals { get; } = [];

    /// <summary>How often a rebuild was refused because it reached too few places.</summary>
    public int Refused { get; private set; }

    /// <summary>Whether an agent did something for the old control plane after it had done something for the new one.</summary>
    public bool WentBack { get; private set; }

    /// <summary>Whether the old one knows at the end, when everything reaches everything.</summary>
    public bool OldKnows => _isSuperseded;

    /// <summary>Lets it go.</summary>
    public TermWorld Play()
    {
        _places = new long[_random.Next(1, 6)];
        (_seenByOld, _seenByNew) = (All(_places.Length), All(_places.Length));
        (_reachesOld, _reachesNew) = (All(Agents), All(Agents));
        var rebuildsAt = _random.Next(100, 900);
        for (var now = 0; now < Horizon; now++)
        {
            if (_random.Next(40) == 0) Cut();
            if (now >= rebuildsAt && !_isRebuilt && _random.Next(20) == 0) Rebuild(now);
            OldLooks(now);
            if (!_isSuperseded && now - _confirmedAt < TermVotes.ConfirmedFor.TotalSeconds && _confirmedAt > 0) Removals.Add(now);
            AgentsPoll();
        }
        if (BegunAt is null) return this;
        Array.Fill(_seenByOld, true);
        for (var now = Horizon; now < Horizon + 2 * (LookEvery + Patience); now++) OldLooks(now);
        return this;
    }

    static bool[] All(int count) => [.. Enumerable.Repeat(true, count)];

    /// <summary>Networks are cut and mended, each way by itself.</summary>
    void Cut()
    {
        foreach (var ways in (bool[][])[_seenByOld, _seenByNew, _reachesOld, _reachesNew])
            for (var way = 0; way < ways.Length; way++)
                if (_random.Next(3) == 0) ways[way] = _random.Next(2) == 0;
    }

    /// <summary>A rebuild writes into all that it reaches, if that is enough; it may die in the middle.</summary>
    void Rebuild(int now)
    {
        if (_seenByNew.Count(sees => sees) < TermVotes.Majority(_places.Length))
        {
            Refused++;
            return;
        }
        foreach (var place in Enumerable.Range(0, _places.Length).OrderBy(_ => _random.Next()))
        {
            if (_random.Next(15) == 0) return;   // it dies here, and is begun again later
            if (_seenByNew[place]) _places[place] = New;
        }
        if (_places.Count(term => term == New) < TermVotes.Majority(_places.Length)) return;
        (_isRebuilt, BegunAt) = (true, now);
    }

    /// <summary>Places answer one after another; a cut that comes while they are asked makes an answer none.</summary>
    void OldLooks(int now)
    {
        if (_isSuperseded) return;
        if (_look is null && now % LookEvery == 0)
            _look = new Look(now, [.. Enumerable.Range(0, _places.Length).Select(place => (place, now + _random.Next(Patience)))], []);
        if (_look is not { } look) return;
        foreach (var (place, _) in look.Answers.Where(answer => answer.At == now))
            look.Votes.Add(new TermVote($"{place}", true, _seenByOld[place] ? _places[place] : null));
        if (look.Votes.Count < _places.Length) return;
        _look = null;
        var counted = countsReadableOnly ? look.Votes.FindAll(vote => vote.Highest is not null) : look.Votes;
        if (TermVotes.Later(Old, look.Votes) is not null) _isSuperseded = true;
        else if (counted.Count > 0 && TermVotes.Confirm(Old, counted)) _confirmedAt = look.Begun;
    }

    /// <summary>Agents ask whom they reach, remember the highest term, and tell it.</summary>
    void AgentsPoll()
    {
        for (var agent = 0; agent < Agents; agent++)
        {
            if (_random.Next(10) != 0) continue;
            var asksNew = BegunAt is not null && _random.Next(2) == 0;
            if (asksNew && _reachesNew[agent]) _agents[agent] = New;
            if (asksNew || !_reachesOld[agent]) continue;
            if (_agents[agent] > Old) _isSuperseded = true;   // it tells the node, and takes nothing
            else if (!_isSuperseded) WentBack |= _agents[agent] == New;
        }
    }
}
