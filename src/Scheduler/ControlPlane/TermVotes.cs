namespace BackupDr.Scheduler.ControlPlane;

/// <summary>What a place says of terms.</summary>
/// <param name="Place">As people call it.</param>
/// <param name="Counts">Whether an object can be put there on the condition that there is none: only such places tell two control planes
/// apart for certain.</param>
/// <param name="Highest">The highest term that has begun there, 0 for none; null where it could not be asked.</param>
public sealed record TermVote(string Place, bool Counts, long? Highest);

/// <summary>What follows from what the places say. Pure.</summary>
/// <remarks>
/// A rebuild begins its term in more than half of the places that count, and a control plane removes something only while more than half of
/// them hold no later term. Two such majorities share a place, so both at once is impossible, also where neither sees all places. For all
/// else one place with a later term is enough.
/// </remarks>
public static class TermVotes
{
    /// <summary>How long the word of most places counts that no later term has begun, from when the first of them was asked.</summary>
    public static readonly TimeSpan ConfirmedFor = TimeSpan.FromSeconds(90);

    /// <summary>How many are more than half.</summary>
    public static int Majority(int places) => places / 2 + 1;

    /// <summary>The place that shows the latest term above ours; null where none shows one.</summary>
    public static TermVote? Later(long own, IReadOnlyCollection<TermVote> votes)
        => votes.Where(vote => vote.Highest > own).MaxBy(vote => vote.Highest);

    /// <summary>Whether most of the places that count say that no later term has begun.</summary>
    public static bool Confirm(long own, IReadOnlyCollection<TermVote> votes)
        => votes.Count(vote => vote.Counts && vote.Highest <= own) >= Majority(votes.Count(vote => vote.Counts));

    /// <summary>Whether there is anybody to ask at all.</summary>
    public static bool Any(IReadOnlyCollection<TermVote> votes) => votes.Any(vote => vote.Counts);
}
