using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>What kind of place a location is.</summary>
public enum LocationKind
{
    /// <summary>A folder on one machine; only that machine's agent opens it.</summary>
    Folder,
    /// <summary>A folder that the nodes serve to agents, which can add to it and cannot delete.</summary>
    Gateway,
    /// <summary>A bucket, or a part of one, of any server with the S3 protocol. Agents go there themselves.</summary>
    S3,
    /// <summary>A container, or a part of one, of Azure Blob storage. Agents go there themselves.</summary>
    Azure,
    /// <summary>A server of restic's REST protocol with an adopted repository. Agents go there themselves.</summary>
    Rest,
}

/// <summary>GET locations.</summary>
public sealed record ListLocationsRequest;

/// <summary>POST locations.</summary>
public sealed record CreateLocationRequest
{
    /// <summary>What people call it.</summary>
    public required string Name { get; init; }
    /// <summary>What kind of place it is.</summary>
    public LocationKind Kind { get; init; } = LocationKind.Folder;
    /// <summary>Absolute folder, below which each host has its repository. For folders and gateways, which need it.</summary>
    public FilePath? Path { get; init; }
    /// <summary>As restic writes it, without the part of a repository: "s3:https://host/bucket/prefix" or "azure:container:/prefix".
    /// For S3 and Azure, which need it.</summary>
    public string? Address { get; init; }
    /// <summary>Each NAME=VALUE, as <c>backupdr -o</c> takes them; docs/operate/locations.md lists them. For S3 and Azure.</summary>
    public IReadOnlyList<string> Options { get; init; } = [];
    /// <summary>What opens an S3 or Azure location; null where each agent's machine has a role or variables of its own.</summary>
    public StoreCredentials? Credentials { get; init; }
    /// <summary>Certificates in PEM of authorities that may vouch for an object store, beside those that machines know; null for none.
    /// </summary>
    public string? AuthorityPem { get; init; }
    /// <summary>How many bytes a second may pass at which hour of each host's time zone, for example "08:00-18:00 20 MiB/s, else
    /// unlimited"; null for no limit. Restores are never limited. Not for a folder.</summary>
    public string? Bandwidth { get; init; }
    /// <summary>The machine that the folder is on; null for "the machine that is protected": each host keeps its own. Not for a
    /// gateway.</summary>
    public HostId? Host { get; init; }
    /// <summary>Bytes that each repository may grow to, from 1 MiB; null for no limit. For a gateway only.</summary>
    public long? QuotaBytes { get; init; }
    /// <summary>Object lock of everything that is put there; null for none. For S3 only, and not with <see cref="Tier"/>.</summary>
    public LocationLock? Lock { get; init; }
    /// <summary>Into which class data packs move, and when; null where they stay. For S3 and Azure.</summary>
    public TierRule? Tier { get; init; }
}

/// <summary>A place for objects.</summary>
public sealed record Location
{
    /// <summary>Its id.</summary>
    public required LocationId Id { get; init; }
    /// <summary>What people call it.</summary>
    public required string Name { get; init; }
    /// <summary>What kind of place it is.</summary>
    public required LocationKind Kind { get; init; }
    /// <summary>The folder; null for S3 and Azure.</summary>
    public FilePath? Path { get; init; }
    /// <summary>Where it is, as restic writes it without a repository's part: "/srv/backups", "s3:https://host/bucket/prefix".</summary>
    public required string Address { get; init; }
    /// <summary>Each NAME=VALUE.</summary>
    public IReadOnlyList<string> Options { get; init; } = [];
    /// <summary>When credentials were set, which nothing gives out again; null where agents use what their machines have.</summary>
    public DateTimeOffset? CredentialsSetAt { get; init; }
    /// <summary>Certificates in PEM of authorities that may vouch for it, beside those that machines know; null for none.</summary>
    public string? AuthorityPem { get; init; }
    /// <summary>How many bytes a second may pass at which hour of each host's time zone, for example "08:00-18:00 20 MiB/s, else
    /// unlimited"; null for no limit. Restores are never limited.</summary>
    public string? Bandwidth { get; init; }
    /// <summary>How many backups of all hosts may write into it at once; null for any number.</summary>
    public int? BackupsAtOnce { get; init; }
    /// <summary>The machine that it is on, or null for each host's own, a gateway or an object store.</summary>
    public HostId? Host { get; init; }
    /// <summary>Bytes that each repository may grow to; null for no limit.</summary>
    public long? QuotaBytes { get; init; }
    /// <summary>Object lock of everything that is put there; null for none.</summary>
    public LocationLock? Lock { get; init; }
    /// <summary>Into which class data packs move, and when; null where they stay.</summary>
    public TierRule? Tier { get; init; }
    /// <summary>Repositories in it.</summary>
    public int Repositories { get; init; }
    /// <summary>Whether it is the place of one adopted repository, in which nothing else is put and nothing is tested.</summary>
    public bool IsClosed { get; init; }
    /// <summary>What its last test found; null where it was never tested.</summary>
    public LocationTest? LastTest { get; init; }
    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>PUT locations/{id}/credentials. They are tested before they replace the former; runs that begin afterwards use
/// them.</summary>
public sealed record ReplaceLocationCredentialsRequest
{
    /// <summary>Which location, of the kind S3 or Azure.</summary>
    public LocationId Id { get; init; }
    /// <summary>The new ones; null for what each agent's machine has.</summary>
    public StoreCredentials? Credentials { get; init; }
    /// <summary>Whether they count without a test: for places that agents reach and nodes do not.</summary>
    public bool SkipTest { get; init; }
}

/// <summary>PUT locations/{id}/lock. What is put afterwards is locked so; what is locked already stays as it is.</summary>
/// <param name="Id">Which location, of the kind S3.</param>
/// <param name="Lock">The new one; null for none.</param>
public sealed record SetLocationLockRequest(LocationId Id = default, LocationLock? Lock = null);

/// <summary>PUT locations/{id}/tier. Counts from the next Tier run on.</summary>
/// <param name="Id">Which location, of the kind S3 or Azure.</param>
/// <param name="Tier">The new rule; null where packs stay where they are.</param>
public sealed record SetLocationTierRequest(LocationId Id = default, TierRule? Tier = null);

/// <summary>POST locations/{id}/test. Takes up to a minute.</summary>
public sealed record TestLocationRequest
{
    /// <summary>Which location; not a folder of a host, which only that host's agent opens.</summary>
    public LocationId Id { get; init; }
    /// <summary>Whether object lock is tried too: it leaves an object of 64 bytes that cannot be deleted for a minute.</summary>
    public bool TryLock { get; init; }
}

/// <summary>What a test of a location found.</summary>
/// <param name="At">When it ended.</param>
/// <param name="Node">The node that tested: another machine's network may be another.</param>
/// <param name="Lines">One for each ability.</param>
public sealed record LocationTest(DateTimeOffset At, string Node, IReadOnlyList<ProbeLine> Lines);

/// <summary>How far a repository is.</summary>
public enum RepositoryState
{
    /// <summary>To be made by the next Init run, or looked through by an Adopt run.</summary>
    Pending,
    /// <summary>Usable.</summary>
    Ready,
    /// <summary>Could not be made or adopted; the run tells why.</summary>
    Failed,
}

/// <summary>GET repositories.</summary>
public sealed record ListRepositoriesRequest;

/// <summary>restic-format data in a location: one for each host, and those that were adopted.</summary>
public sealed record RepositorySummary
{
    /// <summary>Its id here.</summary>
    public required RepositoryId Id { get; init; }
    /// <summary>Id in its config file, once made.</summary>
    public string? ConfigId { get; init; }
    /// <summary>The host whose data it holds.</summary>
    public required HostId Host { get; init; }
    /// <summary>That host's name.</summary>
    public required string HostName { get; init; }
    /// <summary>The location.</summary>
    public required LocationId Location { get; init; }
    /// <summary>The location's name.</summary>
    public required string LocationName { get; init; }
    /// <summary>What kind of place the location is.</summary>
    public LocationKind LocationKind { get; init; }
    /// <summary>As restic writes it.</summary>
    public required string Url { get; init; }
    /// <summary>How far it is.</summary>
    public required RepositoryState State { get; init; }
    /// <summary>Set where stock restic made it and it was attached later.</summary>
    public Adoption? Adoption { get; init; }
    /// <summary>Recovery points in it.</summary>
    public int RecoveryPoints { get; init; }
    /// <summary>Bytes that its backups added.</summary>
    public long StoredBytes { get; init; }
    /// <summary>Its further places.</summary>
    public IReadOnlyList<Replica> Replicas { get; init; } = [];
    /// <summary>Object lock in its location; null for none.</summary>
    public LocationLock? Lock { get; init; }
    /// <summary>How its data packs move into cooler classes; null where none of its locations has a rule.</summary>
    public Tiering? Tiering { get; init; }
    /// <summary>What lies in the trash, and how space comes back.</summary>
    public Garbage? Garbage { get; init; }
    /// <summary>How its packs are read again and again; null where we may not, or where there is nothing yet.</summary>
    public RollingCheck? Check { get; init; }
}

/// <summary>What is to be removed from a repository, and how its space comes back.</summary>
public sealed record Garbage
{
    /// <summary>Why nobody may remove anything from it; null where somebody may.</summary>
    public string? Problem { get; init; }
    /// <summary>Recovery points in the trash.</summary>
    public int InTrash { get; init; }
    /// <summary>The run that waits to remove something, or does it now.</summary>
    public RunId? Removing { get; init; }
    /// <summary>When the next prune is due; null where nothing is to be given back.</summary>
    public DateTimeOffset? DueAt { get; init; }
    /// <summary>When the last prune ended.</summary>
    public DateTimeOffset? PrunedAt { get; init; }
    /// <summary>The last prune.</summary>
    public RunId? LastRun { get; init; }
    /// <summary>What it did.</summary>
    public PruneResult? LastResult { get; init; }
}

/// <summary>How far the rolling check of a repository is: every day its structure, and a part of its packs.</summary>
public sealed record RollingCheck
{
    /// <summary>Days in which every stored byte is read once.</summary>
    public const int DaysOfRound = 30;

    /// <summary>How much of the packs this round has read, 0 to 1.</summary>
    public double Position { get; init; }
    /// <summary>When this round began; null where its first part was not read yet.</summary>
    public DateTimeOffset? RoundBeganAt { get; init; }
    /// <summary>When the round before began: nothing that is stored was read longer ago. Null where there was none.</summary>
    public DateTimeOffset? LastRoundBeganAt { get; init; }
    /// <summary>When that ended: all that was stored by then has been read.</summary>
    public DateTimeOffset? LastRoundEndedAt { get; init; }
    /// <summary>When the newest check ended.</summary>
    public DateTimeOffset? CheckedAt { get; init; }
    /// <summary>What the newest check found; null where everything was sound.</summary>
    public CheckResult? Damage { get; init; }
    /// <summary>What the unmodified restic program said when it was asked last; null where it never was.</summary>
    public ResticCheck? Restic { get; init; }
    /// <summary>When that was.</summary>
    public DateTimeOffset? ResticAt { get; init; }
    /// <summary>From which check on it is asked again; null where the node's settings turn it off.</summary>
    public DateTimeOffset? ResticDueAt { get; init; }
    /// <summary>When the next is due; null where one waits or is under way.</summary>
    public DateTimeOffset? DueAt { get; init; }
    /// <summary>The newest run; null where there was none.</summary>
    public RunId? LastRun { get; init; }
    /// <summary>How far that is.</summary>
    public RunState? LastState { get; init; }
}

/// <summary>POST repositories/{id}/check, tier or prune: does now what is done to it now and then.</summary>
/// <param name="Id">The repository.</param>
/// <param name="Kind">Check, Tier or Prune.</param>
public sealed record StartUpkeepRequest(RepositoryId Id, JobKind Kind);

/// <summary>How the data packs of a repository move into cooler classes.</summary>
public sealed record Tiering
{
    /// <summary>The rules of its locations that have one.</summary>
    public required IReadOnlyList<TieredLocation> Rules { get; init; }
    /// <summary>When the next run is due; null where one waits or is under way.</summary>
    public DateTimeOffset? DueAt { get; init; }
    /// <summary>The newest run; null where there was none.</summary>
    public RunId? LastRun { get; init; }
    /// <summary>How far that is.</summary>
    public RunState? LastState { get; init; }
    /// <summary>When it ended.</summary>
    public DateTimeOffset? LastAt { get; init; }
    /// <summary>What it did; null where it failed or is not over.</summary>
    public TierResult? LastResult { get; init; }
}

/// <summary>A location's rule.</summary>
/// <param name="Location">The location.</param>
/// <param name="Name">Its name.</param>
/// <param name="Rule">The rule.</param>
public sealed record TieredLocation(LocationId Location, string Name, TierRule Rule);

/// <summary>A further place of a repository, and how far it is behind.</summary>
public sealed record Replica
{
    /// <summary>The location.</summary>
    public required LocationId Location { get; init; }
    /// <summary>The location's name.</summary>
    public required string LocationName { get; init; }
    /// <summary>As restic writes it.</summary>
    public required string Url { get; init; }
    /// <summary>When it was last tried.</summary>
    public DateTimeOffset? TriedAt { get; init; }
    /// <summary>When it was last found equal to the others.</summary>
    public DateTimeOffset? EqualAt { get; init; }
    /// <summary>Why it is not, by the last try; null where it was.</summary>
    public string? Problem { get; init; }
    /// <summary>Recovery points of the repository that it has not got.</summary>
    public int PointsBehind { get; init; }
    /// <summary>Bytes that the backups of these added.</summary>
    public long BytesBehind { get; init; }
    /// <summary>When the oldest of these was taken; null where nothing is missing.</summary>
    public DateTimeOffset? BehindSince { get; init; }
}

/// <summary>POST repositories/{id}/replicas: keeps the repository in a further location.</summary>
/// <param name="Id">The repository.</param>
/// <param name="Location">Where.</param>
public sealed record AddReplicaRequest(RepositoryId Id, LocationId Location);

/// <summary>DELETE repositories/{id}/replicas/{location}: no longer keeps it there. What is there stays.</summary>
/// <param name="Id">The repository.</param>
/// <param name="Location">Where.</param>
public sealed record RemoveReplicaRequest(RepositoryId Id, LocationId Location);

/// <summary>POST repositories/{id}/replicate: brings all places to the same state now.</summary>
/// <param name="Id">The repository.</param>
/// <param name="ReadData">Whether every object is read at every place.</param>
public sealed record ReplicateRepositoryRequest(RepositoryId Id, bool ReadData = false);

/// <summary>POST repositories/{id}/reveal: the password, audited.</summary>
public sealed record RevealRepositoryPasswordRequest(RepositoryId Id);

/// <summary>What restores a repository without us.</summary>
/// <param name="Url">For restic's -r.</param>
/// <param name="Password">In clear.</param>
/// <param name="Command">The stock-restic command.</param>
public sealed record RepositoryEscape(string Url, string Password, string Command)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => $"the password of {Url}";
}

/// <summary>POST repositories/{id}/gateway-user.</summary>
public sealed record CreateGatewayUserRequest(RepositoryId Id);

/// <summary>DELETE repositories/{id}/gateway-user.</summary>
public sealed record RemoveGatewayUserRequest(RepositoryId Id);

/// <summary>What stock restic needs to reach a repository through the gateway.</summary>
/// <param name="Url">For restic's -r, without user and password.</param>
/// <param name="User">The user.</param>
/// <param name="Password">Its password, shown this once.</param>
/// <param name="AuthorityPem">Certificate for restic's --cacert.</param>
public sealed record GatewayUser(string Url, string User, string Password, string AuthorityPem)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => $"{User} at {Url}";
}
