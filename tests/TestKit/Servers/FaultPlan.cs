namespace BackupDr.TestKit.Servers;

/// <summary>Which requests a <see cref="FaultProxy"/> spoils, and how.</summary>
public static class FaultPlan
{
    static readonly ProxyFault[] Outlasted =
    [
        ProxyFault.ServerError, ProxyFault.Throttle, ProxyFault.ResetBefore, ProxyFault.ResetAfter, ProxyFault.Duplicate, ProxyFault.Late,
        ProxyFault.Stall, ProxyFault.CutBody,
    ];

    /// <summary>Every fault that a store must outlast by itself, in turn, on every third request.</summary>
    /// <remarks>A stall, which costs all of a store's patience, comes in every fourth round only. A deletion is not sent twice: whether
    /// there was something is then nobody's to know.</remarks>
    public static Func<ProxiedRequest, ProxyFault> EachInTurn() => request =>
    {
        if (request.Number % 3 != 0) return ProxyFault.None;
        var (round, turn) = Math.DivRem(request.Number / 3, Outlasted.Length);
        var fault = Outlasted[turn];
        return (fault == ProxyFault.Stall && round % 4 != 0) || (fault == ProxyFault.Duplicate && request.Method == "DELETE")
            ? ProxyFault.None : fault;
    };

    /// <summary>A share of each, at random.</summary>
    /// <param name="seed">Of the generator.</param>
    /// <param name="shares">Fault and its share of the requests, from 0 to 1.</param>
    public static Func<ProxiedRequest, ProxyFault> Shares(int seed, params IReadOnlyList<(ProxyFault Fault, double Share)> shares)
    {
        var random = new Random(seed);
        return _ =>
        {
            var at = random.NextDouble();
            foreach (var (fault, share) in shares)
            {
                if (at < share) return fault;
                at -= share;
            }
            return ProxyFault.None;
        };
    }
}
