using System.Text.Json.Serialization;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Jobs;

/// <summary>What an agent can be told to do. A closed set.</summary>
public enum JobKind
{
    /// <summary>Make a repository.</summary>
    Init,
    /// <summary>Take a snapshot of a source.</summary>
    Backup,
    /// <summary>Put a snapshot, or a part of it, on a host.</summary>
    Restore,
    /// <summary>Restore into a sandbox, compare, clean up.</summary>
    Drill,
    /// <summary>Check a repository.</summary>
    Check,
    /// <summary>Bring all places of a repository to the same state.</summary>
    Replicate,
    /// <summary>Look through a repository that stock restic made, without writing to it, and tell its snapshots.</summary>
    Adopt,
    /// <summary>Move packs into the classes that the rules of their locations name.</summary>
    Tier,
    /// <summary>Remove snapshots that retention has dropped.</summary>
    Forget,
    /// <summary>Give back the space of what no snapshot needs.</summary>
    Prune,
}

/// <summary>What an agent is handed with a lease. The member of the same name as <see cref="Kind"/> is set (none for Init,
/// Adopt and Tier).</summary>
public sealed record Job
{
    /// <summary>Which member is set.</summary>
    public required JobKind Kind { get; init; }
    /// <summary>The repository that the job works on.</summary>
    public required RepositoryAccess Repository { get; init; }
    /// <summary>Set for Backup.</summary>
    public BackupJob? Backup { get; init; }
    /// <summary>Set for Restore.</summary>
    public RestoreJob? Restore { get; init; }
    /// <summary>Set for Drill.</summary>
    public DrillJob? Drill { get; init; }
    /// <summary>Set for Check.</summary>
    public CheckJob? Check { get; init; }
    /// <summary>Set for Replicate.</summary>
    public ReplicateJob? Replicate { get; init; }
    /// <summary>Set for Forget.</summary>
    public ForgetJob? Forget { get; init; }
    /// <summary>Set for Prune.</summary>
    public PruneJob? Prune { get; init; }
    /// <summary>For what removes something: where its agent looks itself, before it begins, whether a later control plane has begun. Null
    /// where it can look nowhere.</summary>
    public TermPlaces? Terms { get; init; }
}

/// <summary>Where the terms of an installation's control planes are.</summary>
public sealed record TermPlaces
{
    /// <summary>The term of the control plane that handed the job out.</summary>
    public required long Term { get; init; }
    /// <summary>The folder with an object for each term, named by its number, below a place's root.</summary>
    public required string Folder { get; init; }
    /// <summary>Roots of locations, and the ways to them.</summary>
    public required IReadOnlyList<RepositoryPlace> Places { get; init; }
}

/// <summary>Where a repository is and what opens it. Never logged, and written nowhere but into the plan of what a host may do alone,
/// sealed.</summary>
public sealed record RepositoryAccess
{
    /// <summary>The control plane's id.</summary>
    public required RepositoryId Id { get; init; }
    /// <summary>As restic writes it: "/srv/backups/host_…".</summary>
    public required string Url { get; init; }
    /// <summary>Id in the repository's config file, 64 hex characters; null before Init or Adopt. A repository with
    /// another id is refused.</summary>
    public string? ConfigId { get; init; }
    /// <summary>The password in clear.</summary>
    public required string Password { get; init; }

    /// <summary>Whether the URL is the node's own gateway, to which an agent shows its certificate.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsGateway { get; init; }

    /// <summary>Options of the store, each NAME=VALUE.</summary>
    public IReadOnlyList<string>? Options { get; init; }

    /// <summary>Credentials of the store, under the names of restic's environment variables: AWS_ACCESS_KEY_ID and so on. The agent's own
    /// variables count only where this is null.</summary>
    public IReadOnlyDictionary<string, string>? Variables { get; init; }

    /// <summary>Certificates in PEM of authorities that may vouch for the store, beside those that this machine knows; null for
    /// none.</summary>
    public string? AuthorityPem { get; init; }

    /// <summary>How many bytes a second may pass at which hour of this machine's time zone, shared by all runs that go to the location;
    /// <see cref="Rules.Calendar.BandwidthSchedule"/> reads it. Null for no limit.</summary>
    public string? Bandwidth { get; init; }

    /// <summary>The location that it is in.</summary>
    public LocationId? Location { get; init; }

    /// <summary>The rule of its location about classes; null where there is none.</summary>
    public TierRule? Tier { get; init; }

    /// <summary>Its further places, in the order in which they are asked; null where there are none.</summary>
    public IReadOnlyList<RepositoryPlace>? Replicas { get; init; }

    /// <summary>The same without limits, for what somebody waits for.</summary>
    public RepositoryAccess WithoutLimits() => this with
    {
        Bandwidth = null,
        Replicas = Replicas is null ? null : [.. Replicas.Select(place => place with { Bandwidth = null })],
    };

    /// <summary>Shows no password and no credentials.</summary>
    public override string ToString() => $"{Id} at {Url}";
}

/// <summary>A further place of a repository, and the way to it.</summary>
public sealed record RepositoryPlace
{
    /// <summary>The location.</summary>
    public required LocationId Location { get; init; }
    /// <summary>As restic writes it.</summary>
    public required string Url { get; init; }
    /// <summary>Options of the store, each NAME=VALUE.</summary>
    public IReadOnlyList<string>? Options { get; init; }
    /// <summary>Credentials, as <see cref="RepositoryAccess.Variables"/>.</summary>
    public IReadOnlyDictionary<string, string>? Variables { get; init; }
    /// <summary>Authorities, as <see cref="RepositoryAccess.AuthorityPem"/>.</summary>
    public string? AuthorityPem { get; init; }
    /// <summary>Limits, as <see cref="RepositoryAccess.Bandwidth"/>.</summary>
    public string? Bandwidth { get; init; }
    /// <summary>The rule of the location about classes; null where there is none.</summary>
    public TierRule? Tier { get; init; }

    /// <summary>Shows no credentials.</summary>
    public override string ToString() => Url;
}

/// <summary>Take a snapshot.</summary>
public sealed record BackupJob
{
    /// <summary>What is taken.</summary>
    public required SourceSpec Source { get; init; }
    /// <summary>Host name in the snapshot.</summary>
    public required string HostName { get; init; }
    /// <summary>Tags in the snapshot, for example "backupdr.run=run_…".</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>What runs on the host before and after; null for nothing.</summary>
    public HooksSpec? Hooks { get; init; }
}

/// <summary>Restore a snapshot or parts of it.</summary>
public sealed record RestoreJob
{
    /// <summary>restic's snapshot id, 64 hex characters.</summary>
    public required string SnapshotId { get; init; }
    /// <summary>Absolute paths inside the snapshot; empty for all of it.</summary>
    public IReadOnlyList<FilePath> Paths { get; init; } = [];
    /// <summary>Folder below which the absolute paths are recreated. Made where it is missing.</summary>
    public required FilePath Target { get; init; }
    /// <summary>What happens to files that exist already.</summary>
    public OverwritePolicy Overwrite { get; init; } = OverwritePolicy.Never;
    /// <summary>Whether and for how long archived packs are thawed; null where they end the restore.</summary>
    public ThawConsent? Thaw { get; init; }
    /// <summary>Set for a PostgreSQL cluster: <see cref="Target"/> is its data folder to be, and paths are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ClusterRestoreJob? Cluster { get; init; }
    /// <summary>Set for a MariaDB server: <see cref="Target"/> is its data folder to be, or the file of
    /// a table, and paths are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public MariaDbRestoreJob? MariaDb { get; init; }
}

/// <summary>A timed test restore.</summary>
public sealed record DrillJob
{
    /// <summary>restic's snapshot id.</summary>
    public required string SnapshotId { get; init; }
    /// <summary>What was taken: it says how the copy is proven, and on its own host the live source is compared as well. Null for a
    /// snapshot that was found.</summary>
    public SourceSpec? LiveSource { get; init; }
    /// <summary>Whether another host than the source's restores, where there is no live source to compare with.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsElsewhere { get; init; }
    /// <summary>As <see cref="ProofSpec.Assertions"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Assertions { get; init; }
    /// <summary>As <see cref="ProofSpec.Script"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Script { get; init; }
    /// <summary>As <see cref="ProofSpec.ScriptLimit"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TimeSpan? ScriptLimit { get; init; }
    /// <summary>As <see cref="ProofSpec.DrillLimit"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TimeSpan? Limit { get; init; }
}

/// <summary>Check a repository.</summary>
public sealed record CheckJob
{
    /// <summary>Whether every stored byte is read.</summary>
    public bool ReadData { get; init; }
    /// <summary>The part of a round that is read; null for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public CheckRound? Round { get; init; }
    /// <summary>Whether the unmodified restic program looks through as well, where the host has it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool WithRestic { get; init; }
}

/// <summary>The next part of a round through all packs, in the order of their names.</summary>
/// <param name="After">Name of the last pack of the part before, 64 hexadecimal digits; null at the beginning.</param>
/// <param name="Share">How much of all bytes is read, more than 0 to 1.</param>
/// <param name="LeastBytes">How much is read at least, where there is as much.</param>
/// <param name="Also">Names of packs that are read besides: those that were damaged.</param>
public sealed record CheckRound(string? After, double Share, long LeastBytes, IReadOnlyList<string> Also);

/// <summary>Bring all places of a repository to the same state.</summary>
public sealed record ReplicateJob
{
    /// <summary>Whether every object is read at every place.</summary>
    public bool ReadData { get; init; }
    /// <summary>Whether nothing is removed anywhere, because nobody can say at the moment whether the control plane that hands it out is
    /// the latest.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool AddsOnly { get; init; }
}
