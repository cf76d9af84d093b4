namespace BackupDr.Storage;

/// <summary>What a kind of store can do beyond putting, reading, listing and deleting. Whether one server really does is what a probe
/// finds.</summary>
[Flags]
public enum StoreAbilities
{
    /// <summary>Nothing more.</summary>
    None = 0,
    /// <summary>The store itself decides which of several writers of one name wins; else two of them may both believe so.</summary>
    ConditionalPut = 1,
    /// <summary>Objects can lie in classes that cost less to keep and more to read.</summary>
    StorageClasses = 2,
    /// <summary>Some of these classes cannot be read before a thaw that takes hours.</summary>
    Thaw = 4,
    /// <summary>Objects can be made undeletable until a date.</summary>
    ObjectLock = 8,
    /// <summary>What is overwritten or deleted is kept as an older version.</summary>
    Versions = 16,
}

/// <summary>How strictly a retention is kept.</summary>
public enum RetentionMode
{
    /// <summary>Persons with a special right may lift it.</summary>
    Governance,
    /// <summary>Nobody can lift or shorten it.</summary>
    Compliance,
}

/// <summary>Until when an object cannot be deleted.</summary>
/// <param name="Mode">How strictly.</param>
/// <param name="Until">The moment from which it can be deleted again.</param>
public readonly record struct Retention(RetentionMode Mode, DateTimeOffset Until);

/// <summary>The retention that a store gives to each object that it is handed, but for repository locks and our own notes.</summary>
/// <param name="Mode">How strictly.</param>
/// <param name="Period">How long from the put on; above zero.</param>
public sealed record RetentionRule(RetentionMode Mode, TimeSpan Period);

/// <summary>Retention and legal hold of objects, where a store has them. Failures are <see cref="StoreException"/>.</summary>
public interface IObjectLocks
{
    /// <summary>What was asked for new objects; null where nothing was.</summary>
    RetentionRule? Rule { get; }

    /// <summary>The retention as the store tells it, or null where there is none (or where it ended and the store forgot it).</summary>
    /// <exception cref="StoreException"><see cref="StoreFault.Missing"/>.</exception>
    Task<Retention?> Of(ObjectName name, CancellationToken ct);

    /// <summary>Sets or extends the retention and reads it back.</summary>
    /// <exception cref="StoreException"><see cref="StoreFault.Denied"/> where it would be shortened; <see cref="StoreFault.Unusable"/>
    /// where the place has no object lock, or accepted the request without doing it.</exception>
    Task Retain(ObjectName name, Retention retention, CancellationToken ct);

    /// <summary>Whether somebody holds the object regardless of any date.</summary>
    Task<bool> IsHeld(ObjectName name, CancellationToken ct);

    /// <summary>Sets or lifts the legal hold and reads it back.</summary>
    /// <exception cref="StoreException"><see cref="StoreFault.Unusable"/> as for <see cref="Retain"/>.</exception>
    Task Hold(ObjectName name, bool held, CancellationToken ct);
}

/// <summary>Whether an object can be read now.</summary>
public enum ThawState
{
    /// <summary>Yes.</summary>
    Readable,
    /// <summary>Not before it is thawed.</summary>
    Archived,
    /// <summary>A thaw was asked for and has not ended.</summary>
    Thawing,
}

/// <summary>Where an object lies and whether it can be read.</summary>
/// <param name="Class">The store's word for the class, for example "STANDARD_IA" or "Archive".</param>
/// <param name="State">Whether it can be read now.</param>
public readonly record struct ObjectTier(string Class, ThawState State);

/// <summary>An object with its class, as a listing tells them.</summary>
/// <param name="Object">The object.</param>
/// <param name="Class">The store's word for the class.</param>
/// <param name="IsArchived">Whether that is a class without reading; a single one may be thawed all the same.</param>
/// <param name="Since">Since when it lies there, as far as the store tells: since it was put, or moved last.</param>
public readonly record struct TieredObject(StoredObject Object, string Class, bool IsArchived, DateTimeOffset Since);

/// <summary>Storage classes and thawing, where a store has them. Failures are <see cref="StoreException"/>.</summary>
public interface IObjectTiers
{
    /// <summary>All objects in a folder, at any depth, with their classes; for the price of a listing.</summary>
    IAsyncEnumerable<TieredObject> List(string folder, CancellationToken ct);

    /// <summary>Where the object lies.</summary>
    /// <exception cref="StoreException"><see cref="StoreFault.Missing"/>.</exception>
    Task<ObjectTier> Of(ObjectName name, CancellationToken ct);

    /// <summary>Moves the object into another class; its bytes and its name stay.</summary>
    /// <exception cref="StoreException"><see cref="StoreFault.Unusable"/> where the store does not know the class.</exception>
    Task Move(ObjectName name, string storageClass, CancellationToken ct);

    /// <summary>Asks that an archived object becomes readable; one that is readable or thawing already is left as it is.</summary>
    /// <param name="name">Which.</param>
    /// <param name="days">How many days at least it stays readable, from 1.</param>
    /// <param name="ct">Cancels the request.</param>
    Task Thaw(ObjectName name, int days, CancellationToken ct);
}

/// <summary>One state of an object that was overwritten or deleted since, or is the present one.</summary>
/// <param name="Id">The store's word for it.</param>
/// <param name="IsDeletion">Whether it is the mark of a deletion, and no content.</param>
public readonly record struct ObjectVersion(string Id, bool IsDeletion);

/// <summary>A version as a listing tells it.</summary>
/// <param name="Object">Its object, with the size of this version.</param>
/// <param name="Id">The store's word for it.</param>
/// <param name="IsDeletion">Whether it is the mark of a deletion, and no content.</param>
/// <param name="IsLatest">Whether it is what a reader of the name sees.</param>
public readonly record struct ListedVersion(StoredObject Object, string Id, bool IsDeletion, bool IsLatest);

/// <summary>Older versions of objects, where a store keeps them. Failures are <see cref="StoreException"/>.</summary>
public interface IObjectVersions
{
    /// <summary>All versions in a folder, at any depth; those of one object come one after another.</summary>
    IAsyncEnumerable<ListedVersion> List(string folder, CancellationToken ct);

    /// <summary>Until when a version cannot be removed: its retention, <see cref="DateTimeOffset.MaxValue"/> where somebody holds it, null
    /// where it never had any.</summary>
    Task<DateTimeOffset?> KeptUntil(ObjectName name, string version, CancellationToken ct);

    /// <summary>The versions of one object, of a few at the most: for objects of our own tests.</summary>
    Task<IReadOnlyList<ObjectVersion>> Of(ObjectName name, CancellationToken ct);

    /// <summary>Removes one for good.</summary>
    /// <exception cref="StoreException"><see cref="StoreFault.Denied"/> where a retention or hold keeps it.</exception>
    Task Remove(ObjectName name, string version, CancellationToken ct);
}
