using Amazon.S3;
using Amazon.S3.Model;

namespace BackupDr.Storage.S3;

/// <summary>Object lock of S3: retention and legal hold of the newest version of an object.</summary>
sealed class S3Locks(S3Store store, RetentionRule? rule) : IObjectLocks
{
    // A server may round to whole seconds.
    static readonly TimeSpan Rounding = TimeSpan.FromSeconds(1);

    public RetentionRule? Rule => rule;

    public Task<Retention?> Of(ObjectName name, CancellationToken ct) => Of(name, null, ct);

    /// <summary>The retention of one version; null for the newest.</summary>
    public Task<Retention?> Of(ObjectName name, string? version, CancellationToken ct)
        => store.Guarded<Retention?>($"look at the retention of {name}", ct, async stall =>
        {
            try
            {
                var answer = await store.Client.GetObjectRetentionAsync(
                    new GetObjectRetentionRequest { BucketName = store.Bucket, Key = store.Key(name), VersionId = version }, stall.Token);
                return answer.Retention is { RetainUntilDate: { } until, Mode: { } mode }
                    ? new Retention(mode == ObjectLockRetentionMode.Compliance ? RetentionMode.Compliance : RetentionMode.Governance,
                        new DateTimeOffset(until.ToUniversalTime()))
                    : null;
            }
            catch (AmazonS3Exception e) when (SaysNone(e)) { return null; }
        });

    public async Task Retain(ObjectName name, Retention retention, CancellationToken ct)
    {
        await store.Guarded($"retain {name}", ct, stall => store.Client.PutObjectRetentionAsync(new PutObjectRetentionRequest
        {
            BucketName = store.Bucket,
            Key = store.Key(name),
            Retention = new ObjectLockRetention
            {
                Mode = retention.Mode == RetentionMode.Compliance ? ObjectLockRetentionMode.Compliance : ObjectLockRetentionMode.Governance,
                RetainUntilDate = retention.Until.UtcDateTime,
            },
        }, stall.Token));
        if (await Of(name, ct) is not { } found || found.Mode != retention.Mode || found.Until < retention.Until - Rounding)
            throw NotDone($"retain {name}");
    }

    public Task<bool> IsHeld(ObjectName name, CancellationToken ct) => IsHeld(name, null, ct);

    /// <summary>Whether somebody holds one version; null for the newest.</summary>
    public Task<bool> IsHeld(ObjectName name, string? version, CancellationToken ct)
        => store.Guarded($"look at the hold of {name}", ct, async stall =>
        {
            try
            {
                var answer = await store.Client.GetObjectLegalHoldAsync(
                    new GetObjectLegalHoldRequest { BucketName = store.Bucket, Key = store.Key(name), VersionId = version }, stall.Token);
                return answer.LegalHold?.Status == ObjectLockLegalHoldStatus.On;
            }
            catch (AmazonS3Exception e) when (SaysNone(e)) { return false; }
        });

    public async Task Hold(ObjectName name, bool held, CancellationToken ct)
    {
        await store.Guarded($"hold {name}", ct, stall => store.Client.PutObjectLegalHoldAsync(new PutObjectLegalHoldRequest
        {
            BucketName = store.Bucket,
            Key = store.Key(name),
            LegalHold = new ObjectLockLegalHold { Status = held ? ObjectLockLegalHoldStatus.On : ObjectLockLegalHoldStatus.Off },
        }, stall.Token));
        if (await IsHeld(name, ct) != held) throw NotDone($"hold {name}");
    }

    // AWS has one code for an object without and another for a bucket without; Ceph has the configuration's code for the object, too.
    static bool SaysNone(AmazonS3Exception e)
        => e.ErrorCode is "NoSuchObjectLockConfiguration" or "ObjectLockConfigurationNotFoundError" or "InvalidRequest";

    StoreException NotDone(string what) => new(StoreFault.Unusable,
        $"{what} in {store.Url}: the store accepted it and then told something else.", "Use a bucket that was made with object lock.");
}
