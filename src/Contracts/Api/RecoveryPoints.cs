using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>GET points: newest first.</summary>
/// <param name="Item">Only of this item.</param>
/// <param name="Limit">1 to 1,000.</param>
public sealed record ListRecoveryPointsRequest(ItemId? Item = null, int Limit = 200);

/// <summary>GET points/{id}.</summary>
public sealed record ShowRecoveryPointRequest(RecoveryPointId Id);

/// <summary>What a person restores to.</summary>
public sealed record RecoveryPoint
{
    /// <summary>Its id.</summary>
    public required RecoveryPointId Id { get; init; }
    /// <summary>The item.</summary>
    public required ItemId Item { get; init; }
    /// <summary>The item's name.</summary>
    public required string ItemName { get; init; }
    /// <summary>The host that it was taken from.</summary>
    public required HostId Host { get; init; }
    /// <summary>That host's name.</summary>
    public required string HostName { get; init; }
    /// <summary>The repository.</summary>
    public required RepositoryId Repository { get; init; }
    /// <summary>restic's snapshot id, 64 hex characters.</summary>
    public required string SnapshotId { get; init; }
    /// <summary>The moment it holds.</summary>
    public required DateTimeOffset TakenAt { get; init; }
    /// <summary>When the control plane learned of it, by the database's clock.</summary>
    public required DateTimeOffset ReceivedAt { get; init; }
    /// <summary>Whether nothing is missing in it.</summary>
    public required bool IsComplete { get; init; }
    /// <summary>Numbers.</summary>
    public required BackupResult Backup { get; init; }
    /// <summary>Result of the newest drill of it, or null.</summary>
    public ProofResult? Proof { get; init; }
    /// <summary>When that was.</summary>
    public DateTimeOffset? ProofAt { get; init; }
    /// <summary>Names of the locations that are known to hold it.</summary>
    public IReadOnlyList<string> Locations { get; init; } = [];
    /// <summary>The run that made it.</summary>
    public required RunId Run { get; init; }
    /// <summary>The run that drilled it.</summary>
    public RunId? ProofRun { get; init; }
}

/// <summary>POST points/{id}/browse: what lies in a folder of the recovery point, asked of an agent (15 s).</summary>
public sealed record BrowseRecoveryPointRequest(RecoveryPointId Id, FilePath Path);

/// <summary>POST points/{id}/drill: a test restore now.</summary>
public sealed record RequestDrillRequest(RecoveryPointId Id);

/// <summary>POST restores/preview: what the restore page shows before anything is done.</summary>
public sealed record PlanRestoreRequest(ItemId Item);

/// <summary>What a restore would take and where it would write.</summary>
/// <param name="Item">The item.</param>
/// <param name="Point">The newest proven point, else the newest complete one, else the newest.</param>
/// <param name="Target">A folder beside the source that does not exist yet.</param>
/// <param name="EstimatedTime">From measured drills; null without one.</param>
public sealed record RestorePlan(Item Item, RecoveryPoint? Point, FilePath Target, TimeSpan? EstimatedTime);

/// <summary>POST restores.</summary>
public sealed record RequestRestoreRequest
{
    /// <summary>Made by the client, so that a repeated request restores nothing twice; null for a new one.</summary>
    public RunId? Id { get; init; }
    /// <summary>What is restored.</summary>
    public required RecoveryPointId Point { get; init; }
    /// <summary>Absolute paths inside it; empty for all.</summary>
    public IReadOnlyList<FilePath> Paths { get; init; } = [];
    /// <summary>Where to; null for the host it came from.</summary>
    public HostId? Host { get; init; }
    /// <summary>Folder; null for one beside the source that does not exist yet.</summary>
    public FilePath? Target { get; init; }
    /// <summary>What happens to files that exist already.</summary>
    public OverwritePolicy Overwrite { get; init; } = OverwritePolicy.Never;
}

/// <summary>A run that was made.</summary>
public sealed record RunStarted(RunId Run);

/// <summary>A folder of a recovery point or host.</summary>
public sealed record BrowseAnswer(FolderListing Listing);
