namespace BackupDr.Contracts.Rules.Proof;

/// <summary>An item that test restores are due of now and then.</summary>
public sealed record DrillCandidate
{
    /// <summary>Which.</summary>
    public required ItemId Item { get; init; }
    /// <summary>Who may restore it; one of them does.</summary>
    public required IReadOnlyList<HostId> Hosts { get; init; }
    /// <summary>When it was last proven or disproved; null for never, which is due at once.</summary>
    public DateTimeOffset? Last { get; init; }
    /// <summary>From one test restore to the next. Above zero.</summary>
    public required TimeSpan Every { get; init; }
    /// <summary>How long one probably takes. Above zero.</summary>
    public required TimeSpan Estimate { get; init; }
    /// <summary>Whether one waits or runs: it is part of its hosts' share, and not started again.</summary>
    public bool IsBusy { get; init; }
    /// <summary>Not before this moment: a pause after one that could not be made. Null for none.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>How much of the time between two has gone by: due at 1; without bound for one that was never made.</summary>
    public double Urgency(DateTimeOffset now) => Last is { } last ? (now - last) / Every : double.PositiveInfinity;
}

/// <summary>What a host did and does for test restores.</summary>
/// <param name="Host">Which; online.</param>
/// <param name="Open">Test restores that wait for it or run there.</param>
/// <param name="Spent">Time it spent on them in the last 24 hours.</param>
/// <param name="LastBeganAt">When the newest of them began; null for never.</param>
/// <param name="LastTook">How long that took, or has taken until now.</param>
public sealed record DrillHost(HostId Host, int Open, TimeSpan Spent, DateTimeOffset? LastBeganAt = null, TimeSpan LastTook = default);

/// <summary>A test restore to be started.</summary>
public readonly record struct PlannedDrill(ItemId Item, HostId Host);

/// <summary>Decides which test restores start now, and where. Pure.</summary>
/// <remarks>One at a time on a host. What is due starts, the most overdue first, as long as the host's time of a day lasts. What is not
/// due yet starts ahead, at the pace at which each host does its share in the time that the policies give: so those of a hundred items
/// that were protected in the same hour spread over the weeks, instead of coming back together.</remarks>
public static class DrillPlan
{
    /// <summary>Most time that a host spends on test restores in 24 hours. One that takes longer alone is begun on a free day.</summary>
    public static readonly TimeSpan MostPerDay = TimeSpan.FromHours(8);

    // A little faster than need be, so that nothing becomes overdue by chance.
    const double Haste = 1.02;

    static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>What starts now; at most one on each host.</summary>
    /// <param name="items">All items that take part.</param>
    /// <param name="hosts">The hosts that are online.</param>
    /// <param name="now">The moment.</param>
    public static IReadOnlyList<PlannedDrill> Make(IReadOnlyList<DrillCandidate> items, IReadOnlyList<DrillHost> hosts,
        DateTimeOffset now)
    {
        var free = hosts.Where(host => host.Open == 0).ToDictionary(host => host.Host);
        if (free.Count == 0) return [];
        var shares = Shares(items, [.. hosts.Select(host => host.Host)]);
        var starts = new List<PlannedDrill>();
        foreach (var item in items.Where(item => !item.IsBusy && !(item.NotBefore > now)).OrderByDescending(item => item.Urgency(now))
            .ThenBy(item => item.Item.Value))
        {
            var host = item.Hosts.Where(free.ContainsKey).Select(id => free[id])
                .Where(host => HasTime(host, item) && (item.Urgency(now) >= 1 || IsItsTurn(host, item, shares[host.Host], now)))
                .OrderBy(host => host.Spent).ThenBy(host => host.Host.Value).FirstOrDefault();
            if (host is null) continue;
            starts.Add(new PlannedDrill(item.Item, host.Host));
            free.Remove(host.Host);
            if (free.Count == 0) break;
        }
        return starts;
    }

    static bool HasTime(DrillHost host, DrillCandidate item) => host.Spent == TimeSpan.Zero || host.Spent + item.Estimate <= MostPerDay;

    /// <summary>Whether the pause since the host's last one, or since the item's own where it made none yet, was as long as its share of
    /// the work allows.</summary>
    static bool IsItsTurn(DrillHost host, DrillCandidate item, double share, DateTimeOffset now)
    {
        var (began, took) = host.LastBeganAt is { } last ? (last, host.LastTook) : (item.Last!.Value, item.Estimate);
        return now - began >= took / Math.Min(1, share * Haste);
    }

    /// <summary>The part of its time that each host must spend so that all are in time, where each item's is split among its hosts.
    /// </summary>
    static Dictionary<HostId, double> Shares(IReadOnlyList<DrillCandidate> items, HashSet<HostId> online)
    {
        var shares = online.ToDictionary(host => host, _ => 0.0);
        foreach (var item in items)
        {
            var able = item.Hosts.Count(online.Contains);
            foreach (var host in item.Hosts.Where(online.Contains)) shares[host] += item.Estimate / item.Every / able;
        }
        return shares;
    }

    /// <summary>The time a day that each host needs so that all items are in time, where all hosts are online: too much where it is more
    /// than <see cref="MostPerDay"/>.</summary>
    public static IReadOnlyDictionary<HostId, TimeSpan> TimePerDay(IReadOnlyList<DrillCandidate> items)
        => Shares(items, [.. items.SelectMany(item => item.Hosts)]).ToDictionary(share => share.Key, share => share.Value * Day);
}
