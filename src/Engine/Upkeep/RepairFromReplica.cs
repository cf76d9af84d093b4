using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.Upkeep;

/// <summary>What came back from a replica.</summary>
/// <param name="Healed">Objects that are right again.</param>
/// <param name="NotHealed">Objects that are damaged and of which the replica has no copy that is right.</param>
/// <param name="Packs">What was done to packs and index.</param>
public sealed record ReplicaRepair(IReadOnlyList<ObjectName> Healed, IReadOnlyList<ObjectName> NotHealed, PackRepair Packs);

/// <summary>Brings damaged objects of every kind back from a replica: keys, config, snapshots, index, garbage marks, packs.</summary>
/// <remarks>
/// All names but the config's are hashes, so a damaged replica does no harm. What the replica has and this repository has not stays away:
/// it may have been removed on purpose. Only packs that the index names come back, too. Source: docs/format/restic-v2.md, F-1.2, F-12.7.
/// </remarks>
public sealed class RepairFromReplica
{
    const int LargestSmallObject = 256 << 20;   // bytes; of everything but packs

    readonly IObjectStore _store, _replica;
    readonly RepositoryOptions _options;
    readonly List<ObjectName> _healed = [], _notHealed = [];

    RepairFromReplica(IObjectStore store, IObjectStore replica, RepositoryOptions options)
        => (_store, _replica, _options) = (store, replica, options);

    /// <summary>Heals what it can.</summary>
    /// <param name="store">The damaged repository; it need not open yet.</param>
    /// <param name="replica">Another place with the same objects.</param>
    /// <param name="password">Of the repository.</param>
    /// <param name="options">How it is worked with.</param>
    /// <param name="progress">Told of each pack.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="RepositoryException">Locked or LockLost; WrongPassword; Damaged: it does not open, and the replica has nothing
    /// that would change that.</exception>
    /// <exception cref="StoreException">One of the two places failed; what was healed stays healed.</exception>
    public static async Task<ReplicaRepair> Execute(IObjectStore store, IObjectStore replica, Secret password, RepositoryOptions options,
        IProgress<CheckProgress>? progress, CancellationToken ct)
    {
        var repair = new RepairFromReplica(store, replica, options);
        // Without these nothing opens, and no lock can be taken. Nobody is disturbed: no program ever changes them.
        try { await repair.Heal(ObjectLayout.Keys, ct); }
        catch (StoreException e) when (e.Fault is StoreFault.Missing or StoreFault.Unusable)
        {
            (await Repository.Open(store, password, options, ct)).Dispose();   // says that there is no repository
            throw;
        }
        using var repository = await repair.Open(password, ct);
        await using (var held = await RepositoryLock.Take(repository, LockKind.Exclusive, ct))
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, held.Lost);
            foreach (var folder in (string[])[ObjectLayout.Snapshots, ObjectLayout.Index, ObjectLayout.Marks, ObjectLayout.Witnesses])
                await repair.Heal(folder, stop.Token);
        }
        var packs = await RepairPacks.Execute(repository, replica, progress, ct);
        // An index that the replica could not heal was made again from the packs.
        repair._notHealed.RemoveAll(name => name.Value.StartsWith(ObjectLayout.Index + "/", StringComparison.Ordinal));
        return new ReplicaRepair(
            [.. repair._healed, .. packs.Healed.Select(id => ObjectLayout.Of(ObjectLayout.Data, id))], repair._notHealed, packs);
    }

    async Task Heal(string folder, CancellationToken ct)
    {
        var listed = new List<StoredObject>();
        await foreach (var one in _store.List(folder, ct)) listed.Add(one);
        await ParallelWork.Run(listed, _options.Workers, async (one, token) =>
        {
            if (!ObjectLayout.TryId(one, out var id) || await IsIntact(one, id, token)) return;
            var isHealed = await RepairPacks.Heal(_store, _replica, _options.Clock, folder, id, token);
            lock (_healed) (isHealed ? _healed : _notHealed).Add(one.Name);
        }, ct);
    }

    async Task<bool> IsIntact(StoredObject one, BlobId id, CancellationToken ct)
        => one.SizeBytes <= LargestSmallObject && PackFile.IsIntact(await PackFile.Read(_store, one, ct), id);

    /// <summary>Opens the repository, with the replica's config where its own does not open.</summary>
    async Task<Repository> Open(Secret password, CancellationToken ct)
    {
        try { return await Repository.Open(_store, password, _options, ct); }
        catch (RepositoryException e) when (e.Fault is RepositoryFault.Damaged or RepositoryFault.Missing)
        {
            if (!await TryHealConfig(password, ct)) throw;
            return await Repository.Open(_store, password, _options, ct);
        }
    }

    /// <summary>The config's name says nothing of its bytes. But it opens only with the master key, and a key file of the same name has
    /// the same one: the replica's config is this repository's.</summary>
    async Task<bool> TryHealConfig(Secret password, CancellationToken ct)
    {
        using var there = await Repository.Open(_replica, password, _options, ct);
        var key = ObjectLayout.Of(ObjectLayout.Keys, there.KeyId);
        if (await _store.Head(key, ct) is not { } own || !await IsIntact(own, there.KeyId, ct)) return false;
        if (await _replica.Head(ObjectLayout.Config, ct) is not { } config) return false;
        var bytes = await PackFile.Read(_replica, config, ct);
        if (await _store.Head(ObjectLayout.Config, ct) is { } old) await Trash.Move(_store, _options.Clock, old, ct);
        await _store.Put(ObjectLayout.Config, bytes, ct);
        _healed.Add(ObjectLayout.Config);
        return true;
    }
}
