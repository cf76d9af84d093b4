using System.Runtime.CompilerServices;
using Azure;
using Azure.Storage.Blobs.Models;
using BackupDr.Contracts;

namespace BackupDr.Storage.Azure;

/// <summary>Access tiers of blobs and the way back from the archive.</summary>
/// <remarks>A blob that was rehydrated stays in its new tier until somebody moves it: the days of a thaw have no meaning here.</remarks>
sealed class AzureTiers : IObjectTiers
{
    /// <summary>The tiers that a block blob of an ordinary account can lie in.</summary>
    public static readonly IReadOnlyList<AccessTier> Known = [AccessTier.Hot, AccessTier.Cool, AccessTier.Cold, AccessTier.Archive];

    readonly AzureStore _store;
    readonly RehydratePriority _priority;

    /// <exception cref="BadInputException">The priority is none.</exception>
    public AzureTiers(AzureStore store, StoreOptions options)
    {
        _store = store;
        _priority = options.Choice("azure.rehydrate-priority", "standard", "high") == "high"
            ? RehydratePriority.High : RehydratePriority.Standard;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<TieredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var (stored, found) in _store.Found(folder, ct))
            yield return new TieredObject(stored, (found.AccessTier ?? AccessTier.Hot).ToString(), found.AccessTier == AccessTier.Archive,
                found.AccessTierChangedOn ?? found.LastModified ?? DateTimeOffset.MaxValue);
    }

    public Task<ObjectTier> Of(ObjectName name, CancellationToken ct) => _store.Guarded($"look at the tier of {name}", ct, async stall =>
    {
        BlobProperties found = await _store.Blob(name).GetPropertiesAsync(cancellationToken: stall.Token);
        var named = string.IsNullOrEmpty(found.AccessTier) ? AccessTier.Hot.ToString() : found.AccessTier;
        return new ObjectTier(named, named != AccessTier.Archive.ToString() ? ThawState.Readable
            : string.IsNullOrEmpty(found.ArchiveStatus) ? ThawState.Archived : ThawState.Thawing);
    });

    public Task Move(ObjectName name, string storageClass, CancellationToken ct) => _store.Guarded($"move {name}", ct, async stall =>
    {
        if (!Known.Contains(storageClass))
            throw new StoreException(StoreFault.Unusable, $"move {name} in {_store.Url}: Azure has no tier {storageClass}.",
                $"Choose one of {string.Join(", ", Known)}.");
        return await _store.Blob(name).SetAccessTierAsync(storageClass, rehydratePriority: _priority, cancellationToken: stall.Token);
    });

    public async Task Thaw(ObjectName name, int days, CancellationToken ct)
    {
        if ((await Of(name, ct)).State != ThawState.Archived) return;
        await _store.Guarded($"thaw {name}", ct, async stall =>
        {
            try
            {
                return await _store.Blob(name).SetAccessTierAsync(AccessTier.Hot, rehydratePriority: _priority,
                    cancellationToken: stall.Token);
            }
            catch (RequestFailedException e) when (e.ErrorCode == "BlobBeingRehydrated") { return null; }   // somebody was quicker
        });
    }
}
