namespace BackupDr.Contracts.Rules.Retention;

/// <summary>A recovery point as the fleet's retention sees it. When its snapshot says it was taken is not here: a host that was taken over
/// writes what it likes there.</summary>
public sealed record KeptPoint
{
    /// <summary>When the node learned of it, by the database's clock.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }
    /// <summary>Whether nothing is missing in it.</summary>
    public bool IsComplete { get; init; } = true;
    /// <summary>Whether its newest test restore proved it.</summary>
    public bool IsProven { get; init; }
    /// <summary>Whether a legal hold is on it.</summary>
    public bool IsHeld { get; init; }
    /// <summary>Until when it stays because somebody took it out of the trash; null where nobody did.</summary>
    public DateTimeOffset? TakenOutUntil { get; init; }
    /// <summary>Whether it is the first complete base backup in an unbroken stretch of a database's log: without it nothing leads to the
    /// moments up to the next one.</summary>
    public bool BeginsLog { get; init; }
    /// <summary>Whether its snapshot is in no place any more: it counts for nothing.</summary>
    public bool IsGone { get; init; }
}

/// <summary>What of an item decides beside its points.</summary>
public sealed record KeepTerms
{
    /// <summary>The policy's rules.</summary>
    public required KeepRules Rules { get; init; }
    /// <summary>Never fewer complete points than these.</summary>
    public int Floor { get; init; } = 1;
    /// <summary>Whether something unusual stopped the item's retention.</summary>
    public bool IsOnHold { get; init; }
    /// <summary>Whether somebody may remove something from the repository: not from an adopted one whose owner has not said so.</summary>
    public bool MayForget { get; init; } = true;
}

/// <summary>What becomes of a point.</summary>
public enum PointFate
{
    /// <summary>It stays.</summary>
    Kept,
    /// <summary>Nothing keeps it: it goes into the trash.</summary>
    Dropped,
    /// <summary>It is gone already.</summary>
    Gone,
}

/// <summary>The fate of a point.</summary>
/// <param name="Fate">What becomes of it.</param>
/// <param name="Reasons">What keeps it; empty where nothing does.</param>
public readonly record struct KeepVerdict(PointFate Fate, IReadOnlyList<KeepReason> Reasons)
{
    /// <summary>Whether it stays.</summary>
    public bool Keeps => Fate == PointFate.Kept;
}

/// <summary>
/// The one planner of the fleet: preview, picture, simulator and the real forget all ask it. Pure: the same points, terms and time give the
/// same answer.
/// </summary>
/// <remarks>
/// Rules count by the time of receipt, in UTC. An incomplete point never takes the place of a complete one: rules are applied to complete
/// points alone, and once more to all of them, and each point stays that stays in one of the two. The log of a database goes with its
/// oldest base backup; what leads into a later stretch of it, behind a gap, stays with that.
/// </remarks>
public static class KeepPlan
{
    /// <summary>The verdict of each point, in the order given. Planning again without what was dropped drops nothing more.</summary>
    /// <exception cref="BadInputException">The rules are not usable.</exception>
    public static IReadOnlyList<KeepVerdict> Make(IReadOnlyList<KeptPoint> points, KeepTerms terms, DateTimeOffset now)
    {
        var there = Enumerable.Range(0, points.Count).Where(at => !points[at].IsGone).ToList();
        var complete = there.Where(at => points[at].IsComplete).ToList();
        var reasons = new List<KeepReason>?[points.Count];
        foreach (var at in there) reasons[at] = [.. Own(points[at], terms, now)];
        Apply(points, complete, terms.Rules, now, reasons);
        if (complete.Count < there.Count) Apply(points, there, terms.Rules, now, reasons);
        if (Newest(points, complete) is { } newest) reasons[newest]!.Add(KeepReason.NewestComplete);
        if (Newest(points, there.Where(at => points[at].IsProven)) is { } proven) reasons[proven]!.Add(KeepReason.LastProven);
        var missing = terms.Floor - complete.Count(at => reasons[at]!.Count > 0);
        foreach (var at in complete.Where(at => reasons[at]!.Count == 0).OrderByDescending(at => points[at].ReceivedAt)
            .Take(Math.Max(0, missing)).ToList())
            reasons[at]!.Add(KeepReason.Floor);
        KeepLogs(points, complete, reasons);
        return [.. reasons.Select(kept => kept is null ? new KeepVerdict(PointFate.Gone, [])
            : new KeepVerdict(kept.Count > 0 ? PointFate.Kept : PointFate.Dropped, kept))];
    }

    /// <summary>A database's log goes with the oldest of its base backups; what lies behind that one stays, and has to lead
    /// anywhere.</summary>
    static void KeepLogs(IReadOnlyList<KeptPoint> points, List<int> complete, List<KeepReason>?[] reasons)
    {
        var kept = complete.Where(at => reasons[at]!.Count > 0).Select(at => (DateTimeOffset?)points[at].ReceivedAt);
        if (kept.Min() is not { } oldest) return;
        foreach (var at in complete)
            if (points[at].BeginsLog && points[at].ReceivedAt > oldest && reasons[at]!.Count == 0) reasons[at]!.Add(KeepReason.BeginsLog);
    }

    static IEnumerable<KeepReason> Own(KeptPoint point, KeepTerms terms, DateTimeOffset now)
    {
        if (!terms.MayForget) yield return KeepReason.NobodyMayForget;
        if (terms.IsOnHold) yield return KeepReason.ItemHold;
        if (point.IsHeld) yield return KeepReason.LegalHold;
        if (point.TakenOutUntil > now) yield return KeepReason.TakenOut;
        if (terms.Rules.IsEmpty) yield return KeepReason.NoRules;
    }

    static void Apply(IReadOnlyList<KeptPoint> points, List<int> among, KeepRules rules, DateTimeOffset now, List<KeepReason>?[] reasons)
    {
        var verdicts = RetentionPlan.Make([.. among.Select(at => new RetentionPoint(points[at].ReceivedAt.ToUniversalTime(), []))],
            rules with { Floor = 0 }, now);
        for (var i = 0; i < among.Count; i++)
            foreach (var reason in verdicts[i].Rules)
                if (!reasons[among[i]]!.Contains(reason)) reasons[among[i]]!.Add(reason);
    }

    static int? Newest(IReadOnlyList<KeptPoint> points, IEnumerable<int> among)
        => among.Cast<int?>().MaxBy(at => points[at!.Value].ReceivedAt);
}
