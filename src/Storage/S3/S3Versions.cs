using Amazon.S3.Model;

namespace BackupDr.Storage.S3;

/// <summary>Versions of objects in a bucket that keeps them.</summary>
sealed class S3Versions(S3Store store) : IObjectVersions
{
    public Task<IReadOnlyList<ObjectVersion>> Of(ObjectName name, CancellationToken ct)
        => store.Guarded<IReadOnlyList<ObjectVersion>>($"list the versions of {name}", ct, async stall =>
        {
            var key = store.Key(name);
            // The keys come in order, so that those of this object are on the first page.
            var page = await store.Client.ListVersionsAsync(new ListVersionsRequest { BucketName = store.Bucket, Prefix = key },
                stall.Token);
            return [.. (page.Versions ?? []).Where(version => version.Key == key)
                .Select(version => new ObjectVersion(version.VersionId, version.IsDeleteMarker == true))];
        });

    public Task Remove(ObjectName name, string version, CancellationToken ct) => store.Guarded($"delete version {version} of {name}", ct,
        stall => store.Client.DeleteObjectAsync(store.Bucket, store.Key(name), version, stall.Token));
}
