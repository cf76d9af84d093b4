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
    /// <summary>All connections have ended within this time, in a fleet that is not large. With a long poll at the end of it a node that
    /// came has its share within half a minute.</summary>
    internal static readonly TimeSpan Shortest = TimeSpan.FromSeconds(15);
    /// <summary>So many connections end in a second at most: each costs both sides about a millisecond of one processor.</summary>
    internal const int MostInASecond = 100;
    /// <summary>Connections of one agent: its long poll, and what it reports.</summary>
    const int OfOneAgent = 2;

    sealed record Turn(long Since, TimeSpan Over);

    HashSet<Guid>? _serving;
    long _lookedAt;
    volatile Turn? _turn;

    /// <summary>Takes in which nodes serve agents now; a new one among them begins a turn.</summary>
    /// <param name="serving">Instances that live and do not drain, this one among them.</param>
    /// <param name="agents">Agents that this node holds.</param>
    /// <remarks>Called by the beat alone, one after another.</remarks>
    public void Know(IEnumerable<Guid> serving, int agents)
    {
        var now = clock.GetTimestamp();
        var current = serving.ToHashSet();
        if (_serving is { } before)
        {
            // Of whom we heard nothing because the database was away, we do not know that they were.
            var wasAway = clock.GetElapsedTime(_lookedAt, now) >= NodeTable.Silence;
            if (current.Except(before).Any() && !wasAway) _turn = new Turn(now, Over(agents));
            if (wasAway) current.UnionWith(before);
        }
        (_serving, _lookedAt) = (current, now);
    }

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
