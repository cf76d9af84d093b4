namespace BackupDr.Contracts.Api;

/// <summary>POST repositories: attaches a repository that stock restic made. It is looked through without writing to it, and its snapshots
/// become recovery points.</summary>
public sealed record AdoptRepositoryRequest
{
    /// <summary>Made by the client, so that a repeated request attaches nothing twice; null for a new one.</summary>
    public RepositoryId? Id { get; init; }
    /// <summary>What people call it.</summary>
    public required string Name { get; init; }
    /// <summary>The host whose agent reaches it: looks through it, restores from it, and may continue it.</summary>
    public required HostId Host { get; init; }
    /// <summary>Where it is, as restic writes it: "/srv/restic", "s3:https://host/bucket/prefix", "azure:container:/prefix",
    /// "rest:https://host:port/path/". Makes a location for it alone. Null where <see cref="Location"/> is given.</summary>
    public string? Address { get; init; }
    /// <summary>Each NAME=VALUE, with an address in an object store.</summary>
    public IReadOnlyList<string> Options { get; init; } = [];
    /// <summary>What opens an object store; null where the agent's machine has a role or variables of its own.</summary>
    public StoreCredentials? Credentials { get; init; }
    /// <summary>Certificates in PEM of authorities that may vouch for that store, beside those that machines know; null for none.</summary>
    public string? AuthorityPem { get; init; }
    /// <summary>A location that is here already and in which it lies.</summary>
    public LocationId? Location { get; init; }
    /// <summary>Where in that location, for example "laptops/anna"; null or empty for the location itself.</summary>
    public string? Path { get; init; }
    /// <summary>One of the repository's passwords, in clear. Sealed on arrival.</summary>
    public required string Password { get; init; }

    /// <summary>Shows no password and no credentials.</summary>
    public override string ToString() => $"adopt {Name}";
}

/// <summary>A repository that was attached, and the run that looks through it.</summary>
public sealed record RepositoryAdopted(RepositoryId Repository, RunId Run);

/// <summary>POST repositories/{id}/look: looks through an adopted repository again, for snapshots that were added or removed meanwhile;
/// also after a look that failed.</summary>
/// <param name="Id">The repository.</param>
/// <param name="Password">Another password from now on; null for the one that is kept.</param>
public sealed record LookAgainRequest(RepositoryId Id, string? Password = null)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => $"look at {Id}";
}

/// <summary>PUT repositories/{id}/upkeep: what the owner of an adopted repository allows.</summary>
/// <param name="Id">The repository.</param>
/// <param name="Allowed">Whether anything that is in it may be removed, rewritten or repaired.</param>
public sealed record AllowUpkeepRequest(RepositoryId Id, bool Allowed);

/// <summary>DELETE repositories/{id}: detaches an adopted repository. What is in it stays as it is.</summary>
public sealed record RemoveRepositoryRequest(RepositoryId Id);

/// <summary>What is known of an adopted repository beside what every repository has.</summary>
public sealed record Adoption
{
    /// <summary>What people call it.</summary>
    public required string Name { get; init; }
    /// <summary>When it was attached.</summary>
    public required DateTimeOffset AddedAt { get; init; }
    /// <summary>When it was last looked through to the end; null where it never was.</summary>
    public DateTimeOffset? LookedAt { get; init; }
    /// <summary>Why the last look failed or was not whole; null where it was.</summary>
    public string? Problem { get; init; }
    /// <summary>The newest look.</summary>
    public RunId? Look { get; init; }
    /// <summary>Whether that one is not over yet.</summary>
    public bool IsLooking { get; init; }
    /// <summary>Whether anything that is in it may be removed, rewritten or repaired.</summary>
    public bool UpkeepAllowed { get; init; }
    /// <summary>Why, in one sentence.</summary>
    public string UpkeepReason { get; init; } = "";
    /// <summary>Snapshots that somebody removed since they were found.</summary>
    public int Gone { get; init; }
    /// <summary>Items of policies that continue it.</summary>
    public int Items { get; init; }
}
