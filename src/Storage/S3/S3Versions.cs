using System.Runtime.CompilerServices;
using Amazon.S3.Model;

namespace BackupDr.Storage.S3;

/// <summary>Versions of objects in a bucket that keeps them.</summary>
sealed class S3Versions(S3Store store, S3Locks locks) : IObjectVersions
{
    public async IAsyncEnumerable<ListedVersion> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        var root = store.Folder("");
        var request = new ListVersionsRequest { BucketName = store.Bucket, Prefix = store.Folder(folder) };
        while (true)
        {
            var page = await store.Page($"list the versions in {folder}",
                stall => store.Client.ListVersionsAsync(request, stall.Token), ct);
            foreach (var found in page.Versions ?? [])
            {
                var name = found.Key[root.Length..];
                if (ObjectName.IsLegal(name))
                    yield return new ListedVersion(new StoredObject(new ObjectName(name), found.Size ?? 0), found.VersionId,
                        found.IsDeleteMarker == true, found.IsLatest == true);
            }
            if (page.IsTruncated != true) yield break;
            if (string.IsNullOrEmpty(page.NextKeyMarker)
                || (page.NextKeyMarker, page.NextVersionIdMarker) == (request.KeyMarker, request.VersionIdMarker))
                throw new StoreException(StoreFault.Unusable,
                    $"list the versions in {folder} in {store.Url}: the server says that there is more and not where.");
            (request.KeyMarker, request.VersionIdMarker) = (page.NextKeyMarker, page.NextVersionIdMarker);
        }
    }

    public async Task<DateTimeOffset?> KeptUntil(ObjectName name, string version, CancellationToken ct)
        => await locks.IsHeld(name, version, ct) ? DateTimeOffset.MaxValue : (await locks.Of(name, version, ct))?.Until;

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
