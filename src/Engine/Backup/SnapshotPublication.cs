using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Replicas;

namespace BackupDr.Engine.Backup;

/// <summary>The moment in which a run counts: its snapshot is written while the lock is held, or it is not there.</summary>
static class SnapshotPublication
{
    /// <param name="repository">Where to.</param>
    /// <param name="held">The lock that kept everything that the snapshot names.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="ct">Cancels until it is written.</param>
    /// <returns>Its id; null where the lock was lost, and then there is no snapshot.</returns>
    /// <exception cref="Storage.StoreException">The store failed.</exception>
    public static async Task<BlobId?> Write(Repository repository, RepositoryLock held, Snapshot snapshot, CancellationToken ct)
    {
        if (!await held.IsHeld(ct)) return null;
        var id = await repository.WriteUnpacked(ObjectLayout.Snapshots, SnapshotFile.Write(snapshot), ct);
        if (await held.IsHeld(CancellationToken.None)) return id;
        // Between the check and the write somebody may have removed our lock and our packs: the snapshot goes first, at once. That it is
        // not to come back from another place is noted afterwards, because that can fail too.
        var departing = ObjectLayout.Of(ObjectLayout.Snapshots, id);
        await repository.Store.Delete(departing, CancellationToken.None);
        await Departures.Note(repository, [departing], CancellationToken.None);
        return null;
    }
}
