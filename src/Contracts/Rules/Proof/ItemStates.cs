using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Contracts.Rules.Proof;

/// <summary>What is known of an item; times by the database's clock.</summary>
public sealed record ItemFacts
{
    /// <summary>Paused policy, retired item or host.</summary>
    public bool IsOff { get; init; }
    /// <summary>Whether the host's agent is online.</summary>
    public bool IsHostOnline { get; init; }
    /// <summary>When the host's agent last spoke.</summary>
    public DateTimeOffset? LastSeenAt { get; init; }
    /// <summary>When the item was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>Objective.</summary>
    public TimeSpan Rpo { get; init; }
    /// <summary>How long a proof counts.</summary>
    public TimeSpan ProofAge { get; init; }
    /// <summary>From one test restore to the next; zero for none by schedule.</summary>
    public TimeSpan DrillEvery { get; init; }
    /// <summary>Moment of the newest complete point.</summary>
    public DateTimeOffset? LastCompleteAt { get; init; }
    /// <summary>Moment of the newest point, complete or not.</summary>
    public DateTimeOffset? LastPointAt { get; init; }
    /// <summary>The first thing that the newest point lacks; null where it is complete.</summary>
    public string? Missing { get; init; }
    /// <summary>The newest moment of a received log that can be restored to.</summary>
    public DateTimeOffset? LogUntil { get; init; }
    /// <summary>Whether a log is received.</summary>
    public bool ReceivesLog { get; init; }
    /// <summary>Whether a complete point was lost that is newer than all that are left.</summary>
    public bool IsNewestGone { get; init; }
    /// <summary>The first thing that the newest check of its repository found; null where that was sound.</summary>
    public string? Damage { get; init; }
    /// <summary>Result of the newest proof.</summary>
    public ProofResult? Proof { get; init; }
    /// <summary>Why, where it is not Proven.</summary>
    public string? ProofReason { get; init; }
    /// <summary>When it was made.</summary>
    public DateTimeOffset? ProofAt { get; init; }
    /// <summary>The host that made it; null where that is not known any more.</summary>
    public string? ProofHost { get; init; }
    /// <summary>Why the newest test restore could not be made; null where it was.</summary>
    public string? DrillProblem { get; init; }

    /// <summary>The newest moment that can be restored to.</summary>
    public DateTimeOffset? Newest => LogUntil > LastCompleteAt ? LogUntil : LastCompleteAt;
}

/// <summary>What can be said of an item, from the age of what was proven, never from "the last run was green". Pure, and the only place
/// that decides it: Home, lists, alerts, reports and the API show what it says.</summary>
public static class ItemStates
{
    static readonly TimeSpan LongestGrace = TimeSpan.FromDays(1);

    /// <summary>All states, the worst first: of several the first is what a day, a policy or a list is called by.</summary>
    public static readonly IReadOnlyList<ItemState> WorstFirst = [ItemState.Failed, ItemState.Overdue, ItemState.Unknown,
        ItemState.Incomplete, ItemState.Unproven, ItemState.New, ItemState.Proven, ItemState.Off];

    /// <summary>0 for the worst.</summary>
    public static int Rank(ItemState state)
    {
        for (var at = 0; at < WorstFirst.Count; at++)
            if (WorstFirst[at] == state) return at;
        throw new ArgumentOutOfRangeException(nameof(state), state, "A state without a rank.");
    }

    /// <summary>The worse of two; null is what is not known of one.</summary>
    public static ItemState? Worse(ItemState? one, ItemState? other)
        => one is not { } a ? other : other is not { } b ? one : Rank(a) <= Rank(b) ? a : b;

    /// <summary>From when on the next test restore is overdue: a tenth of its interval, at most a day, after it was due. Null for none.
    /// </summary>
    public static DateTimeOffset? DrillOverdueAt(DateTimeOffset? lastProofAt, TimeSpan every)
        => lastProofAt is not { } last || every <= TimeSpan.Zero ? null
            : last + every + (every / 10 < LongestGrace ? every / 10 : LongestGrace);

    /// <summary>The state and its reason in a sentence or two.</summary>
    public static (ItemState State, string Reason) Of(ItemFacts facts, DateTimeOffset now)
    {
        if (facts.IsOff) return (ItemState.Off, "Its policy is paused, or it was retired.");
        var isInside = facts.Newest is { } moment && now - moment <= facts.Rpo;
        if (facts.IsNewestGone && !isInside) return (ItemState.Overdue, "Its newest recovery point is gone from every location.");
        if (facts.LastCompleteAt is null && facts.LastPointAt is null && now - facts.CreatedAt <= facts.Rpo)
            return facts.IsHostOnline ? (ItemState.New, "The first backup has not ended yet.")
                : (ItemState.Unknown, "Its host is silent and there is no recovery point yet.");
        if (!isInside) return (ItemState.Overdue, Late(facts, now));
        if (facts.Damage is { } damage) return (ItemState.Failed, $"A check of its repository found damage: {damage}");
        if (facts.Proof == ProofResult.Failed) return (ItemState.Failed, facts.ProofReason is { Length: > 0 } why
            ? $"The last test restore failed: {Sentence(why)}" : "The last test restore failed.");
        if (!facts.IsHostOnline) return (ItemState.Unknown, facts.LastSeenAt is { } seen
            ? $"Its host has been silent for {Words(now - seen)}. {Newest(facts, now)}"
            : $"Its host has never been seen. {Newest(facts, now)}");
        if (facts.LastPointAt > facts.LastCompleteAt) return (ItemState.Incomplete, "The newest recovery point is incomplete"
            + (facts.Missing is { Length: > 0 } missing ? $": {Sentence(missing)} The " : "; the ")
            + $"newest complete one is {Words(now - facts.LastCompleteAt!.Value)} old, inside the objective of {Words(facts.Rpo)}.");
        var (state, reason) = Inside(facts, now);
        return (state, facts.DrillProblem is { Length: > 0 } not ? $"{reason} The newest try could not be made: {Sentence(not)}" : reason);
    }

    /// <summary>What is inside its objective, by its proof.</summary>
    static (ItemState State, string Reason) Inside(ItemFacts facts, DateTimeOffset now)
    {
        if (facts.Proof != ProofResult.Proven || facts.ProofAt is not { } at)
            return (ItemState.Unproven, $"It was never test-restored. {Newest(facts, now)}");
        if (now - at > facts.ProofAge) return (ItemState.Unproven,
            $"The last test restore is {Words(now - at)} old, and one counts for {Words(facts.ProofAge)}. {Newest(facts, now)}");
        var restored = $"estored and checked {Words(now - at)} ago{(facts.ProofHost is { } host ? $" on {host}" : "")}";
        if (DrillOverdueAt(at, facts.DrillEvery) < now) return (ItemState.Unproven,
            $"Its test restore is overdue by {Words(now - at - facts.DrillEvery)}: r{restored}, wanted every {Words(facts.DrillEvery)}. "
            + Newest(facts, now));
        return (ItemState.Proven, $"R{restored}. {Newest(facts, now)}");
    }

    static string Late(ItemFacts facts, DateTimeOffset now)
    {
        if (facts is { ReceivesLog: true, LastCompleteAt: not null })
            return $"The newest moment that can be restored to is {Words(now - facts.Newest!.Value)} old; the objective is "
                + $"{Words(facts.Rpo)}. "
                + (facts.LogUntil is null ? "No log is stored behind its base backup." : "Its log is not stored as it is written.");
        return facts.LastCompleteAt is { } last
            ? $"The newest complete recovery point is {Words(now - last)} old; the objective is {Words(facts.Rpo)}."
            : $"There is no complete recovery point; the objective is {Words(facts.Rpo)}.";
    }

    static string Newest(ItemFacts facts, DateTimeOffset now) => facts.Newest is not { } at ? ""
        : facts.LogUntil == at ? $"The newest moment that can be restored to is {Words(now - at)} old."
        : $"The newest recovery point is {Words(now - at)} old.";

    static string Sentence(string text) => text.EndsWith('.') ? text : text + ".";

    /// <summary>A duration in words, two units at most: "2 h 10 min".</summary>
    public static string Words(TimeSpan time) => time switch
    {
        { TotalSeconds: < 60 } => $"{Math.Max(0, (int)time.TotalSeconds)} s",
        { TotalMinutes: < 60 } => $"{(int)time.TotalMinutes} min",
        { TotalHours: < 48 } => time.Minutes == 0 ? $"{(int)time.TotalHours} h" : $"{(int)time.TotalHours} h {time.Minutes} min",
        _ => $"{(int)time.TotalDays} d",
    };
}
