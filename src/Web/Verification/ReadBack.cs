using BackupDr.Contracts.Api;

namespace BackupDr.Web.Verification;

/// <summary>How much of what is stored was read again, over all repositories. Pure.</summary>
/// <param name="Checked">Repositories that are read back.</param>
/// <param name="Left">Repositories that are not: nothing is in them yet, or their owner does not let us.</param>
/// <param name="Share">Part of the stored bytes that was read at least once, 0 to 1; null where nothing is stored.</param>
/// <param name="LongestUnread">Nothing that is stored was read longer ago; null where not everything was read yet.</param>
/// <param name="Damaged">Repositories in which the newest check found damage.</param>
/// <param name="Late">Repositories whose next check is due.</param>
public sealed record ReadBack(int Checked, int Left, double? Share, DateTimeOffset? LongestUnread, int Damaged, int Late)
{
    /// <summary>Nodes start checks within minutes; what waits longer waits for a host.</summary>
    static readonly TimeSpan Grace = TimeSpan.FromHours(1);

    /// <summary>Looks at all of them.</summary>
    public static ReadBack Of(IReadOnlyList<RepositorySummary> repositories, DateTimeOffset now)
    {
        var read = repositories.Where(one => one.Check is not null).ToList();
        // One without a byte of ours counts as little as that.
        var bytes = read.Sum(Weight);
        return new ReadBack(read.Count, repositories.Count - read.Count,
            read.Count == 0 ? null : read.Sum(one => ShareOf(one.Check!) * Weight(one)) / bytes,
            read.All(one => one.Check!.LastRoundBeganAt is not null) ? read.Min(one => one.Check!.LastRoundBeganAt) : null,
            read.Count(one => one.Check!.Damage is not null), read.Count(one => IsLate(one.Check!, now)));
    }

    /// <summary>Whether its next check should have begun.</summary>
    public static bool IsLate(RollingCheck check, DateTimeOffset now) => check.DueAt < now - Grace;

    static double ShareOf(RollingCheck check) => check.LastRoundEndedAt is null ? check.Position : 1;

    static double Weight(RepositorySummary repository) => Math.Max(1, repository.StoredBytes);
}
