namespace BackupDr.Contracts.Api;

/// <summary>PUT locations/{id}: all of it anew but for its kind, its folder and its credentials.</summary>
public sealed record EditLocationRequest
{
    /// <summary>Which location.</summary>
    public LocationId Id { get; init; }
    /// <summary>What people call it.</summary>
    public required string Name { get; init; }
    /// <summary>For object stores: where it is from now on, with everything that is in it; null for where it was. Nothing is
    /// copied.</summary>
    public string? Address { get; init; }
    /// <summary>Each NAME=VALUE. For object stores.</summary>
    public IReadOnlyList<string> Options { get; init; } = [];
    /// <summary>Certificates in PEM of authorities that may vouch for an object store; null for those alone that machines know.</summary>
    public string? AuthorityPem { get; init; }
    /// <summary>How many bytes a second may pass at which hour of each host's time zone, for example "08:00-18:00 20 MiB/s, else
    /// unlimited"; null for no limit. Restores are never limited. Not for a folder.</summary>
    public string? Bandwidth { get; init; }
    /// <summary>Bytes that each repository may grow to, from 1 MiB; null for no limit. For a gateway only.</summary>
    public long? QuotaBytes { get; init; }
    /// <summary>Whether another address, options or authority count without a test: for places that agents reach and nodes do
    /// not.</summary>
    public bool SkipTest { get; init; }
}

/// <summary>DELETE locations/{id}: forgets a location in which nothing is kept. What is there stays.</summary>
/// <param name="Id">Which location.</param>
public sealed record RemoveLocationRequest(LocationId Id);
