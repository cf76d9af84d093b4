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
}
