using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;
using BackupDr.Contracts;
using BackupDr.Storage.Http;
using BackupDr.Storage.Layers;

namespace BackupDr.Storage.S3;

/// <summary>Objects in a bucket of any server that speaks the S3 protocol, under the keys that stock restic uses.</summary>
/// <remarks>
/// A put is one conditional request (If-None-Match), which the server makes visible whole or not at all. Packs above
/// <see cref="PartsFrom"/> go up in parts: a part upload cannot be conditional on every server, and a pack's name tells its content, so
/// that two writers of it write the same. The first put into a bucket that does not exist makes the bucket, as stock restic does.
/// </remarks>
public sealed class S3Store : IObjectStore
{
    /// <summary>From this size on packs are uploaded in parts. 256 MiB.</summary>
    public const int PartsFrom = 256 * 1024 * 1024;

    readonly S3Address _address;
    readonly StoreOptions _options;
    readonly HttpClient _http;
    readonly ServerClock _clock;
    readonly S3Upload _upload;
    readonly bool _conditional;
    volatile bool _bucketSeen;   // an operation on it has worked

    /// <param name="address">Where.</param>
    /// <param name="options">Region, style, class, retention and the rest.</param>
    /// <param name="partsFrom">Size in bytes from which packs are uploaded in parts; tests lower it.</param>
    /// <param name="stallPatience">Longest time without a byte; <see cref="Stall.Patience"/> where null.</param>
    /// <param name="retention">Retention of what is put; the option's days where null. Tests have seconds.</param>
    /// <exception cref="BadInputException">An option cannot be used.</exception>
    public S3Store(S3Address address, StoreOptions options, int partsFrom = PartsFrom, TimeSpan? stallPatience = null,
        TimeSpan? retention = null)
    {
        (_address, _options) = (address, options);
        StallPatience = stallPatience ?? Stall.Patience;
        _conditional = options.Choice("s3.conditional-put", "on", "off") == "on";
        _clock = new ServerClock(options.Clock);
        _http = StoreHttp.Open(options, _clock);
        Client = S3Connection.Open(address, options, _http);
        var locks = new S3Locks(this, Rule(options, retention));
        Locks = locks;
        Tiers = new S3Tiers(this);
        Versions = new S3Versions(this, locks);
        _upload = new S3Upload(this, options, partsFrom);
    }

    static RetentionRule? Rule(StoreOptions options, TimeSpan? period)
    {
        var mode = options.Choice("s3.retention-mode", "governance", "compliance") == "compliance"
            ? RetentionMode.Compliance : RetentionMode.Governance;
        period ??= options.Number("s3.retention-days", 1, 36_500) is { } days ? TimeSpan.FromDays(days) : null;
        return period is { } given ? new RetentionRule(mode, given) : null;
    }

    internal AmazonS3Client Client { get; }
    internal string Bucket => _address.Bucket;
    internal TimeSpan StallPatience { get; }
    internal string Key(ObjectName name) => _address.Key(name.Value);

    /// <summary>What the keys of a folder begin with; "" is the root.</summary>
    /// <exception cref="ArgumentException">It is no name of a folder.</exception>
    internal string Folder(string folder)
    {
        if (folder.Length > 0 && !ObjectName.IsLegal(folder))
            throw new ArgumentException($"'{folder}' is not a folder name.", nameof(folder));
        var root = _address.Prefix.Length == 0 ? "" : _address.Prefix + "/";
        return folder.Length == 0 ? root : $"{root}{folder}/";
    }

    /// <summary>One page of a listing, asked for again where it failed for a passing reason.</summary>
    internal Task<T> Page<T>(string what, Func<Stall, Task<T>> request, CancellationToken ct)
        => Retries.Run(() => Guarded(what, ct, request), _options.Retry, _options.Clock, ct);

    /// <inheritdoc/>
    public string Url => _address.ToString();

    /// <inheritdoc/>
    public int RequestsAtOnce => StoreHttp.RequestsAtOnce;

    /// <inheritdoc/>
    public StoreAbilities Abilities => StoreAbilities.StorageClasses | StoreAbilities.Thaw | StoreAbilities.ObjectLock
        | StoreAbilities.Versions | (_conditional ? StoreAbilities.ConditionalPut : StoreAbilities.None);

    /// <inheritdoc/>
    public IObjectLocks Locks { get; }

    /// <inheritdoc/>
    public IObjectTiers Tiers { get; }

    /// <inheritdoc/>
    public IObjectVersions Versions { get; }

    /// <inheritdoc/>
    public TimeSpan? ClockDifference => _clock.Difference;

    /// <inheritdoc/>
    public async Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        // Without conditions on the server's side the best there is: two writers at the same moment both succeed.
        if ((!_conditional || _upload.InParts(name, content.Length)) && await Head(name, ct) is not null)
            throw new StoreException(StoreFault.Exists, $"put {name} in {Url}: there is an object of that name already.");
        if (!_bucketSeen) await NeedBucket(ct);
        await _upload.Put(name, content, _conditional, ct);
    }

    /// <inheritdoc/>
    public async Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct)
    {
        if (target.IsEmpty)
        {
            var size = (await Head(name, ct))?.SizeBytes
                ?? throw new StoreException(StoreFault.Missing, $"read {name} in {Url}: there is no such object.");
            if (offset > size) throw Short(name, offset, 0, 0);
            return;
        }
        int filled;
        try { filled = await Fill(name, offset, target, ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Denied)
        {
            if (await Refusal(name, e, ct) is not null) throw;
            throw new StoreException(StoreFault.Missing, $"read {name} in {Url}: there is no such object.", null, e);
        }
        _bucketSeen = true;
        if (filled < target.Length) throw Short(name, offset, target.Length, filled);
    }

    /// <inheritdoc/>
    public async Task<StoredObject?> Head(ObjectName name, CancellationToken ct)
    {
        try
        {
            return await Guarded<StoredObject?>($"look at {name}", ct, async stall =>
            {
                try
                {
                    var found = await Client.GetObjectMetadataAsync(
                        new GetObjectMetadataRequest { BucketName = Bucket, Key = Key(name) }, stall.Token);
                    return new StoredObject(name, found.ContentLength);
                }
                catch (AmazonS3Exception e) when (e.StatusCode == System.Net.HttpStatusCode.NotFound) { return null; }
            });
        }
        catch (StoreException e) when (e.Fault is StoreFault.Denied or StoreFault.Unusable)
        {
            if (await Refusal(name, e, ct) is { } refusal) throw refusal;
            return null;
        }
    }

    /// <inheritdoc/>
    /// <remarks>A page that fails for a passing reason is asked for again; one that stays away ends the listing with its error.</remarks>
    public async IAsyncEnumerable<StoredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var (stored, _) in Found(folder, ct)) yield return stored;
    }

    /// <summary>The same with all that the server tells.</summary>
    internal async IAsyncEnumerable<(StoredObject Stored, S3Object Found)> Found(string folder,
        [EnumeratorCancellation] CancellationToken ct)
    {
        var root = Folder("");
        var request = new ListObjectsV2Request { BucketName = Bucket, Prefix = Folder(folder) };
        while (true)
        {
            var page = await Page($"list {(folder.Length == 0 ? "the root" : folder)}",
                stall => Client.ListObjectsV2Async(request, stall.Token), ct);
            foreach (var found in page.S3Objects ?? [])
            {
                var name = found.Key[root.Length..];
                // Folder markers of other programs and names that we never write are nobody's business here.
                if (ObjectName.IsLegal(name)) yield return (new StoredObject(new ObjectName(name), found.Size ?? 0), found);
            }
            if (page.IsTruncated != true) yield break;
            if (string.IsNullOrEmpty(page.NextContinuationToken) || page.NextContinuationToken == request.ContinuationToken)
                throw new StoreException(StoreFault.Unusable, $"list {folder} in {Url}: the server says that there is more and not where.");
            request.ContinuationToken = page.NextContinuationToken;
        }
    }

    /// <inheritdoc/>
    /// <remarks>S3 does not say whether there was something: looked up before.</remarks>
    public async Task<bool> Delete(ObjectName name, CancellationToken ct)
    {
        if (await Head(name, ct) is null) return false;
        await Guarded($"delete {name}", ct, stall => Client.DeleteObjectAsync(Bucket, Key(name), stall.Token));
        return true;
    }

    /// <summary>Ends the connections.</summary>
    public ValueTask DisposeAsync()
    {
        Client.Dispose();
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Runs one request: cuts stalls, turns what the SDK throws into the store's words.</summary>
    [SuppressMessage("Design", "CA1068", Justification = "The request is many lines long and reads as a block only where it stands last.")]
    internal Task<T> Guarded<T>(string what, CancellationToken ct, Func<Stall, Task<T>> request)
        => Stall.Guard($"{what} in {Url}", _options.Clock, StallPatience, request, static (tried, e)
            => e is Amazon.Runtime.AmazonClientException or Amazon.Runtime.AmazonServiceException or HttpRequestException or IOException
                or StoreException ? S3Errors.Translate(tried, e) : null, ct);

    Task<int> Fill(ObjectName name, long offset, Memory<byte> target, CancellationToken ct)
        => Guarded($"read {name}", ct, async stall =>
        {
            var filled = 0;
            using var response = await Client.GetObjectAsync(new GetObjectRequest
            {
                BucketName = Bucket,
                Key = Key(name),
                ByteRange = new ByteRange(offset, checked(offset + target.Length - 1)),
            }, stall.Token);
            // A server that ignores the range answers with the object's beginning, which would be taken for the part asked for.
            if (offset > 0 && string.IsNullOrEmpty(response.ContentRange))
                throw new StoreException(StoreFault.Unusable, $"read {name} in {Url}: the server does not honour ranges.");
            while (filled < target.Length)
            {
                var count = await response.ResponseStream.ReadAsync(target[filled..], stall.Token);
                if (count == 0) break;
                filled += count;
                stall.Moved();
            }
            return filled;
        });

    // Who may list only a prefix is told "denied" of a name in it that is not there, by AWS and by Ceph. The listing knows better: null
    // where there is no such object. And its answer has a body, which says what the bare number of a HEAD does not: a wrong key, secret,
    // region or clock.
    async Task<StoreException?> Refusal(ObjectName name, StoreException first, CancellationToken ct)
    {
        var request = new ListObjectsV2Request { BucketName = Bucket, Prefix = Key(name), MaxKeys = 1 };
        try
        {
            var page = await Guarded($"look for {name}", ct, stall => Client.ListObjectsV2Async(request, stall.Token));
            var isListed = page.S3Objects?.FirstOrDefault()?.Key == Key(name);   // of all keys that begin with it, it is the first
            return isListed || first.Fault != StoreFault.Denied ? first : null;
        }
        catch (StoreException e) when (e.Fault is StoreFault.Denied or StoreFault.Unusable) { return e; }
    }

    // Asked before the first body goes out, not learnt from its refusal: a server that answers before it has read the body may take the
    // body for the next request on that connection.
    async Task NeedBucket(CancellationToken ct)
    {
        var isThere = await Guarded("look at the bucket", ct, async stall =>
        {
            try { await Client.HeadBucketAsync(new HeadBucketRequest { BucketName = Bucket }, stall.Token); }
            catch (AmazonS3Exception e) when (e.StatusCode == System.Net.HttpStatusCode.NotFound) { return false; }
            // A key that may only put is not allowed to look, and whether the bucket is there is told by the put.
            catch (AmazonS3Exception e) when (e.StatusCode == System.Net.HttpStatusCode.Forbidden) { return true; }
            return true;
        });
        if (!isThere) await MakeBucket(ct);
        _bucketSeen = true;
    }

    async Task MakeBucket(CancellationToken ct)
    {
        var region = S3Connection.Region(_address, _options);
        await Guarded("make the bucket", ct, async stall =>
        {
            try
            {
                // Most servers give object lock only to a bucket that is made with it.
                var request = new PutBucketRequest { BucketName = Bucket, ObjectLockEnabledForBucket = Locks.Rule is not null };
                // Servers of one's own call their only region as they like; they take a bucket without one.
                if (_address.WantsVirtualHost && region != "us-east-1") request.BucketRegionName = region;
                await Client.PutBucketAsync(request, stall.Token);
            }
            catch (AmazonS3Exception e) when (e.ErrorCode is "BucketAlreadyOwnedByYou" or "BucketAlreadyExists")
            {
                return true;   // somebody was quicker
            }
            return true;
        });
    }

    StoreException Short(ObjectName name, long offset, int wanted, int filled) => new(StoreFault.ShortRead,
        $"read {name} in {Url}: wanted {wanted} bytes from offset {offset}, but the object ends after {offset + filled}.");
}
