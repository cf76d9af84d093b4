using System.Buffers.Binary;
using System.Security.Cryptography;

namespace BackupDr.Contracts.Rules.Placement;

/// <summary>How work that several hosts could do is given to one of them.</summary>
public enum PlacementStrategy
{
    /// <summary>To the one that holds the fewest runs; of several by turns.</summary>
    LeastConnections,
    /// <summary>To one after the other.</summary>
    RoundRobin,
    /// <summary>By the run's id: evenly over many runs, and the same for one run however often it is asked.</summary>
    Random,
    /// <summary>To the one whose processors have most to spare for what it holds and one run more.</summary>
    Weighted,
}

/// <summary>A host that could do a piece of work, as placement sees it.</summary>
public sealed record Mover
{
    /// <summary>The host.</summary>
    public required HostId Host { get; init; }
    /// <summary>Its name.</summary>
    public required string Name { get; init; }
    /// <summary>How long nothing was heard of its agent.</summary>
    public required TimeSpan Silence { get; init; }
    /// <summary>Runs that it has leased, or that wait for it.</summary>
    public int Held { get; init; }
    /// <summary>Load average over one minute.</summary>
    public double Load { get; init; }
    /// <summary>Processors; 1 where it did not say.</summary>
    public int Processors { get; init; } = 1;
    /// <summary>Where it stands; null for nowhere in particular.</summary>
    public string? Site { get; init; }
}

/// <summary>Where a run goes, or in words what it waits for.</summary>
/// <param name="Host">The host; null where it waits.</param>
/// <param name="WaitsFor">"a mover: …"; null where it is placed.</param>
public readonly record struct Placed(HostId? Host, string? WaitsFor);

/// <summary>Chooses among the hosts that could do a piece of repository work. Pure: the same question has the same answer on each
/// node.</summary>
public static class MoverPlacement
{
    /// <summary>Silence after which a host is taken out: a poll, 25 seconds with older agents, and the way to another node. It is back with
    /// the first sign of life.</summary>
    public static readonly TimeSpan Out = TimeSpan.FromSeconds(35);

    /// <summary>Runs that one host holds at most: what its agent does at once.</summary>
    public const int MostHeld = 2;

    /// <summary>Chooses.</summary>
    /// <param name="strategy">How.</param>
    /// <param name="movers">Those that could do it, in any order.</param>
    /// <param name="site">Where the repository is; hosts there are taken before others. Null for nowhere in particular.</param>
    /// <param name="run">The run: what is by chance is decided by its id.</param>
    /// <param name="turn">Runs placed before this one: whose turn it is.</param>
    public static Placed Choose(PlacementStrategy strategy, IEnumerable<Mover> movers, string? site, RunId run, long turn)
    {
        var all = movers.OrderBy(mover => mover.Host.Value).ToList();
        if (all.Count == 0) return new Placed(null, "a host that may do repository work");
        var healthy = all.Where(mover => mover.Silence < Out).ToList();
        if (healthy.Count == 0) return new Placed(null, $"{Names(all)}, which {(all.Count == 1 ? "is" : "are")} not online");
        var near = site is null ? [] : healthy.Where(mover => mover.Site == site).ToList();
        var preferred = near.Count > 0 ? near : healthy;
        var free = preferred.Where(mover => mover.Held < MostHeld).ToList();
        if (free.Count == 0) return new Placed(null, $"a free slot on {Names(preferred)}{(near.Count > 0 ? $" at {site}" : "")}");
        var chosen = strategy switch
        {
            PlacementStrategy.RoundRobin => free[(int)(turn % free.Count)],
            PlacementStrategy.Random => free.MaxBy(mover => Lot(run, mover.Host))!,
            PlacementStrategy.Weighted => ByTurns(free, turn, Strain),
            _ => ByTurns(free, turn, mover => mover.Held),
        };
        return new Placed(chosen.Host, null);
    }

    /// <summary>What one run more would be for it, in runs for each processor that has nothing to do.</summary>
    static double Strain(Mover mover)
    {
        var processors = Math.Max(1, mover.Processors);
        return (mover.Held + 1) * (1 + Math.Max(0, mover.Load) / processors) / processors;
    }

    /// <summary>The least; of several equal ones by turns, so that an idle fleet does not begin with the same host each time.</summary>
    static Mover ByTurns(List<Mover> free, long turn, Func<Mover, double> cost)
    {
        var least = free.Min(cost);
        var equal = free.Where(mover => cost(mover) <= least).ToList();
        return equal[(int)(turn % equal.Count)];
    }

    /// <summary>The highest lot wins. A host that comes or goes moves only what it wins or won.</summary>
    static ulong Lot(RunId run, HostId host)
        => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData([.. run.Value.ToByteArray(), .. host.Value.ToByteArray()]));

    static string Names(IReadOnlyList<Mover> movers) => movers.Count switch
    {
        1 => movers[0].Name,
        2 => $"{movers[0].Name} or {movers[1].Name}",
        _ => $"one of {movers.Count} movers",
    };
}
