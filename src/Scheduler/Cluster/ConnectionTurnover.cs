using System.Diagnostics.CodeAnalysis;

namespace BackupDr.Scheduler.Cluster;

/// <summary>
/// Lets connections of agents end when a node came, so that it has its share: a balancer spreads new connections, and never touches old
/// ones. The node closes each with an answer, once, so no call is lost; agents open the next one at once.
/// </summary>
/// <remarks>Agents could renew their connections every few seconds by themselves, and did: with 5,000 of them a node did nothing else
/// than greet them. Now they do it every five minutes, for balancers that change without a word to the nodes.</remarks>
sealed class ConnectionTurnover(TimeProvider clock)
{
    /// <summary>A node is given nothing before the balancer has looked at it: what ends earlier stays with the others.</summary>
    internal static readonly TimeSpan UntilTrusted = TimeSpan.FromSeconds(4);
    /// <summary>All connections have ended within this time, in a fleet that is not large. With a long poll at the end of it a node that
    /// came has its share within half a minute.</summary>
    internal static readonly TimeSpan Shortest = TimeSpan.FromSeconds(8);
    /// <summary>The last long poll that began before a turn has ended, and its node has told how many agents it holds.</summary>
    internal static readonly TimeSpan UntilCounted = TimeSpan.FromSeconds(15);
    /// <summary>Turns for one node that came. A balancer that looks seldom misses the first one; where agents cannot reach the node at
    /// all, more would disturb them for nothing.</summary>
    internal const int MostTurns = 3;
    /// <summary>So many connections end in a second at most: each costs both sides about a millisecond of one processor.</summary>
    internal const int MostInASecond = 100;
    /// <summary>Connections of one agent: its long poll, and what it reports.</summary>
    const int OfOneAgent = 2;

    sealed record Turn(long Since, TimeSpan Over);

    readonly HashSet<Guid> _came = [];
    HashSet<Guid>? _serving;
    long _lookedAt, _nextFrom;
    TimeSpan _nextAfter;
    int _turns;
    volatile Turn? _turn;

    /// <summary>Takes in which nodes serve agents now; a new one among them begins a turn as soon as the balancer can know it, and
    /// another one where it has no share afterwards.</summary>
    /// <param name="serving">Nodes that live and do not drain, this one among them.</param>
    /// <remarks>Called by the beat alone, one after another.</remarks>
    public void Know(IReadOnlyList<ServingNode> serving)
    {
        var now = clock.GetTimestamp();
        var current = serving.Select(node => node.Instance).ToHashSet();
        if (_serving is { } before)
        {
            // Of whom we heard nothing because the database was away, we do not know that they were.
            var wasAway = clock.GetElapsedTime(_lookedAt, now) >= NodeTable.Silence;
            if (wasAway) current.UnionWith(before);
            else if (current.Except(before).ToList() is { Count: > 0 } came)
            {
                _came.UnionWith(came);
                (_turns, _nextFrom, _nextAfter) = (0, now, UntilTrusted);
            }
        }
        (_serving, _lookedAt) = (current, now);
        _came.IntersectWith(current);
        if (_came.Count > 0 && clock.GetElapsedTime(_nextFrom, now) >= _nextAfter) Begin(serving, now);
    }

    void Begin(IReadOnlyList<ServingNode> serving, long now)
    {
        if (_turns == MostTurns || (_turns > 0 && serving.All(node => !_came.Contains(node.Instance) || HasShare(node, serving))))
        {
            _came.Clear();
            return;
        }
        var over = Over(serving.Max(node => node.Agents));
        _turns++;
        (_turn, _nextFrom, _nextAfter) = (new Turn(now, over), now, over + UntilCounted);
    }

    /// <summary>Half of an even share is enough: no balancer is exact.</summary>
    static bool HasShare(ServingNode node, IReadOnlyList<ServingNode> serving)
        => 2L * node.Agents * serving.Count >= serving.Sum(one => (long)one.Agents) - serving.Count;

    static TimeSpan Over(int agents)
    {
        var paced = TimeSpan.FromSeconds((double)OfOneAgent * agents / MostInASecond);
        return paced > Shortest ? paced : Shortest;
    }

    /// <summary>Whether a connection ends with the answer that is given now.</summary>
    /// <param name="connection">Its name.</param>
    /// <param name="openedAt">When it was opened, by the clock's timestamp.</param>
    [SuppressMessage("Globalization", "CA1307", Justification = "A hash that spreads connections over time; no text is compared.")]
    public bool Ends(string connection, long openedAt)
    {
        if (_turn is not { } turn || openedAt >= turn.Since) return false;
        var part = unchecked((uint)connection.GetHashCode()) / (double)uint.MaxValue;
        return clock.GetElapsedTime(turn.Since) >= turn.Over * part;
    }
}

/// <summary>A node that serves agents.</summary>
/// <param name="Instance">Its process.</param>
/// <param name="Agents">Hosts that it holds, as it told with its last beat.</param>
readonly record struct ServingNode(Guid Instance, int Agents);
