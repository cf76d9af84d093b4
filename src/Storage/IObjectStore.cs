namespace BackupDr.Storage;

/// <summary>Named bytes in some place. Knows nothing of restic, encryption or jobs. Safe for concurrent use.</summary>
/// <remarks>
/// Every failure is a <see cref="StoreException"/> of the closed set <see cref="StoreFault"/>; retrying is the business of one layer
/// (Layers/RetryingStore), never of a caller. Objects are immutable: they are put once, read, listed and deleted.
/// </remarks>
public interface IObjectStore : IAsyncDisposable
{
    /// <summary>The place as a person would write it, without credentials: "/srv/backup" or "s3:https://host/bucket/prefix".</summary>
    string Url { get; }

    /// <summary>What this kind of store can do besides.</summary>
    StoreAbilities Abilities => StoreAbilities.None;

    /// <summary>How many requests are worth having under way at once; from 1. A disk gains nothing from many, a place that answers after a
    /// while does: at 200 ms an answer, eight uploads of 16 MiB keep 640 MiB/s busy, and one keeps 80.</summary>
    int RequestsAtOnce => 1;

    /// <summary>Retention and legal hold; null where the kind of store has none.</summary>
    IObjectLocks? Locks => null;

    /// <summary>Storage classes and thawing; null where the kind of store has none.</summary>
    IObjectTiers? Tiers => null;

    /// <summary>Older versions of objects; null where the kind of store shows none.</summary>
    IObjectVersions? Versions => null;

    /// <summary>How far the place's clock was ahead of ours at its last answer, give or take a second; null where it tells none.</summary>
    TimeSpan? ClockDifference => null;

    /// <summary>Puts a whole object. On return it is durable and visible under its name; after a failure or a crash nothing is
    /// visible.</summary>
    /// <param name="name">Where.</param>
    /// <param name="content">The bytes; not changed by anybody until the task ends.</param>
    /// <param name="ct">Cancels; the object may or may not exist afterwards.</param>
    /// <exception cref="StoreException"><see cref="StoreFault.Exists"/> where an object of that name exists already (it is left as it
    /// is).</exception>
    Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct);

    /// <summary>Fills <paramref name="target"/> from <paramref name="offset"/>. A short answer is an error, never a short read.</summary>
    /// <exception cref="StoreException"><see cref="StoreFault.Missing"/>; <see cref="StoreFault.ShortRead"/> where the object ends
    /// before.</exception>
    Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct);

    /// <summary>The object's size, or null where there is none.</summary>
    Task<StoredObject?> Head(ObjectName name, CancellationToken ct);

    /// <summary>All objects whose name starts with the folder <paramref name="folder"/> and a slash, at any depth, in no order; "" lists
    /// all.</summary>
    /// <remarks>All or error: a page that fails throws; a missing folder is empty. Temporary files of interrupted puts are not
    /// listed.</remarks>
    IAsyncEnumerable<StoredObject> List(string folder, CancellationToken ct);

    /// <summary>Deletes an object. One that is not there is an ordinary answer: false.</summary>
    Task<bool> Delete(ObjectName name, CancellationToken ct);
}
