using System.Text.Json.Serialization;

namespace BackupDr.Contracts.Jobs;

/// <summary>How a job ended.</summary>
public enum JobOutcome
{
    /// <summary>All of it was done.</summary>
    Complete,
    /// <summary>Done, but something is missing: the lists name it. Does not count for the RPO.</summary>
    Incomplete,
    /// <summary>Nothing usable came of it.</summary>
    Failed,
    /// <summary>Stopped because somebody asked.</summary>
    Cancelled,
    /// <summary>Not over: it waits for something outside, holds nothing, and is to be taken up again later.</summary>
    Waiting,
}

/// <summary>What an agent answers when a job ended. The member of the job's kind is set unless it failed.</summary>
public sealed record JobResult
{
    /// <summary>How it ended.</summary>
    public required JobOutcome Outcome { get; init; }
    /// <summary>Set where it failed.</summary>
    public JobError? Error { get; init; }
    /// <summary>What an Init made or an Adopt found: the 64 hex characters of the repository's config.</summary>
    public string? ConfigId { get; init; }
    /// <summary>What a Backup made.</summary>
    public BackupResult? Backup { get; init; }
    /// <summary>What a Restore did.</summary>
    public RestoreResult? Restore { get; init; }
    /// <summary>What a Drill found.</summary>
    public DrillResult? Drill { get; init; }
    /// <summary>What a Check found.</summary>
    public CheckResult? Check { get; init; }
    /// <summary>What a Replicate did.</summary>
    public ReplicateResult? Replicate { get; init; }
    /// <summary>What a Tier did.</summary>
    public TierResult? Tier { get; init; }
    /// <summary>What an Adopt found.</summary>
    public AdoptResult? Adopt { get; init; }
    /// <summary>What a Forget removed; set also where it failed on the way.</summary>
    public ForgetResult? Forget { get; init; }
    /// <summary>What a Prune did.</summary>
    public PruneResult? Prune { get; init; }
    /// <summary>What could not be read before a thaw; set for a Restore that failed for that, or waits.</summary>
    public ArchivedPacks? Archived { get; init; }
    /// <summary>What was asked of stores; null where nothing was.</summary>
    public StoreTraffic? Traffic { get; init; }
    /// <summary>Objects that another place answered for, whatever the job; at most 1,000. Null where there were none.</summary>
    public IReadOnlyList<HealedCopy>? Healed { get; init; }
}

/// <summary>An object that one place of a repository had not, or not rightly, and another one had.</summary>
/// <param name="Name">The object.</param>
/// <param name="Place">Address of the place that failed.</param>
/// <param name="Problem">What was wrong, and whether it is right now.</param>
/// <param name="From">Address of the place that had it.</param>
public sealed record HealedCopy(string Name, string Place, string Problem, string From);

/// <summary>A failure as it crosses the wire.</summary>
/// <param name="Code">Stable code.</param>
/// <param name="Message">What happened.</param>
/// <param name="Hint">What to do next, or null.</param>
/// <param name="IsTransient">Whether trying again may help.</param>
public sealed record JobError(string Code, string Message, string? Hint = null, bool IsTransient = false);

/// <summary>One entry that is missing, failed or worth a remark.</summary>
/// <param name="Path">Absolute path.</param>
/// <param name="Message">What happened.</param>
public sealed record PathProblem(FilePath Path, string Message);

/// <summary>A snapshot that was taken. Sizes in bytes.</summary>
public sealed record BackupResult
{
    /// <summary>restic's snapshot id, 64 hex characters.</summary>
    public required string SnapshotId { get; init; }
    /// <summary>The location that it went to; null where that is the repository's own.</summary>
    public LocationId? Location { get; init; }
    /// <summary>Snapshot it was based on, or null.</summary>
    public string? ParentId { get; init; }
    /// <summary>Time in the snapshot.</summary>
    public required DateTimeOffset TakenAt { get; init; }
    /// <summary>Files in the snapshot.</summary>
    public long Files { get; init; }
    /// <summary>Folders in the snapshot.</summary>
    public long Folders { get; init; }
    /// <summary>Files that were not in the parent.</summary>
    public long FilesNew { get; init; }
    /// <summary>Files that differ from the parent.</summary>
    public long FilesChanged { get; init; }
    /// <summary>Plain bytes in the snapshot.</summary>
    public long Bytes { get; init; }
    /// <summary>Plain bytes that were not in the repository before: after deduplication, before compression.</summary>
    public long BytesNew { get; init; }
    /// <summary>Bytes that the repository grew by: after deduplication, compression and encryption.</summary>
    public long BytesAdded { get; init; }
    /// <summary>Plain bytes of the new data that did not become smaller by compression: encrypted, or packed already. Null from agents that
    /// do not count it.</summary>
    public long? BytesIncompressible { get; init; }
    /// <summary>Files of the parent that are gone from folders that are still there. Null as above.</summary>
    public long? FilesVanished { get; init; }
    /// <summary>How many of them came back with another extension. Null as above.</summary>
    public long? ExtensionsChanged { get; init; }
    /// <summary>What is not in the snapshot; at most 1,000 are sent, <see cref="MissingCount"/> counts all.</summary>
    public IReadOnlyList<PathProblem> Missing { get; init; } = [];
    /// <summary>How many entries are missing.</summary>
    public long MissingCount { get; init; }
    /// <summary>What a person should know though nothing is missing, for example that there was no snapshot; at most 100. Null for nothing.
    /// </summary>
    public IReadOnlyList<string>? Warnings { get; init; }
    /// <summary>Whether its host made it by itself while no node was reachable.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool MadeAlone { get; init; }
    /// <summary>Of a PostgreSQL cluster: what a restore has to know of it; null for everything else.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ClusterPoint? Cluster { get; init; }
    /// <summary>Of a MariaDB server: what a restore has to know of it; null for everything else.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public MariaDbPoint? MariaDb { get; init; }
    /// <summary>Of a database server: where its data lay; null for everything else.</summary>
    [JsonIgnore]
    public FilePath? ServerFolder => Cluster?.DataFolder ?? MariaDb?.DataFolder;
    /// <summary>Of a database server: its clock at the end of the backup; null for everything else.</summary>
    [JsonIgnore]
    public DateTimeOffset? ServerTime => Cluster?.StoppedAt ?? MariaDb?.StoppedAt;
    /// <summary>Seconds from start to end.</summary>
    public double Seconds { get; init; }
}

/// <summary>What was restored. Sizes in bytes.</summary>
public sealed record RestoreResult
{
    /// <summary>Where it was put.</summary>
    public required FilePath Target { get; init; }
    /// <summary>Files written.</summary>
    public long Files { get; init; }
    /// <summary>Plain bytes written.</summary>
    public long Bytes { get; init; }
    /// <summary>What could not be restored or was kept; at most 1,000.</summary>
    public IReadOnlyList<PathProblem> Problems { get; init; } = [];
    /// <summary>How many of these there are.</summary>
    public long ProblemCount { get; init; }
    /// <summary>Of a PostgreSQL cluster: what it can be started as; null for everything else.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RestoredCluster? Cluster { get; init; }
    /// <summary>Of a MariaDB server: what it can be started as; null for everything else.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RestoredMariaDb? MariaDb { get; init; }
    /// <summary>Where a cluster was only looked into: what was seen.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ClusterLook? Look { get; init; }
    /// <summary>Where tables or a database were taken out of a cluster: which.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TakenPart? Part { get; init; }
    /// <summary>Seconds from start to end.</summary>
    public double Seconds { get; init; }
}

/// <summary>What a proof says.</summary>
public enum ProofResult
{
    /// <summary>It was restored and every byte matched the snapshot.</summary>
    Proven,
    /// <summary>It could not be restored, or something differed.</summary>
    Failed,
    /// <summary>It was not tried; the reason is told.</summary>
    Skipped,
}

/// <summary>The result of a timed test restore.</summary>
public sealed record DrillResult
{
    /// <summary>What it says.</summary>
    public required ProofResult Result { get; init; }
    /// <summary>Why, where it is not Proven.</summary>
    public string? Reason { get; init; }
    /// <summary>Files whose bytes were compared with the snapshot.</summary>
    public long FilesCompared { get; init; }
    /// <summary>Bytes compared.</summary>
    public long BytesCompared { get; init; }
    /// <summary>Files that differ from the snapshot; at most 1,000.</summary>
    public IReadOnlyList<PathProblem> Mismatches { get; init; } = [];
    /// <summary>Files compared with the live source as well and found equal.</summary>
    public long LiveEqual { get; init; }
    /// <summary>Files of the live source that changed since the snapshot: counted, not failed.</summary>
    public long LiveChanged { get; init; }
    /// <summary>Of a database: what was looked at in the restored copy; null for files.</summary>
    public IReadOnlyList<DrillCheck>? Checks { get; init; }
    /// <summary>What was done, in order; null from agents that do not tell it.</summary>
    public IReadOnlyList<DrillStep>? Steps { get; init; }
    /// <summary>What was not done and why; null from agents that do not tell it.</summary>
    public IReadOnlyList<DrillOmission>? NotDone { get; init; }
    /// <summary>Seconds that the restore took: the measured recovery time.</summary>
    public double RestoreSeconds { get; init; }
    /// <summary>Seconds in all.</summary>
    public double Seconds { get; init; }
    /// <summary>Whether the sandbox was isolated (own user, no network).</summary>
    public bool Isolated { get; init; }
    /// <summary>Whether it was not made, or stopped, because there was no room on the host: another one may have it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool HadNoRoom { get; init; }
}

/// <summary>One look at a database that was restored for a test.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="Passed">Whether it is as it should be.</param>
/// <param name="Detail">What was found.</param>
/// <param name="Expected">What it should be; null where the name says it.</param>
public sealed record DrillCheck(string Name, bool Passed, string Detail, string? Expected = null);

/// <summary>One step of a drill, by the clock of its host.</summary>
/// <param name="Name">What was done.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Passed">Whether it came to its end.</param>
/// <param name="Detail">More, or null.</param>
public sealed record DrillStep(string Name, DateTimeOffset StartedAt, DateTimeOffset EndedAt, bool Passed, string? Detail = null);

/// <summary>Something that a drill did not do.</summary>
/// <param name="Name">What.</param>
/// <param name="Why">Why not.</param>
public sealed record DrillOmission(string Name, string Why);

/// <summary>What a check found.</summary>
public sealed record CheckResult
{
    /// <summary>What is damaged; empty is good. At most 1,000.</summary>
    public IReadOnlyList<string> Errors { get; init; } = [];
    /// <summary>Packs looked at.</summary>
    public long Packs { get; init; }
    /// <summary>Bytes read.</summary>
    public long BytesRead { get; init; }
    /// <summary>Names of packs that are missing or damaged; at most 1,000.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? DamagedPacks { get; init; }
    /// <summary>Of a round: the last pack that was read; null at its end.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reached { get; init; }
    /// <summary>What the unmodified restic program said; null where it was not asked. Its errors are among <see cref="Errors"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ResticCheck? Restic { get; init; }
}

/// <summary>What the unmodified restic program said of a repository.</summary>
public sealed record ResticCheck
{
    /// <summary>Its version, "0.14.0"; null where it is not installed on the host.</summary>
    public string? Version { get; init; }
    /// <summary>Why it said nothing; null where it looked through.</summary>
    public string? Problem { get; init; }
    /// <summary>What it found; at most 20. Empty is good where there is no problem.</summary>
    public IReadOnlyList<string> Errors { get; init; } = [];
    /// <summary>Seconds that it took.</summary>
    public double Seconds { get; init; }
}

/// <summary>What was done to bring the places of a repository to the same state.</summary>
public sealed record ReplicateResult
{
    /// <summary>One for each place.</summary>
    public IReadOnlyList<ReplicatedPlaceResult> Places { get; init; } = [];
    /// <summary>Objects of which no place has a copy that is right; at most 1,000.</summary>
    public IReadOnlyList<string> Damaged { get; init; } = [];
    /// <summary>Seconds from start to end.</summary>
    public double Seconds { get; init; }
}

/// <summary>What was done at one place. Sizes in bytes.</summary>
public sealed record ReplicatedPlaceResult
{
    /// <summary>The location.</summary>
    public required LocationId Location { get; init; }
    /// <summary>Why it is not as the others; null where it is.</summary>
    public string? Problem { get; init; }
    /// <summary>Whether there was no repository before.</summary>
    public bool WasEmpty { get; init; }
    /// <summary>Objects that it got.</summary>
    public long Objects { get; init; }
    /// <summary>Their bytes.</summary>
    public long Bytes { get; init; }
    /// <summary>Damaged objects that are right again.</summary>
    public long Healed { get; init; }
    /// <summary>Objects that were removed because they were removed elsewhere.</summary>
    public long Removed { get; init; }
    /// <summary>Ids of the snapshots that it holds; null where it could not be looked at.</summary>
    public IReadOnlyList<string>? Snapshots { get; init; }
}

/// <summary>How far a job is. Totals are null while unknown.</summary>
public sealed record JobProgress
{
    /// <summary>What is going on: "scanning", "uploading", "restoring", "comparing".</summary>
    public required string Phase { get; init; }
    /// <summary>Files done.</summary>
    public long FilesDone { get; init; }
    /// <summary>Files in all.</summary>
    public long? FilesTotal { get; init; }
    /// <summary>Bytes done.</summary>
    public long BytesDone { get; init; }
    /// <summary>Bytes in all.</summary>
    public long? BytesTotal { get; init; }
    /// <summary>Path being worked on.</summary>
    public FilePath? Current { get; init; }
}
