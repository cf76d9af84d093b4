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
    readonly TimeSpan? _retention;
    readonly ObjectLockMode _mode;

    public S3Upload(S3Store store, StoreOptions options, int partsFrom)
    {
        (_store, _partsFrom, _clock, _retry) = (store, partsFrom, options.Clock, options.Retry);
        _partBytes = Math.Clamp(partsFrom, SmallestPart, PartBytes);
        _class = options.Text("s3.storage-class") is { } named ? new S3StorageClass(named) : null;
        _retention = options.Number("s3.retention-days", 1, 36_500) is { } days ? TimeSpan.FromDays(days) : null;
        _mode = options.Choice("s3.retention-mode", "governance", "compliance") == "compliance"
            ? ObjectLockMode.Compliance : ObjectLockMode.Governance;
    }

    /// <summary>Whether an object goes up in parts: only packs, whose name tells their content.</summary>
    public bool InParts(ObjectName name, int length) => length >= _partsFrom && name.Value.StartsWith("data/", StringComparison.Ordinal);

    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, bool conditional, CancellationToken ct)
        => InParts(name, content.Length) ? PutParts(name, content, ct) : PutWhole(name, content, conditional, ct);

    Task PutWhole(ObjectName name, ReadOnlyMemory<byte> content, bool conditional, CancellationToken ct)
        => _store.Guarded($"put {name}", ct, async stall =>
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
            if (_retention is { } retention && IsLockable(name))
            {
                request.ObjectLockMode = _mode;
                request.ObjectLockRetainUntilDate = (_clock.GetUtcNow() + retention).UtcDateTime;
                request.MD5Digest = Md5(content.Span);
            }
            return await _store.Client.PutObjectAsync(request, stall.Token);
        });

    async Task PutParts(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        var begin = new InitiateMultipartUploadRequest
        {
            BucketName = _store.Bucket,
            Key = _store.Key(name),
            ContentType = "application/octet-stream",
        };
        if (_class is not null) begin.StorageClass = _class;
        if (_retention is { } retention)
        {
            begin.ObjectLockMode = _mode;
            begin.ObjectLockRetainUntilDate = (_clock.GetUtcNow() + retention).UtcDateTime;
        }
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
                MD5Digest = _retention is null ? null : Md5(part.Span),
            }, stall.Token);
            return new PartETag(number, done.ETag);
        });

    // Ceph takes the retention of an upload in parts and forgets it. Tried again here: a put that is tried again finds the object there.
    Task NeedRetention(ObjectName name, DateTime until, CancellationToken ct) => Retries.Run(async () =>
    {
        if (await _store.Locks.Of(name, ct) is not null) return true;
        var mode = _mode == ObjectLockMode.Compliance ? RetentionMode.Compliance : RetentionMode.Governance;
        await _store.Locks.Retain(name, new Retention(mode, until), ct);
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
