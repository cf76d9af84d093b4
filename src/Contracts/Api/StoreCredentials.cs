namespace BackupDr.Contracts.Api;

/// <summary>What opens an object store: for S3 the keys; for Azure a connection string, or account and key or signature;
/// for a REST server user and password.</summary>
/// <remarks>It goes in and never out: sealed on arrival, opened only for the job of an agent and for a test of the location.</remarks>
public sealed record StoreCredentials
{
    /// <summary>S3: the id of the key.</summary>
    public string? AccessKey { get; init; }
    /// <summary>S3: the secret that belongs to it.</summary>
    public string? SecretKey { get; init; }
    /// <summary>S3: the token of temporary keys.</summary>
    public string? SessionToken { get; init; }
    /// <summary>Azure: everything in one text, as the portal shows it.</summary>
    public string? ConnectionString { get; init; }
    /// <summary>Azure: name of the storage account, with <see cref="AccountKey"/> or <see cref="Signature"/>.</summary>
    public string? Account { get; init; }
    /// <summary>Azure: one of the account's two keys.</summary>
    public string? AccountKey { get; init; }
    /// <summary>Azure: a shared access signature, with or without its question mark.</summary>
    public string? Signature { get; init; }
    /// <summary>Azure: the end of the host's name where it is not core.windows.net.</summary>
    public string? EndpointSuffix { get; init; }

    /// <summary>REST: the user.</summary>
    public string? User { get; init; }
    /// <summary>REST: the user's password.</summary>
    public string? UserPassword { get; init; }

    /// <summary>Shows nothing of them.</summary>
    public override string ToString() => "***";
}
