using System.Globalization;
using Azure;
using BackupDr.Storage.Http;

namespace BackupDr.Storage.Azure;

/// <summary>The store's words for what the Azure Blob service or the way to it answered.</summary>
/// <param name="account">Where requests go; the address does not say it.</param>
/// <param name="signature">The shared access signature in use; null for a key.</param>
/// <param name="isIdentity">Whether it is the machine's own identity instead.</param>
/// <param name="clock">Tells whether the signature has ended.</param>
sealed class AzureErrors(string account, string? signature, bool isIdentity, TimeProvider clock)
{
    const string Retained = "Wait until its retention has ended and its legal hold is lifted.";

    /// <param name="what">What was attempted, for example "put config in azure:container:/prefix".</param>
    /// <param name="e">What the SDK threw.</param>
    public StoreException Translate(string what, Exception e)
    {
        if (e is StoreException already) return already;
        if (e is not RequestFailedException { Status: > 0 } answer) return NoAnswer.Translate($"{what} at {account}", e);
        var (fault, hint) = Of(answer);
        // The SDK's message goes on with the answer's headers; where the answer had no text, it has one of its own that says nothing.
        var text = answer.Message.Split('\n', 2)[0].Trim().TrimEnd('.');
        if (text == "Service request failed") text = "";
        var code = answer.ErrorCode is { Length: > 0 } named ? named : $"HTTP {answer.Status}";
        return new StoreException(fault, text.Length == 0 ? $"{what}: {code}." : $"{what}: {code}, {text}.", hint, e)
        {
            RetryAfter = RetryAfter(answer),
        };
    }

    (StoreFault, string?) Of(RequestFailedException e) => (e.ErrorCode, e.Status) switch
    {
        ("ContainerNotFound", _)
            => (StoreFault.Unusable, "Check the container's name; 'backupdr repo init' makes a container that does not exist."),
        ("ContainerBeingDeleted", _)
            => (StoreFault.Unusable, "The container was deleted a moment ago: wait a minute, or use another name."),
        ("AccountIsDisabled" or "ContainerDisabled", _) => (StoreFault.Unusable, "Enable the account, or have it enabled."),
        ("BlobNotFound" or "ResourceNotFound", _) => (StoreFault.Missing, null),
        // A signature that may create and not write is told so of a name that is taken.
        ("BlobAlreadyExists" or "ConditionNotMet" or "TargetConditionNotMet" or "UnauthorizedBlobOverwrite", _)
            => (StoreFault.Exists, null),
        ("BlobArchived" or "BlobBeingRehydrated", _)
            => (StoreFault.Archived, "Thaw the object first: 'backupdr restore --thaw' asks for what it needs."),
        ("BlobImmutableDueToPolicy", _) => (StoreFault.Denied, Retained),
        ("LeaseIdMissing", _) => (StoreFault.Denied, "Somebody holds a lease on it: break the lease, or wait for its end."),
        ("SnapshotsPresent", _) => (StoreFault.Denied, "Delete the blob's snapshots first; backupdr makes none."),
        ("InvalidRange", _) or (_, 416) => (StoreFault.ShortRead, null),
        ("ServerBusy" or "AccountBeingCreated", _) or (_, 429 or 503) => (StoreFault.Throttled, null),
        // What was sent is not what arrived; or another writer of the name has committed, which took our blocks away.
        ("Md5Mismatch" or "InvalidBlockList" or "OperationTimedOut" or "InternalError", _) => (StoreFault.Unavailable, null),
        ("InvalidBlobTier" or "FeatureVersionMismatch" or "APINotImplemented", _) or (_, 501)
            => (StoreFault.Unusable, "The account or server does not have this tier or feature."),
        (_, 401 or 403) => (StoreFault.Denied, Entrance(e.ErrorCode)),
        (_, 404) => (StoreFault.Missing, null),
        (_, 408 or >= 500) => (StoreFault.Unavailable, null),
        _ => (StoreFault.Unusable, null),
    };

    string Entrance(string? code)
    {
        if (Moment("se") is { } end && end <= clock.GetUtcNow())
            return $"The shared access signature ended at {end:u}: make a new one and set AZURE_ACCOUNT_SAS.";
        if (Moment("st") is { } begin && begin > clock.GetUtcNow())
            return $"The shared access signature begins at {begin:u}: wait, or set the clock of this machine.";
        if (isIdentity)
            return "Give the machine's identity the role Storage Blob Data Contributor on the container; that takes minutes to count.";
        return code switch
        {
            "AuthorizationSourceIPMismatch" => "The shared access signature is for other addresses than this machine's.",
            "AuthorizationProtocolMismatch" => "The shared access signature is for https only.",
            "AuthorizationPermissionMismatch" or "AuthorizationResourceTypeMismatch" or "AuthorizationServiceMismatch"
                or "InsufficientAccountPermissions"
                => "The credentials do not allow this: add the permission, see the table of permissions in docs/operate/locations.md.",
            "AuthenticationFailed" when signature is null
                => "Check account and key (AZURE_ACCOUNT_NAME, AZURE_ACCOUNT_KEY), and the clock of this machine.",
            _ => signature is null ? "Check the account's key, AZURE_ACCOUNT_KEY, and whether the account's firewall lets this machine in."
                : "Check the signature, AZURE_ACCOUNT_SAS: its account, container, permissions, and whether its key was changed.",
        };
    }

    DateTimeOffset? Moment(string field)
    {
        var text = signature?.Split('&')
            .FirstOrDefault(part => part.StartsWith(field + "=", StringComparison.Ordinal))?[(field.Length + 1)..];
        return text is not null && DateTimeOffset.TryParse(Uri.UnescapeDataString(text), CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal, out var moment) ? moment : null;
    }

    static TimeSpan? RetryAfter(RequestFailedException e)
        => e.GetRawResponse() is { } response && response.Headers.TryGetValue("Retry-After", out var text)
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : null;
}
