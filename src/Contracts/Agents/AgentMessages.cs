using System.Text.Json.Serialization;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Agents;

/// <summary>The agent protocol's version and paths. HTTPS, JSON, one POST per message.</summary>
public static class AgentProtocol
{
    /// <summary>Version of the messages here. A node accepts its own and the one before.</summary>
    public const int Version = 1;
    /// <summary>How long a long poll may wait, in seconds.</summary>
    public const int MaximumWaitSeconds = 30;
    /// <summary>How long a lease lasts without a report.</summary>
    public static readonly TimeSpan LeaseDuration = TimeSpan.FromSeconds(30);
    /// <summary>How long a request to an agent waits for its answer.</summary>
    public static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(15);
    /// <summary>The code with which a node says that its database is away: it can extend no lease, and nobody can end one.</summary>
    public const string DatabaseAway = "database.unavailable";
    /// <summary>The code with which a node says that a later control plane of its installation has begun: another one is to be
    /// asked.</summary>
    public const string Superseded = "control_plane.superseded";
    /// <summary>How long an agent goes on with a run while nodes say that their database is away.</summary>
    public static readonly TimeSpan LongestOutage = TimeSpan.FromMinutes(10);
    /// <summary>Events in one report at most; more are sent with the next.</summary>
    public const int MaximumEvents = 500;
    /// <summary>Where the messages go, below the agents' URL.</summary>
    public const string Root = "/agent/v1";
}

/// <summary>POST join: a token and a certificate request become an identity. Needs no client certificate.</summary>
public sealed record JoinRequest
{
    /// <summary>The join token, as copied from the console.</summary>
    public required string Token { get; init; }
    /// <summary>Certificate request, PEM, ECDSA P-256; its subject is ignored.</summary>
    public required string CsrPem { get; init; }
    /// <summary>The machine's name.</summary>
    public required string HostName { get; init; }
    /// <summary>For example "Debian GNU/Linux 12".</summary>
    public required string OperatingSystem { get; init; }
    /// <summary>The agent program's version.</summary>
    public required string AgentVersion { get; init; }
    /// <summary><see cref="AgentProtocol.Version"/> of the agent.</summary>
    public required int ProtocolVersion { get; init; }
    /// <summary>Whether the agent may do repository work for others.</summary>
    public bool Mover { get; init; }
    /// <summary>Labels that the host begins with; null for none.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Shows no token.</summary>
    public override string ToString() => $"join {HostName}";
}

/// <summary>The answer to join.</summary>
/// <param name="HostId">The host's id.</param>
/// <param name="CertificatePem">The client certificate.</param>
/// <param name="AuthorityPem">The CA's certificate; the agent trusts only this one.</param>
/// <param name="ExpiresAt">When the client certificate ends.</param>
/// <param name="HostName">The name that its snapshots get: that of the host whose place it takes; null for the one it told.</param>
public sealed record JoinAnswer(HostId HostId, string CertificatePem, string AuthorityPem, DateTimeOffset ExpiresAt,
    string? HostName = null);

/// <summary>POST renew: a new certificate for the same host.</summary>
/// <param name="CsrPem">Certificate request, PEM.</param>
public sealed record RenewRequest(string CsrPem);

/// <summary>The answer to renew.</summary>
public sealed record RenewAnswer(string CertificatePem, DateTimeOffset ExpiresAt);

/// <summary>POST lease: a long poll for work and for requests.</summary>
public sealed record LeaseRequest
{
    /// <summary>How many more runs the agent would start now; 0 polls for requests only.</summary>
    public required int Slots { get; init; }
    /// <summary>How long to wait, 0 to 30 seconds.</summary>
    public int WaitSeconds { get; init; } = 25;
    /// <summary>Load average over one minute.</summary>
    public double Load { get; init; }
    /// <summary>The agent program's version.</summary>
    public string AgentVersion { get; init; } = "";
    /// <summary><see cref="AgentProtocol.Version"/> of the agent.</summary>
    public int ProtocolVersion { get; init; } = AgentProtocol.Version;
    /// <summary>Runs that this agent process executes now. A run leased to this host that is not among them was lost by a
    /// restart.</summary>
    public IReadOnlyList<RunId> Running { get; init; } = [];
    /// <summary>Mark of the list of nodes that this agent keeps; null where it keeps none, empty where it was told none yet.</summary>
    public string? AddressesMark { get; init; }
    /// <summary>The highest term that this agent was told; null where it keeps none.</summary>
    public TermMark? Term { get; init; }
    /// <summary>Whether it carries out steps of runbooks; one that does not say so is asked for none.</summary>
    public bool? KnowsSteps { get; init; }
    /// <summary>Items that this agent backs up by itself at the moment: no backup of them is handed to it. Null for none.</summary>
    public IReadOnlyList<ItemId>? Alone { get; init; }
}

/// <summary>The answer to lease: a run, or requests, or both. 204 without a body where there is neither.</summary>
public sealed record LeaseAnswer
{
    /// <summary>A run to execute.</summary>
    public LeasedRun? Run { get; init; }
    /// <summary>Requests to answer within 15 seconds each.</summary>
    public IReadOnlyList<AgentRequest> Requests { get; init; } = [];
    /// <summary>Addresses of all nodes' agents' listeners, where the agent's list is another; null for no change.</summary>
    public IReadOnlyList<string>? Addresses { get; init; }
    /// <summary>The mark of <see cref="Addresses"/>.</summary>
    public string? AddressesMark { get; init; }
    /// <summary>The control plane's term, for an agent that keeps one. One that knows a higher one takes nothing from it.</summary>
    public TermMark? Term { get; init; }
}

/// <summary>A run that is ours until the lease ends.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Epoch">The fencing number: every later message about the run carries it.</param>
/// <param name="TtlMs">Milliseconds until the lease ends without a report; the agent stops by itself at three quarters of it.</param>
/// <param name="Job">What to do.</param>
/// <param name="Of">Of a backup of an item: which, and for which time; null for everything else.</param>
public sealed record LeasedRun(RunId RunId, long Epoch, int TtlMs, Job Job, LeasedItem? Of = null);

/// <summary>POST report: progress and events; extends the lease. 409 "run.lease_lost" where the epoch is no longer the run's.</summary>
public sealed record ReportRequest
{
    /// <summary>The run.</summary>
    public required RunId RunId { get; init; }
    /// <summary>The lease's epoch.</summary>
    public required long Epoch { get; init; }
    /// <summary>Number of this report within the lease, from 1; a repeated one changes nothing.</summary>
    public required long Seq { get; init; }
    /// <summary>How far it is.</summary>
    public JobProgress? Progress { get; init; }
    /// <summary>What happened since the last report.</summary>
    public IReadOnlyList<RunEventLine> Events { get; init; } = [];
    /// <summary>The term under which the run was leased; null where that was not told.</summary>
    public TermMark? Term { get; init; }
}

/// <summary>How much an event matters.</summary>
public enum EventLevel
{
    /// <summary>Only for looking closely.</summary>
    Debug,
    /// <summary>The ordinary course.</summary>
    Info,
    /// <summary>Something a person should know.</summary>
    Warning,
    /// <summary>Something failed.</summary>
    Error,
}

/// <summary>One line of a run's log.</summary>
public sealed record RunEventLine(DateTimeOffset At, EventLevel Level, string Code, string Text);

/// <summary>The answer to report.</summary>
/// <param name="TtlMs">Milliseconds until the lease ends without another report.</param>
/// <param name="Cancel">Somebody asked to cancel: stop, and complete as Cancelled.</param>
public sealed record ReportAnswer(int TtlMs, bool Cancel);

/// <summary>POST complete: the run ended. Idempotent by run and epoch; 409 "run.lease_lost" for a stale epoch.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Epoch">The lease's epoch.</param>
/// <param name="Result">How it ended.</param>
/// <param name="Term">The term under which the run was leased; null where that was not told.</param>
public sealed record CompleteRequest(RunId RunId, long Epoch, JobResult Result, TermMark? Term = null);

/// <summary>POST inventory: what the agent found on its host.</summary>
public sealed record InventoryRequest
{
    /// <summary>Mounted file systems.</summary>
    public IReadOnlyList<MountFound> Mounts { get; init; } = [];
    /// <summary>Processor count.</summary>
    public int Processors { get; init; }
    /// <summary>Memory in bytes.</summary>
    public long MemoryBytes { get; init; }
    /// <summary>What could be protected, at most <see cref="MostSources"/>; null where the agent does not look.</summary>
    public IReadOnlyList<SourceFound>? Sources { get; init; }

    /// <summary>Most sources of one host.</summary>
    public const int MostSources = 500;
}

/// <summary>A mounted file system.</summary>
public sealed record MountFound(FilePath Path, string FileSystem, long SizeBytes, long FreeBytes);

/// <summary>What kind of thing an agent found.</summary>
public enum FoundKind
{
    /// <summary>A mounted file system.</summary>
    FileSystem,
    /// <summary>A Btrfs subvolume below a mounted one: no snapshot of the one above holds it.</summary>
    Subvolume,
    /// <summary>A block device that is not mounted and belongs to no other.</summary>
    BlockDevice,
    /// <summary>A PostgreSQL cluster.</summary>
    PostgreSql,
    /// <summary>A MariaDB or MySQL server.</summary>
    MariaDb,
    /// <summary>An SQLite database that a program has open.</summary>
    Sqlite,
}

/// <summary>Something on a host that could be protected.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Path">Where: mount point, device, data folder or file. With the kind it tells one from another on a host.</param>
/// <param name="Detail">"xfs", "PostgreSQL 15"; at most <see cref="LongestDetail"/> characters.</param>
/// <param name="SizeBytes">Bytes in use; null where telling would take a long walk.</param>
public sealed record SourceFound(FoundKind Kind, FilePath Path, string Detail, long? SizeBytes = null)
{
    /// <summary>Longest detail, characters.</summary>
    public const int LongestDetail = 200;
}

/// <summary>What a node can ask an agent outside of runs.</summary>
public enum AgentRequestKind
{
    /// <summary>List a folder of the host.</summary>
    ListFolder,
    /// <summary>List a folder inside a snapshot.</summary>
    ListSnapshotFolder,
    /// <summary>Look whether a source can be backed up.</summary>
    CheckSource,
    /// <summary>Carry out a step of a runbook, or tell how far it is.</summary>
    Step,
}

/// <summary>A short question to an agent; answered by POST requests/{id}.</summary>
public sealed record AgentRequest
{
    /// <summary>Names the question.</summary>
    public required RequestId Id { get; init; }
    /// <summary>What is asked.</summary>
    public required AgentRequestKind Kind { get; init; }
    /// <summary>Folder to list; empty for the root of a snapshot.</summary>
    public required FilePath Path { get; init; }
    /// <summary>For snapshot folders: the repository.</summary>
    public RepositoryAccess? Repository { get; init; }
    /// <summary>For snapshot folders: restic's snapshot id.</summary>
    public string? SnapshotId { get; init; }
    /// <summary>For CheckSource: the source.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public SourceSpec? Source { get; init; }
    /// <summary>For Step: the step.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HostStep? Step { get; init; }
}

/// <summary>POST requests/{id}: exactly one of them is set.</summary>
public sealed record AgentRequestAnswer
{
    /// <summary>The listing.</summary>
    public FolderListing? Listing { get; init; }
    /// <summary>What was found about a source; at most 100, empty where all is well.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<SourceFinding>? Findings { get; init; }
    /// <summary>How far a step is.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HostStepReport? Step { get; init; }
    /// <summary>Why there is none.</summary>
    public JobError? Error { get; init; }
}

/// <summary>Something that a look at a source found before it is protected.</summary>
/// <param name="Code">Stable word, for example "wal_level".</param>
/// <param name="Message">What is so, in a sentence.</param>
/// <param name="Remedy">The statement or setting that mends it; null where nothing has to be.</param>
/// <param name="Severity">How bad it is.</param>
public sealed record SourceFinding(string Code, string Message, string? Remedy, SourceSeverity Severity);

/// <summary>How bad a finding is.</summary>
public enum SourceSeverity
{
    /// <summary>Good to know.</summary>
    Note,
    /// <summary>It works, but less than it could.</summary>
    Warning,
    /// <summary>It does not work before this is mended.</summary>
    Blocking,
}

/// <summary>A folder's content, folders first, then by name. At most 10,000 entries; <see cref="IsCut"/> tells of more.</summary>
public sealed record FolderListing(FilePath Path, IReadOnlyList<FolderEntry> Entries, bool IsCut);

/// <summary>One entry of a folder.</summary>
public sealed record FolderEntry
{
    /// <summary>Name.</summary>
    public required FilePath Name { get; init; }
    /// <summary>What it is.</summary>
    public required EntryKind Kind { get; init; }
    /// <summary>Length in bytes, files only.</summary>
    public long SizeBytes { get; init; }
    /// <summary>Last modification.</summary>
    public DateTimeOffset ModifiedAt { get; init; }
    /// <summary>Permission bits.</summary>
    public int Permissions { get; init; }
    /// <summary>Target, links only.</summary>
    public FilePath LinkTarget { get; init; }
}

/// <summary>What a folder entry is.</summary>
public enum EntryKind
{
    /// <summary>A folder.</summary>
    Folder,
    /// <summary>A regular file.</summary>
    File,
    /// <summary>A symbolic link.</summary>
    Link,
    /// <summary>A device, fifo or socket.</summary>
    Other,
}
