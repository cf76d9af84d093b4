using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Replicas;

namespace BackupDr.Engine.Upkeep;

/// <summary>Which tags a snapshot has afterwards.</summary>
/// <param name="Set">Exactly these; null changes single ones.</param>
/// <param name="Add">Put to the end where they are missing.</param>
/// <param name="Remove">Taken out.</param>
public sealed record TagChange(IReadOnlyList<string>? Set, IReadOnlyList<string> Add, IReadOnlyList<string> Remove)
{
    /// <summary>The tags afterwards.</summary>
    public IReadOnlyList<string> Apply(IReadOnlyList<string> tags)
        => [.. (Set ?? [.. tags, .. Add]).Distinct().Where(tag => Set is not null || !Remove.Contains(tag))];
}

/// <summary>Changes tags. A stored object is never changed: the snapshot is written anew, then the old one is deleted.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-7.1. A crash between the two leaves both, which share all data.</remarks>
public static class SnapshotTags
{
    /// <summary>Changes the tags of snapshots; gives old id and new snapshot of those that changed.</summary>
    /// <exception cref="RepositoryException">Locked, or LockLost.</exception>
    /// <exception cref="BadInputException">A change that says nothing, or two things at once.</exception>
    public static async Task<IReadOnlyList<(BlobId Old, Snapshot New)>> Execute(Repository repository, IReadOnlyList<BlobId> ids,
        TagChange change, CancellationToken ct)
    {
        if (change.Set is null == (change.Add.Count + change.Remove.Count == 0))
            throw new BadInputException("tags", "Give either tags to set, or tags to add or remove.",
                "Write --set TAG, or --add TAG and --remove TAG.");
        await using var held = await RepositoryLock.Take(repository, exclusive: true, ct);
        var wanted = ids.ToHashSet();
        var changed = new List<(BlobId, Snapshot)>();
        foreach (var old in await repository.Snapshots(SnapshotFilter.All, ct))
        {
            var tags = change.Apply(old.Tags);
            if (!wanted.Contains(old.Id) || tags.SequenceEqual(old.Tags)) continue;
            if (!await held.IsHeld(ct))
                throw new RepositoryException(RepositoryFault.LockLost, "The repository lock was lost while tags were changed.",
                    "Run the command again.");
            var made = old with { Tags = tags, Original = old.Original ?? old.Id };
            made = made with { Id = await repository.WriteUnpacked(ObjectLayout.Snapshots, SnapshotFile.Write(made), ct) };
            var departing = ObjectLayout.Of(ObjectLayout.Snapshots, old.Id);
            await Departures.Note(repository, [departing], ct);
            await repository.Store.Delete(departing, ct);
            changed.Add((old.Id, made));
        }
        return changed;
    }
}
