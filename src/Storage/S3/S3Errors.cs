using System.Globalization;
using Amazon.Runtime;
using Amazon.Runtime.Internal;

namespace BackupDr.Storage.S3;

/// <summary>The store's words for what an S3 server or the way to it answered.</summary>
static class S3Errors
{
    /// <param name="what">What was attempted, for example "put config in s3:https://host/bucket".</param>
    /// <param name="e">What the SDK threw.</param>
    public static StoreException Translate(string what, Exception e)
    {
        if (e is StoreException already) return already;
        if (e is not AmazonServiceException answer || answer.StatusCode == 0) return NoAnswer(what, e);
        var (fault, hint) = Of(answer);
        // Some servers send no message: the code then is all there is.
        var code = answer.ErrorCode is { Length: > 0 } named ? named : $"HTTP {(int)answer.StatusCode}";
        var text = string.IsNullOrWhiteSpace(answer.Message) || answer.Message == code ? code : $"{code}, {answer.Message.TrimEnd('.')}";
        return new StoreException(fault, $"{what}: {text}.", hint, e) { RetryAfter = RetryAfter(answer) };
    }

    static (StoreFault, string?) Of(AmazonServiceException e) => (e.ErrorCode, (int)e.StatusCode) switch
    {
        ("NoSuchBucket", _) => (StoreFault.Unusable, "Check the bucket's name; 'backupdr repo init' makes a bucket that does not exist."),
        ("NoSuchKey" or "NotFound", _) => (StoreFault.Missing, null),
        ("PreconditionFailed", _) or (_, 412) => (StoreFault.Exists, null),
        // Another conditional write of the name was under way: one of them has won when we ask again.
        ("ConditionalRequestConflict" or "OperationAborted", _) => (StoreFault.Unavailable, null),
        ("InvalidObjectState", _) => (StoreFault.Archived, "Thaw the object first: 'backupdr restore --thaw' asks for what it needs."),
        ("QuotaExceeded" or "InsufficientStorage" or "XMinioStorageFull" or "StorageFull" or "ServiceQuotaExceeded", _) or (_, 507)
            => (StoreFault.Full, "Raise the quota, or free space."),
        ("SlowDown" or "Throttling" or "ThrottlingException" or "RequestLimitExceeded" or "TooManyRequests", _) or (_, 429)
            => (StoreFault.Throttled, null),
        ("InvalidRange", _) or (_, 416) => (StoreFault.ShortRead, null),
        ("RequestTimeTooSkewed", _) => (StoreFault.Denied, "The clock of this machine is wrong: set it, for example with chrony."),
        ("InvalidAccessKeyId" or "InvalidClientTokenId", _) => (StoreFault.Denied, "No such key: check the access key, AWS_ACCESS_KEY_ID."),
        ("SignatureDoesNotMatch", _)
            => (StoreFault.Denied, "Check the secret key, AWS_SECRET_ACCESS_KEY; if it is right, the region: set the option s3.region."),
        ("ExpiredToken" or "TokenRefreshRequired", _) => (StoreFault.Denied, "The session's credentials have ended: fetch new ones."),
        ("AuthorizationHeaderMalformed" or "PermanentRedirect" or "IllegalLocationConstraintException" or "InvalidLocationConstraint", _)
            or (_, 301) => (StoreFault.Unusable, "The bucket lies in another region: set the option s3.region."),
        ("XAmzContentSHA256Mismatch", _) => (StoreFault.Unusable, "Set the option s3.checksums=when-required."),
        ("InvalidStorageClass" or "InvalidBucketState" or "ObjectLockConfigurationNotFoundError" or "NoSuchObjectLockConfiguration", _)
            => (StoreFault.Unusable, "The bucket or server does not have this class or lock."),
        ("NotImplemented", _) or (_, 501)
            => (StoreFault.Unusable, "If it was a put, the server has no conditions: set the option s3.conditional-put=off."),
        ("RequestTimeout" or "InternalError" or "ServiceUnavailable" or "BadDigest" or "IncompleteBody", _)
            => (StoreFault.Unavailable, null),
        (_, 401 or 403) => (StoreFault.Denied,
            "Check access key and secret key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), and what they may do with this bucket."),
        (_, 404) => (StoreFault.Missing, null),
        (_, 408 or >= 500) => (StoreFault.Unavailable, null),
        _ => (StoreFault.Unusable, null),
    };

    static StoreException NoAnswer(string what, Exception e)
    {
        var isKeyless = e is AmazonClientException && e.Message.Contains("credentials", StringComparison.OrdinalIgnoreCase);
        return isKeyless
            ? new StoreException(StoreFault.Denied, $"{what}: there are no credentials.",
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.", e)
            : Http.NoAnswer.Translate(what, e);
    }

    static TimeSpan? RetryAfter(AmazonServiceException e)
    {
        if (e.InnerException is not HttpErrorResponseException { Response: { } response }) return null;
        return response.IsHeaderPresent("Retry-After")
            && int.TryParse(response.GetHeaderValue("Retry-After"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds) : null;
    }
}
