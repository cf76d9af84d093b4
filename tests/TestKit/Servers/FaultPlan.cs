namespace BackupDr.TestKit.Servers;

/// <summary>Which requests a <see cref="FaultProxy"/> spoils, and how.</summary>
public static class FaultPlan
{
    static readonly ProxyFault[] Outlasted =
    [
        ProxyFault.ServerError, ProxyFault.Throttle, ProxyFault.ResetBefore, ProxyFault.ResetAfter, ProxyFault.Duplicate, ProxyFault.Late,
        ProxyFault.Stall, ProxyFault.CutBody,
    ];

    /// <summary>Every fault that a store must outlast by itself, in turn, on every fourth request or so.</summary>
    /// <remarks>
    /// Not on exactly every fourth: an operation of four requests would meet the fault each time it is repeated. A stall, which costs all
    /// of a store's patience, comes in every fourth round only. A deletion is not sent twice: whether there was something is then nobody's
    /// to know.
    /// </remarks>
    public static Func<ProxiedRequest, ProxyFault> EachInTurn(int seed = 1)
    {
        var random = new Random(seed);
        var faults = 0;
        return request =>
        {
            if (random.Next(4) != 0) return ProxyFault.None;
            var (round, turn) = Math.DivRem(faults++, Outlasted.Length);
            var fault = Outlasted[turn];
            return (fault == ProxyFault.Stall && round % 4 != 0) || (fault == ProxyFault.Duplicate && request.Method == "DELETE")
                ? ProxyFault.None : fault;
        };
    }

    /// <summary>Given shares of all requests, by chance that a seed repeats.</summary>
    /// <param name="seed">The same for the same sequence.</param>
    /// <param name="shares">Each fault with its share, above 0; together below 1.</param>
    public static Func<ProxiedRequest, ProxyFault> Shares(int seed, IReadOnlyList<(ProxyFault Fault, double Share)> shares)
    {
        var random = new Random(seed);
        return _ =>
        {
            var left = random.NextDouble();
            foreach (var (fault, share) in shares)
                if ((left -= share) < 0) return fault;
            return ProxyFault.None;
        };
    }
}
