using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;
using BackupDr.Storage.Http;
using BackupDr.Storage.Layers;

namespace BackupDr.Storage.S3;

/// <summary>How bytes get into a bucket: in one request, or large packs in parts.</summary>
sealed class S3Upload
{
    const int PartBytes = 64 * 1024 * 1024, SmallestPart = 5 * 1024 * 1024;   // the protocol's minimum for all parts but the last

    readonly S3Store _store;
    readonly int _partsFrom;
    readonly int _partBytes;
    readonly TimeProvider _clock;
    readonly RetryOptions _retry;
    readonly S3StorageClass? _class;
    readonly RetentionRule? _rule;
    volatile bool _lockSeen;   // an object was put and is retained

    public S3Upload(S3Store store, StoreOptions options, int partsFrom)
    {
        (_store, _partsFrom, _clock, _retry) = (store, partsFrom, options.Clock, options.Retry);
        _partBytes = Math.Clamp(partsFrom, SmallestPart, PartBytes);
        _class = options.Text("s3.storage-class") is { } named ? new S3StorageClass(named) : null;
        _rule = store.Locks.Rule;
    }

    /// <summary>Whether an object goes up in parts: only packs, whose name tells their content.</summary>
    public bool InParts(ObjectName name, int length) => length >= _partsFrom && name.Value.StartsWith("data/", StringComparison.Ordinal);

    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, bool conditional, CancellationToken ct)
        => InParts(name, content.Length) ? PutParts(name, content, ct) : PutWhole(name, content, conditional, ct);

    async Task PutWhole(ObjectName name, ReadOnlyMemory<byte> content, bool conditional, CancellationToken ct)
    {
        var isRetained = _rule is not null && IsLockable(name);
        await _store.Guarded($"put {name}", ct, async stall =>
        {
            await using var body = new BodyStream(content, stall);
            var request = new PutObjectRequest
            {
                BucketName = _store.Bucket,
                Key = _store.Key(name),
                InputStream = body,
                AutoCloseStream = false,
                UseChunkEncoding = false,    // one signature over the whole body, that every server checks
                ContentType = "application/octet-stream",
            };
            if (conditional) request.IfNoneMatch = "*";
            if (_class is not null && IsPack(name)) request.StorageClass = _class;
            if (isRetained)
            {
                (request.ObjectLockMode, request.ObjectLockRetainUntilDate) = (Mode, Until());
                request.MD5Digest = Md5(content.Span);
            }
            try { return await _store.Client.PutObjectAsync(request, stall.Token); }
            catch (AmazonS3Exception e) when (isRetained && e.ErrorCode == "InvalidRequest") { throw NoLock(name, e); }
        });
        // Some servers take the request and know nothing of retention: the first object tells.
        if (!isRetained || _lockSeen) return;
        if (await _store.Locks.Of(name, ct) is null) throw NoLock(name, null);
        _lockSeen = true;
    }

    ObjectLockMode Mode => _rule!.Mode == RetentionMode.Compliance ? ObjectLockMode.Compliance : ObjectLockMode.Governance;

    DateTime Until() => (_clock.GetUtcNow() + _rule!.Period).UtcDateTime;

    StoreException NoLock(ObjectName name, Exception? inner) => new(StoreFault.Unusable,
        $"put {name} in {_store.Url}: s3.retention-days asks for object lock, and the bucket gave none"
            + (string.IsNullOrWhiteSpace(inner?.Message) ? "." : $": {inner.Message.TrimEnd('.')}."),
        "Make a bucket with object lock, which most servers give only to new ones, or leave s3.retention-days out.", inner);

    async Task PutParts(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        var begin = new InitiateMultipartUploadRequest
        {
            BucketName = _store.Bucket,
            Key = _store.Key(name),
            ContentType = "application/octet-stream",
        };
        if (_class is not null) begin.StorageClass = _class;
        if (_rule is not null) (begin.ObjectLockMode, begin.ObjectLockRetainUntilDate) = (Mode, Until());
        var upload = await _store.Guarded($"put {name}", ct, stall => _store.Client.InitiateMultipartUploadAsync(begin, stall.Token));
        try
        {
            var parts = new List<PartETag>();
            for (var at = 0; at < content.Length; at += _partBytes)
                parts.Add(await PutPart(name, upload.UploadId, parts.Count + 1,
                    content.Slice(at, Math.Min(_partBytes, content.Length - at)), ct));
            await _store.Guarded($"put {name}", ct, stall => _store.Client.CompleteMultipartUploadAsync(new CompleteMultipartUploadRequest
            {
                BucketName = _store.Bucket,
                Key = _store.Key(name),
                UploadId = upload.UploadId,
                PartETags = parts,
            }, stall.Token));
            // Some servers answer a completion before they have put the parts together; only what they then tell counts.
            if (await _store.Head(name, ct) is not { } stored || stored.SizeBytes != content.Length)
                throw new StoreException(StoreFault.Unavailable, $"put {name} in {_store.Url}: the parts did not become the whole object.");
            if (begin.ObjectLockRetainUntilDate is { } until) await NeedRetention(name, until, ct);
        }
        catch (Exception e) when (e is StoreException or OperationCanceledException)
        {
            await Abort(name, upload.UploadId);
            throw;
        }
    }

    Task<PartETag> PutPart(ObjectName name, string upload, int number, ReadOnlyMemory<byte> part, CancellationToken ct)
        => _store.Guarded($"put part {number} of {name}", ct, async stall =>
        {
            await using var body = new BodyStream(part, stall);
            var done = await _store.Client.UploadPartAsync(new UploadPartRequest
            {
                BucketName = _store.Bucket,
                Key = _store.Key(name),
                UploadId = upload,
                PartNumber = number,
                PartSize = part.Length,
                InputStream = body,
                UseChunkEncoding = false,
                MD5Digest = _rule is null ? null : Md5(part.Span),
            }, stall.Token);
            return new PartETag(number, done.ETag);
        });

    // Ceph takes the retention of an upload in parts and forgets it. Tried again here: a put that is tried again finds the object there.
    Task NeedRetention(ObjectName name, DateTime until, CancellationToken ct) => Retries.Run(async () =>
    {
        if (await _store.Locks.Of(name, ct) is not null) return true;
        await _store.Locks.Retain(name, new Retention(_rule!.Mode, until), ct);
        return true;
    }, _retry, _clock, ct);

    // What is left of an upload costs money and shows nowhere. The caller may be cancelled: this request is not.
    async Task Abort(ObjectName name, string upload)
    {
        try
        {
            await _store.Guarded($"abort the upload of {name}", CancellationToken.None, stall
                => _store.Client.AbortMultipartUploadAsync(_store.Bucket, _store.Key(name), upload, stall.Token));
        }
        catch (StoreException) { /* The failure that led here is told; the bucket's lifecycle rule removes the rest. */ }
    }

    static bool IsPack(ObjectName name) => name.Value.StartsWith("data/", StringComparison.Ordinal);

    // Locks must be removable by their owner at once, and our own notes are rewritten.
    static bool IsLockable(ObjectName name) => !name.Value.StartsWith("locks/", StringComparison.Ordinal)
        && !name.Value.StartsWith("x-backupdr/", StringComparison.Ordinal);

    [SuppressMessage("Security", "CA5351", Justification = "The protocol wants MD5 with object lock; it guards against accidents only.")]
    static string Md5(ReadOnlySpan<byte> content) => Convert.ToBase64String(MD5.HashData(content));
}
