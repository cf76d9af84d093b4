using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Scheduler.Policies;

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
    /// <summary>Moment of the newest complete point.</summary>
    public DateTimeOffset? LastCompleteAt { get; init; }
    /// <summary>Moment of the newest point, complete or not.</summary>
    public DateTimeOffset? LastPointAt { get; init; }
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
}

/// <summary>What can be said of an item, from the age of what was proven, never from "the last run was green". Pure.</summary>
public static class ItemStates
{
    /// <summary>The state and its reason in one sentence.</summary>
    public static (ItemState State, string Reason) Of(ItemFacts facts, DateTimeOffset now)
    {
        if (facts.IsOff) return (ItemState.Off, "Its policy is paused, or it was retired.");
        var newest = facts.LogUntil > facts.LastCompleteAt ? facts.LogUntil : facts.LastCompleteAt;
        var isInside = newest is { } moment && now - moment <= facts.Rpo;
        if (facts.IsNewestGone && !isInside) return (ItemState.Overdue, "Its newest recovery point is gone from every location.");
        if (facts.LastCompleteAt is null && facts.LastPointAt is null && now - facts.CreatedAt <= facts.Rpo)
            return facts.IsHostOnline ? (ItemState.New, "The first backup has not ended yet.")
                : (ItemState.Unknown, "Its host is silent and there is no recovery point yet.");
        if (!isInside && facts is { ReceivesLog: true, LastCompleteAt: not null }) return (ItemState.Overdue,
            $"The newest moment that can be restored to is {Words(now - newest!.Value)} old; the objective is {Words(facts.Rpo)}. "
            + (facts.LogUntil is null ? "No log is stored behind its base backup." : "Its log is not stored as it is written."));
        if (!isInside) return (ItemState.Overdue, facts.LastCompleteAt is { } last
            ? $"The newest complete recovery point is {Words(now - last)} old; the objective is {Words(facts.Rpo)}."
            : $"There is no complete recovery point; the objective is {Words(facts.Rpo)}.");
        if (facts.Damage is { } damage) return (ItemState.Failed, $"A check of its repository found damage: {damage}");
        if (facts.Proof == ProofResult.Failed) return (ItemState.Failed, facts.ProofReason is { Length: > 0 } why
            ? $"The last test restore failed: {Sentence(why)}" : "The last test restore failed.");
        if (!facts.IsHostOnline) return (ItemState.Unknown, facts.LastSeenAt is { } seen
            ? $"Its host has been silent for {Words(now - seen)}." : "Its host has never been seen.");
        if (facts.LastPointAt > facts.LastCompleteAt) return (ItemState.Incomplete,
            "The newest recovery point is incomplete; an older complete one is inside the objective.");
        if (facts.Proof != ProofResult.Proven || facts.ProofAt is null) return (ItemState.Unproven, "It was never test-restored.");
        if (now - facts.ProofAt > facts.ProofAge) return (ItemState.Unproven,
            $"The last test restore is {Words(now - facts.ProofAt.Value)} old.");
        return (ItemState.Proven, $"Test-restored {Words(now - facts.ProofAt.Value)} ago.");
    }

    static string Sentence(string text) => text.EndsWith('.') ? text : text + ".";

    /// <summary>A duration in words, two units at most: "2 h 10 m".</summary>
    public static string Words(TimeSpan time) => time switch
    {
        { TotalSeconds: < 60 } => $"{Math.Max(0, (int)time.TotalSeconds)} s",
        { TotalMinutes: < 60 } => $"{(int)time.TotalMinutes} m",
        { TotalHours: < 48 } => time.Minutes == 0 ? $"{(int)time.TotalHours} h" : $"{(int)time.TotalHours} h {time.Minutes} m",
        _ => $"{(int)time.TotalDays} d",
    };
}
