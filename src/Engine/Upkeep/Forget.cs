using BackupDr.Contracts.Rules.Retention;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;
using BackupDr.Engine.ObjectLocks;
using BackupDr.Engine.Replicas;

namespace BackupDr.Engine.Upkeep;

/// <summary>What snapshots are grouped by before keep rules count them.</summary>
[Flags]
public enum SnapshotGrouping
{
    /// <summary>All in one group.</summary>
    None = 0,
    /// <summary>Each host.</summary>
    Host = 1,
    /// <summary>Each set of paths.</summary>
    Paths = 2,
    /// <summary>Each set of tags.</summary>
    Tags = 4,
}

/// <summary>A snapshot and what becomes of it.</summary>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="Verdict">Whether it stays, and why.</param>
public readonly record struct JudgedSnapshot(Snapshot Snapshot, RetentionVerdict Verdict);

/// <summary>Snapshots that the rules see together.</summary>
/// <param name="HostName">Their host; null where they are not grouped by it.</param>
/// <param name="Paths">Their paths; null where they are not grouped by them.</param>
/// <param name="Tags">Their tags; null where they are not grouped by them.</param>
/// <param name="Snapshots">The snapshots, oldest first.</param>
public sealed record SnapshotGroup(string? HostName, IReadOnlyList<string>? Paths, IReadOnlyList<string>? Tags,
    IReadOnlyList<JudgedSnapshot> Snapshots);

/// <summary>Decides which snapshots stay, and removes the others. Their space comes back with a prune.</summary>
public static class Forget
{
    /// <summary>The verdict of every snapshot.</summary>
    /// <param name="snapshots">In any order.</param>
    /// <param name="rules">What to keep in each group.</param>
    /// <param name="grouping">How they are grouped.</param>
    /// <param name="now">"Within" counts from the newest snapshot that is not after it.</param>
    /// <exception cref="Contracts.BadInputException">The rules are not usable.</exception>
    public static IReadOnlyList<SnapshotGroup> Plan(IEnumerable<Snapshot> snapshots, KeepRules rules, SnapshotGrouping grouping,
        DateTimeOffset now)
        => [.. Groups(snapshots, grouping).Select(group => Judge(group, rules, grouping, now))];

    /// <summary>Snapshots that belong together, each group oldest first.</summary>
    public static IReadOnlyList<IReadOnlyList<Snapshot>> Groups(IEnumerable<Snapshot> snapshots, SnapshotGrouping grouping)
        => [.. snapshots.GroupBy(snapshot => Key(snapshot, grouping)).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => (IReadOnlyList<Snapshot>)[.. group.OrderBy(one => one.Time).ThenBy(one => one.Id)])];

    static SnapshotGroup Judge(IReadOnlyList<Snapshot> members, KeepRules rules, SnapshotGrouping grouping, DateTimeOffset now)
    {
        var verdicts = RetentionPlan.Make(
            [.. members.Select(member => new RetentionPoint(member.Time.ToDateTimeOffset(), member.Tags))], rules, now);
        var first = members[0];
        return new SnapshotGroup(
            grouping.HasFlag(SnapshotGrouping.Host) ? first.HostName : null,
            grouping.HasFlag(SnapshotGrouping.Paths) ? Sorted(first.Paths) : null,
            grouping.HasFlag(SnapshotGrouping.Tags) ? Sorted(first.Tags) : null,
            [.. members.Zip(verdicts, (member, verdict) => new JudgedSnapshot(member, verdict))]);
    }

    // No name holds the bytes 0 and 1, so equal keys mean equal parts.
    static string Key(Snapshot snapshot, SnapshotGrouping grouping)
        => (grouping.HasFlag(SnapshotGrouping.Host) ? snapshot.HostName : "") + "\u0001"
        + (grouping.HasFlag(SnapshotGrouping.Paths) ? string.Join('\0', Sorted(snapshot.Paths)) : "") + "\u0001"
        + (grouping.HasFlag(SnapshotGrouping.Tags) ? string.Join('\0', Sorted(snapshot.Tags)) : "");

    static List<string> Sorted(IReadOnlyList<string> texts) => [.. texts.Order(StringComparer.Ordinal)];

    /// <summary>Which of these snapshots the store keeps after they were removed, and how long: nobody sees them then, and who may remove
    /// the mark of the deletion has them back.</summary>
    public static async Task<LockedSpace> Retained(Repository repository, IReadOnlyList<BlobId> ids, CancellationToken ct)
    {
        var locked = new LockedSpace();
        if (RetentionBook.Of(repository) is not { } retentions) return locked;
        var found = await retentions.Until(ids.Select(id => ObjectLayout.Of(ObjectLayout.Snapshots, id)), ct);
        return found.Values.Aggregate(locked, (all, until) => all.And(0, until));
    }

    /// <summary>Removes snapshots; ones that are gone already are no error. Gives the number removed.</summary>
    /// <exception cref="RepositoryException">Locked exclusively.</exception>
    /// <exception cref="Storage.StoreException">The store failed; some may be removed.</exception>
    public static async Task<int> Remove(Repository repository, IReadOnlyList<BlobId> ids, CancellationToken ct)
    {
        // Shared is enough: a snapshot fewer takes nothing away from what others need.
        await using var held = await RepositoryLock.Take(repository, LockKind.Shared, ct);
        await Departures.Note(repository, [.. ids.Select(id => ObjectLayout.Of(ObjectLayout.Snapshots, id))], ct);
        var removed = 0;
        foreach (var id in ids)
            if (await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Snapshots, id), ct)) removed++;
        return removed;
    }
}
