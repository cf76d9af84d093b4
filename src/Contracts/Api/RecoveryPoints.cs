using System.Text.Json.Serialization;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>GET points: newest first.</summary>
/// <param name="Item">Only of this item.</param>
/// <param name="Limit">1 to 1,000.</param>
/// <param name="Repository">Only in this repository.</param>
/// <param name="Before">Only those that come after this one in the list: the last of the page before.</param>
public sealed record ListRecoveryPointsRequest(ItemId? Item = null, int Limit = 200, RepositoryId? Repository = null,
    RecoveryPointId? Before = null);

/// <summary>GET points/{id}.</summary>
public sealed record ShowRecoveryPointRequest(RecoveryPointId Id);

/// <summary>What a person restores to.</summary>
public sealed record RecoveryPoint
{
    /// <summary>Its id.</summary>
    public required RecoveryPointId Id { get; init; }
    /// <summary>The item; null for a snapshot that was found in an adopted repository.</summary>
    public ItemId? Item { get; init; }
    /// <summary>The item's name, or the paths and the host that a found snapshot records.</summary>
    public required string ItemName { get; init; }
    /// <summary>The host that it was taken from; for a found snapshot the one whose agent reaches the repository.</summary>
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
    /// <summary>Whether nothing is known to be missing in it. Stock restic does not record what it could not read.</summary>
    public required bool IsComplete { get; init; }
    /// <summary>Numbers; 0 where a found snapshot does not record them.</summary>
    public required BackupResult Backup { get; init; }
    /// <summary>What a snapshot that was found in an adopted repository records; null for one that a backup of ours made.</summary>
    public FoundSnapshot? Found { get; init; }
    /// <summary>When it was found to have been removed from its repository by somebody else; nothing can be restored from it.</summary>
    public DateTimeOffset? GoneAt { get; init; }
    /// <summary>When retention forgot it for good; <see cref="GoneAt"/> is set too.</summary>
    public DateTimeOffset? ForgottenAt { get; init; }
    /// <summary>When it leaves the trash for good; null where it is not in it.</summary>
    public DateTimeOffset? TrashUntil { get; init; }
    /// <summary>Set while a run removes its snapshot, and until one tells that it is gone.</summary>
    public bool IsBeingForgotten { get; init; }
    /// <summary>Until when it stays because somebody took it out of the trash; null where nobody did.</summary>
    public DateTimeOffset? TakenOutUntil { get; init; }
    /// <summary>The legal hold on it; null for none.</summary>
    public PointHold? Hold { get; init; }
    /// <summary>Result of the newest drill of it, or null.</summary>
    public ProofResult? Proof { get; init; }
    /// <summary>When that was.</summary>
    public DateTimeOffset? ProofAt { get; init; }
    /// <summary>Names of the locations that are known to hold it.</summary>
    public IReadOnlyList<string> Locations { get; init; } = [];
    /// <summary>The run that made it, or found it; see <see cref="IsRunUnknown"/>.</summary>
    public required RunId Run { get; init; }
    /// <summary>Whether a look found it among the snapshots of our own backups while the run that made it is not known here, as after a
    /// rebuild: there is no run of the id <see cref="Run"/> then.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsRunUnknown { get; init; }
    /// <summary>The run that drilled it.</summary>
    public RunId? ProofRun { get; init; }
}

/// <summary>POST points/{id}/browse: what lies in a folder of the recovery point, asked of an agent (15 s).</summary>
public sealed record BrowseRecoveryPointRequest(RecoveryPointId Id, FilePath Path);

/// <summary>POST points/{id}/drill: a test restore now.</summary>
public sealed record RequestDrillRequest(RecoveryPointId Id);

/// <summary>POST restores/preview: what the restore page shows before anything is done.</summary>
/// <param name="Item">The item to be restored.</param>
/// <param name="Point">Or this point.</param>
public sealed record PlanRestoreRequest(ItemId? Item = null, RecoveryPointId? Point = null);

/// <summary>What a restore would take and where it would write.</summary>
/// <param name="Item">The item; null for a point that has none.</param>
/// <param name="Point">The one that was asked for, else the newest proven point, else the newest complete one, else the newest.</param>
/// <param name="Target">A folder beside the source that does not exist yet.</param>
/// <param name="EstimatedTime">Of the whole point, from measured drills; null without one.</param>
/// <param name="Estimate">The same with what it is based on.</param>
/// <param name="NoEstimate">Why there is none.</param>
public sealed record RestorePlan(Item? Item, RecoveryPoint? Point, FilePath Target, TimeSpan? EstimatedTime,
    RestoreEstimate? Estimate = null, NoEstimate? NoEstimate = null);

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
    /// <summary>Whether packs that lie in an archive are thawed, which costs and takes hours; null ends the restore with what it would
    /// take.</summary>
    public ThawConsent? Thaw { get; init; }
}

/// <summary>POST items/{id}/restore: a database server as it was at a moment; base backup and log are chosen by the agent.</summary>
public sealed record RestoreMomentRequest
{
    /// <summary>The item, from the path.</summary>
    public ItemId Item { get; init; }
    /// <summary>Made by the client, so that a repeated request restores nothing twice; null for a new one.</summary>
    public RunId? Id { get; init; }
    /// <summary>The moment; EndOfBackup means that of the newest complete point.</summary>
    public required Moment Moment { get; init; }
    /// <summary>Where to; null for the item's host.</summary>
    public HostId? Host { get; init; }
    /// <summary>The data folder to be, which is empty or does not exist, or the file of a table; null for one beside the original.
    /// </summary>
    public FilePath? Target { get; init; }
    /// <summary>The only table that is wanted, of MariaDB: a file of statements that bring it back becomes the target then; null for the
    /// whole server.</summary>
    public DatabaseTable? Table { get; init; }
    /// <summary>Whether a server is started in it, apart from the original.</summary>
    public bool Starts { get; init; }
    /// <summary>Whether it takes the place of the original, which must be stopped and is kept beside it.</summary>
    public bool InPlace { get; init; }
    /// <summary>For InPlace: the item's name, typed by the person who asks for it.</summary>
    public string? Confirm { get; init; }
    /// <summary>Whether it is only looked into: the run tells its tables and their rows at that moment, and nothing stays.</summary>
    public bool OnlyLooks { get; init; }
    /// <summary>What is taken out of it, into the target, which is a file then, or into the running server; null for all of it.</summary>
    public ClusterPart? Part { get; init; }
}

/// <summary>A run that was made.</summary>
public sealed record RunStarted(RunId Run);

/// <summary>A folder of a recovery point or host.</summary>
public sealed record BrowseAnswer(FolderListing Listing);
