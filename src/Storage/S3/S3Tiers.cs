using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;

namespace BackupDr.Storage.S3;

/// <summary>Storage classes of S3 and the thaw of archived ones.</summary>
sealed class S3Tiers(S3Store store) : IObjectTiers
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<TieredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var (stored, found) in store.Found(folder, ct))
        {
            var named = string.IsNullOrEmpty(found.StorageClass?.Value) ? S3StorageClass.Standard.Value : found.StorageClass.Value;
            yield return new TieredObject(stored, named, IsArchive(named),
                found.LastModified is { } moved ? new DateTimeOffset(moved.ToUniversalTime()) : DateTimeOffset.MaxValue);
        }
    }

    static bool IsArchive(string named) => named == S3StorageClass.Glacier.Value || named == S3StorageClass.DeepArchive.Value;

    public Task<ObjectTier> Of(ObjectName name, CancellationToken ct) => store.Guarded($"look at the class of {name}", ct, async stall =>
    {
        var found = await store.Client.GetObjectMetadataAsync(
            new GetObjectMetadataRequest { BucketName = store.Bucket, Key = store.Key(name) }, stall.Token);
        var named = string.IsNullOrEmpty(found.StorageClass?.Value) ? S3StorageClass.Standard.Value : found.StorageClass.Value;
        var archived = IsArchive(named) || !string.IsNullOrEmpty(found.ArchiveStatus?.Value);
        return new ObjectTier(named, !archived ? ThawState.Readable
            : found.RestoreInProgress == true ? ThawState.Thawing
            : found.RestoreExpiration is not null ? ThawState.Readable : ThawState.Archived);
    });

    // A copy onto itself under another class is how the protocol moves an object; the server never sends the bytes through us.
    public Task Move(ObjectName name, string storageClass, CancellationToken ct) => store.Guarded($"move {name}", ct, async stall =>
    {
        try
        {
            var before = (await store.Client.GetObjectMetadataAsync(
                new GetObjectMetadataRequest { BucketName = store.Bucket, Key = store.Key(name) }, stall.Token)).VersionId;
            var copied = await store.Client.CopyObjectAsync(new CopyObjectRequest
            {
                SourceBucket = store.Bucket,
                SourceKey = store.Key(name),
                DestinationBucket = store.Bucket,
                DestinationKey = store.Key(name),
                StorageClass = new S3StorageClass(storageClass),
                MetadataDirective = S3MetadataDirective.COPY,
            }, stall.Token);
            // With versions the old copy would stay in its class, and be paid for.
            if (before is { Length: > 0 } and not "null" && before != copied.VersionId)
                await store.Client.DeleteObjectAsync(store.Bucket, store.Key(name), before, stall.Token);
            return true;
        }
        catch (AmazonS3Exception e) when (e.ErrorCode is "InvalidArgument" or "InvalidStorageClass")
        {
            throw new StoreException(StoreFault.Unusable, $"move {name} in {store.Url}: the store does not know the class {storageClass}.",
                "Choose a class that the server has.", e);
        }
    });

    public Task Thaw(ObjectName name, int days, CancellationToken ct) => store.Guarded($"thaw {name}", ct, async stall =>
    {
        try
        {
            await store.Client.RestoreObjectAsync(new RestoreObjectRequest
            {
                BucketName = store.Bucket,
                Key = store.Key(name),
                Days = days,
            }, stall.Token);
        }
        // Under way already, or not archived at all: what the caller wants is so or will be.
        catch (AmazonS3Exception e) when (e.ErrorCode is "RestoreAlreadyInProgress" or "InvalidObjectState") { return true; }
        return true;
    });
}
