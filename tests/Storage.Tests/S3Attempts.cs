using System.Net;
using System.Text;
using Amazon.S3;
using Amazon.S3.Model;

namespace BackupDr.Storage.Tests;

/// <summary>What somebody with stolen credentials would try on a bucket, and what came of it.</summary>
/// <param name="thief">With the credentials in question.</param>
/// <param name="owner">Prepares what is attacked and looks what is left of it.</param>
/// <param name="bucket">The bucket.</param>
/// <param name="prefix">The repository in it that the credentials are for.</param>
sealed class S3Attempts(AmazonS3Client thief, AmazonS3Client owner, string bucket, string prefix)
{
    const string Original = "original", Other = "other";
    static readonly DateTime Soon = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(1);

    string _attacked = "";
    string? _version;

    /// <summary>All attempts, each on a fresh object.</summary>
    public async IAsyncEnumerable<(string What, string Came)> All()
    {
        yield return ("look for what is not there", await Try("data/ab/p", _ => Head($"{prefix}/locks/none")));
        yield return ("remove a lock", Lifted(await Try("locks/l", key => thief.DeleteObjectAsync(bucket, key))));
        foreach (var (what, name) in Came.Kinds)
            yield return ($"delete {what}", await Try(name, key => thief.DeleteObjectAsync(bucket, key)));
        yield return ("delete several packs in one request", await Try("data/ab/p", key
            => thief.DeleteObjectsAsync(new DeleteObjectsRequest { BucketName = bucket, Objects = [new KeyVersion { Key = key }] })));
        yield return ("delete a pack for good, by its version", await Try("data/ab/p", key
            => thief.DeleteObjectAsync(new DeleteObjectRequest
            {
                BucketName = bucket,
                Key = key,
                VersionId = _version ?? "null",
                BypassGovernanceRetention = true,
            })));
        foreach (var (what, name) in Came.Kinds) yield return ($"overwrite {what}", await Try(name, key => Put(key)));
        yield return ("overwrite a pack in parts", await Try("data/ab/p", PutInParts));
        yield return ("overwrite a pack with a copy", await Try("data/ab/p", async key =>
        {
            await owner.PutObjectAsync(Body($"{prefix}/locks/source", Other));
            await thief.CopyObjectAsync(bucket, $"{prefix}/locks/source", bucket, key);
        }));
        yield return ("change the class of a pack", await Try("data/ab/p", key => thief.CopyObjectAsync(new CopyObjectRequest
        {
            SourceBucket = bucket,
            SourceKey = key,
            DestinationBucket = bucket,
            DestinationKey = key,
            StorageClass = "COLD",
            MetadataDirective = S3MetadataDirective.COPY,
        })));
        yield return ("open a pack to everybody", await Try("data/ab/p", key
            => thief.PutObjectAclAsync(new PutObjectAclRequest { BucketName = bucket, Key = key, ACL = S3CannedACL.PublicRead })));
        yield return ("shorten the retention of a pack", await Try("data/ab/p", key
            => thief.PutObjectRetentionAsync(new PutObjectRetentionRequest
            {
                BucketName = bucket,
                Key = key,
                BypassGovernanceRetention = true,
                Retention = new ObjectLockRetention { Mode = ObjectLockRetentionMode.Governance, RetainUntilDate = Soon },
            })));
        yield return ("lift the legal hold of a pack", await Try("data/ab/p", key
            => thief.PutObjectLegalHoldAsync(new PutObjectLegalHoldRequest
            {
                BucketName = bucket,
                Key = key,
                LegalHold = new ObjectLockLegalHold { Status = ObjectLockLegalHoldStatus.Off },
            })));
        yield return ("change the default retention", await Try("data/ab/p", _
            => thief.PutObjectLockConfigurationAsync(new PutObjectLockConfigurationRequest
            {
                BucketName = bucket,
                ObjectLockConfiguration = new ObjectLockConfiguration { ObjectLockEnabled = ObjectLockEnabled.Enabled },
            })));
        yield return ("suspend the versions", await Try("data/ab/p", _ => thief.PutBucketVersioningAsync(new PutBucketVersioningRequest
        {
            BucketName = bucket,
            VersioningConfig = new S3BucketVersioningConfig { Status = VersionStatus.Suspended },
        })));
        yield return ("change the lifecycle rules", await Try("data/ab/p", _ => thief.PutLifecycleConfigurationAsync(bucket,
            new LifecycleConfiguration
            {
                Rules =
                [
                    new LifecycleRule
                    {
                        Id = "away",
                        Status = LifecycleRuleStatus.Enabled,
                        Expiration = new LifecycleRuleExpiration { Days = 1 },
                        Filter = new LifecycleFilter(),
                    },
                ],
            })));
        yield return ("change who may do what", await Try("data/ab/p", _ => thief.DeleteBucketPolicyAsync(bucket)));
        yield return ("delete the bucket", await Try("data/ab/p", _ => thief.DeleteBucketAsync(bucket)));
        yield return ("list another host's repository", await Try("data/ab/p", _ => List("another/")));
        yield return ("list the whole bucket", await Try("data/ab/p", _ => List(null)));
        yield return ("list older versions", await Try("data/ab/p", _ => thief.ListVersionsAsync(bucket, $"{prefix}/")));
        await owner.PutObjectAsync(Body("another/config", Original));
        yield return ("read another host's repository", await Try("data/ab/p", _ => thief.GetObjectAsync(bucket, "another/config")));
        yield return ("write into another host's repository", await Try("data/ab/p", _ => Put("another/data/ab/p")));
        var elsewhere = bucket + "-of-others";
        await owner.PutBucketAsync(elsewhere);
        yield return ("write into another bucket", await Try("data/ab/p", _ => thief.PutObjectAsync(Body("x", Other, elsewhere))));
    }

    // That is what locks are for.
    static string Lifted(string came) => came == Came.Refused ? came : Came.Allowed;

    async Task<string> Try(string name, Func<string, Task> attempt)
    {
        _attacked = $"{prefix}/{name}";
        _version = (await owner.PutObjectAsync(Body(_attacked, Original))).VersionId;
        try { await attempt(_attacked); }
        // A refused HEAD has no body, and so no code.
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.Forbidden && e.ErrorCode is "AccessDenied" or "Forbidden")
        {
            return Came.Refused;
        }
        if (await Holds(null)) return Came.Allowed;
        return _version is not null && await Holds(_version) ? Came.Hidden : Came.Lost;
    }

    async Task<bool> Holds(string? version)
    {
        try
        {
            using var found = await owner.GetObjectAsync(bucket, _attacked, version);
            using var text = new StreamReader(found.ResponseStream, Encoding.UTF8);
            return await text.ReadToEndAsync() == Original;
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound) { return false; }
    }

    async Task Head(string key)
    {
        try { await thief.GetObjectMetadataAsync(bucket, key); }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound) { /* what an agent must be told, so that it goes on */ }
    }

    Task Put(string key) => thief.PutObjectAsync(Body(key, Other));

    Task List(string? from) => thief.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket, Prefix = from });

    async Task PutInParts(string key)
    {
        var upload = await thief.InitiateMultipartUploadAsync(bucket, key);
        using var body = new MemoryStream(Encoding.UTF8.GetBytes(Other));
        var part = await thief.UploadPartAsync(new UploadPartRequest
        {
            BucketName = bucket,
            Key = key,
            UploadId = upload.UploadId,
            PartNumber = 1,
            InputStream = body,
            UseChunkEncoding = false,
        });
        await thief.CompleteMultipartUploadAsync(new CompleteMultipartUploadRequest
        {
            BucketName = bucket,
            Key = key,
            UploadId = upload.UploadId,
            PartETags = [new PartETag(1, part.ETag)],
        });
    }

    PutObjectRequest Body(string key, string text, string? place = null)
        => new() { BucketName = place ?? bucket, Key = key, ContentBody = text, UseChunkEncoding = false };
}
