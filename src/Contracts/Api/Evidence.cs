using System.Text.Json;
using System.Text.Json.Serialization;

namespace BackupDr.Contracts.Api;

/// <summary>GET evidence: newest first.</summary>
public sealed record ListEvidenceRequest
{
    /// <summary>Only records about this thing: text form of an item's, a repository's or a run's id.</summary>
    public string? Subject { get; init; }
    /// <summary>Only of this kind: "drill", "restore", "heal", "replica", "lost", "forget".</summary>
    public string? Kind { get; init; }
    /// <summary>Only of this run.</summary>
    public RunId? Run { get; init; }
    /// <summary>Only about this recovery point.</summary>
    public RecoveryPointId? Point { get; init; }
    /// <summary>Only from this moment on.</summary>
    public DateTimeOffset? Since { get; init; }
    /// <summary>Only before this moment.</summary>
    public DateTimeOffset? Until { get; init; }
    /// <summary>Records older than this number: the last of the page before.</summary>
    public long? Before { get; init; }
    /// <summary>1 to 200.</summary>
    public int Limit { get; init; } = 50;
    /// <summary>Whether the chain is computed for this answer; else what was found of the same head in the last minutes may do.</summary>
    public bool Anew { get; init; } = true;
}

/// <summary>A page of records, and whether the whole chain holds.</summary>
public sealed record EvidencePage
{
    /// <summary>Newest first.</summary>
    public required IReadOnlyList<EvidenceEntry> Entries { get; init; }
    /// <summary>For the next page; null where this is the last.</summary>
    public long? Next { get; init; }
    /// <summary>Whether every record's hash and link were computed anew and are right.</summary>
    public required bool ChainIsWhole { get; init; }
    /// <summary>Number of the first record that is not as it was written; null where all are.</summary>
    public long? BrokenAt { get; init; }
    /// <summary>When that was computed, by the node's clock.</summary>
    public DateTimeOffset? CheckedAt { get; init; }
    /// <summary>Number of records.</summary>
    public required long Records { get; init; }
    /// <summary>Hash of the last one: whoever keeps it elsewhere sees later that none was cut off.</summary>
    public required string Hash { get; init; }
    /// <summary>The key that signs.</summary>
    public required EvidenceKeyFacts Key { get; init; }
}

/// <summary>The installation's key for evidence.</summary>
/// <param name="Fingerprint">SHA-256 of the public key, 64 hex characters.</param>
/// <param name="PublicKeyPem">The public key, as openssl reads it.</param>
public sealed record EvidenceKeyFacts(string Fingerprint, string PublicKeyPem);

/// <summary>GET evidence/{id}.</summary>
public sealed record ShowEvidenceRequest(EvidenceId Id);

/// <summary>GET evidence/export: the chain, or the part of it between two moments, as one file.</summary>
/// <param name="Since">Only records from this moment on; null for the beginning.</param>
/// <param name="Until">Only records before this moment; null for all up to now.</param>
public sealed record ExportEvidenceRequest(DateTimeOffset? Since = null, DateTimeOffset? Until = null);

/// <summary>A record.</summary>
public sealed record EvidenceEntry
{
    /// <summary>Its number.</summary>
    public required long Seq { get; init; }
    /// <summary>Its id.</summary>
    public required EvidenceId Id { get; init; }
    /// <summary>When it was added.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>What it is about.</summary>
    public required string Kind { get; init; }
    /// <summary>Text form of the id of the thing it is about.</summary>
    public required string Subject { get; init; }
    /// <summary>The facts.</summary>
    public required EvidenceBody Body { get; init; }
    /// <summary>Its hash.</summary>
    public required string Hash { get; init; }
    /// <summary>Hash of the record before it.</summary>
    public required string Previous { get; init; }
    /// <summary>What was computed for this answer; null in lists.</summary>
    public EvidenceState? State { get; init; }
}

/// <summary>What was computed of one record, now.</summary>
/// <param name="HashFits">Its hash is that of its bytes.</param>
/// <param name="LinkFits">It goes on from the record before, and the one after goes on from it.</param>
/// <param name="SignatureFits">It is signed with the installation's key.</param>
public sealed record EvidenceState(bool HashFits, bool LinkFits, bool SignatureFits)
{
    /// <summary>All three.</summary>
    [JsonIgnore]
    public bool Holds => HashFits && LinkFits && SignatureFits;
}

/// <summary>The facts of a record. Every leaf is a text, so that its bytes are read alike by every tool: times as ISO 8601 in UTC, numbers
/// in decimal digits, seconds with at most three decimals, "yes" and "no". What does not belong to its kind is left out.</summary>
public sealed record EvidenceBody
{
    /// <summary>Of the audit log: number of its last entry at that moment.</summary>
    public string? AuditSeq { get; init; }
    /// <summary>Hash of that entry.</summary>
    public string? AuditHash { get; init; }
    /// <summary>The run.</summary>
    public string? Run { get; init; }
    /// <summary>The recovery point.</summary>
    public string? Point { get; init; }
    /// <summary>restic's snapshot id of the point.</summary>
    public string? Snapshot { get; init; }
    /// <summary>Moment of the point.</summary>
    public string? PointTakenAt { get; init; }
    /// <summary>The host that did it.</summary>
    public string? Host { get; init; }
    /// <summary>Its name then.</summary>
    public string? HostName { get; init; }
    /// <summary>Version of its agent then.</summary>
    public string? AgentVersion { get; init; }
    /// <summary>The item.</summary>
    public string? Item { get; init; }
    /// <summary>Its name then.</summary>
    public string? ItemName { get; init; }
    /// <summary>The policy.</summary>
    public string? Policy { get; init; }
    /// <summary>Its name then.</summary>
    public string? PolicyName { get; init; }
    /// <summary>Its version then.</summary>
    public string? PolicyVersion { get; init; }
    /// <summary>The repository.</summary>
    public string? Repository { get; init; }
    /// <summary>Where that lies, as restic writes it.</summary>
    public string? RepositoryUrl { get; init; }
    /// <summary>Who asked for it.</summary>
    public string? RequestedBy { get; init; }
    /// <summary>When the host took it, by the scheduler's clock.</summary>
    public string? StartedAt { get; init; }
    /// <summary>When it told the result, by the scheduler's clock.</summary>
    public string? FinishedAt { get; init; }
    /// <summary>Of a drill: "Proven", "Failed" or "Skipped".</summary>
    public string? Result { get; init; }
    /// <summary>Why, where it is not Proven.</summary>
    public string? Reason { get; init; }
    /// <summary>Of a restore: "Complete" or "Incomplete".</summary>
    public string? Outcome { get; init; }
    /// <summary>What was done, in order.</summary>
    public IReadOnlyList<EvidenceStep>? Steps { get; init; }
    /// <summary>What was looked at.</summary>
    public IReadOnlyList<EvidenceLook>? Checks { get; init; }
    /// <summary>What was not done, and why.</summary>
    public IReadOnlyList<EvidenceOmission>? NotDone { get; init; }
    /// <summary>The objective of time and what was reached: seconds of the restore.</summary>
    public EvidenceTarget? Rto { get; init; }
    /// <summary>The objective of loss and what was reached: age of the point when the drill began.</summary>
    public EvidenceTarget? Rpo { get; init; }
    /// <summary>Files whose bytes were compared with the snapshot.</summary>
    public string? FilesCompared { get; init; }
    /// <summary>Bytes compared.</summary>
    public string? BytesCompared { get; init; }
    /// <summary>Files that differ from the snapshot. Of a check: findings.</summary>
    public string? Mismatches { get; init; }
    /// <summary>Files that equal the live source as well.</summary>
    public string? LiveEqual { get; init; }
    /// <summary>Files that changed at the live source since.</summary>
    public string? LiveChanged { get; init; }
    /// <summary>Seconds that the restore took.</summary>
    public string? RestoreSeconds { get; init; }
    /// <summary>Whether the sandbox was isolated.</summary>
    public string? Isolated { get; init; }
    /// <summary>Of a restore: where it was put.</summary>
    public string? Target { get; init; }
    /// <summary>Of a restore: files written.</summary>
    public string? Files { get; init; }
    /// <summary>Bytes written. Of a check: bytes read.</summary>
    public string? Bytes { get; init; }
    /// <summary>Of a restore: entries that could not be put back.</summary>
    public string? Problems { get; init; }
    /// <summary>Of a replica: the location.</summary>
    public string? Location { get; init; }
    /// <summary>Of a replica: whether there was no repository before.</summary>
    public string? WasEmpty { get; init; }
    /// <summary>Of a replica: objects that it got. Of a check: packs looked at.</summary>
    public string? Objects { get; init; }
    /// <summary>Of a replica: damaged objects that are right again.</summary>
    public string? Healed { get; init; }
    /// <summary>Of a heal: the object.</summary>
    public string? Object { get; init; }
    /// <summary>Of a heal: the place that had it not rightly.</summary>
    public string? Place { get; init; }
    /// <summary>Of a heal: what was wrong. Of a check: the first finding.</summary>
    public string? Problem { get; init; }
    /// <summary>Of a heal: the place that had it.</summary>
    public string? From { get; init; }
    /// <summary>Of a forget: the recovery points whose snapshots were removed for good.</summary>
    public IReadOnlyList<string>? Points { get; init; }
    /// <summary>The execution.</summary>
    public string? Execution { get; init; }
    /// <summary>Of an execution: the runbook's name.</summary>
    public string? Runbook { get; init; }
    /// <summary>Its version.</summary>
    public string? RunbookVersion { get; init; }
    /// <summary>SHA-256 of that version.</summary>
    public string? RunbookHash { get; init; }
    /// <summary>Of an execution: "rehearsal", "planned", "disaster" or "failback".</summary>
    public string? Mode { get; init; }
    /// <summary>Of an execution: why it was begun.</summary>
    public string? Why { get; init; }
    /// <summary>Of an execution: who said yes to what.</summary>
    public IReadOnlyList<EvidenceApproval>? Approvals { get; init; }
    /// <summary>Of an execution: what a person answered for instead of its result.</summary>
    public IReadOnlyList<EvidenceOmission>? Deviations { get; init; }
    /// <summary>Of an execution: what could not be undone or cleaned up; none where nothing was left.</summary>
    public IReadOnlyList<EvidenceOmission>? Leftovers { get; init; }
    /// <summary>Of an execution: whether a point of no return was passed.</summary>
    public string? PastReturn { get; init; }
    /// <summary>Of an execution: the one that it was a step of.</summary>
    public string? PartOf { get; init; }
    /// <summary>Of an execution: those that were its steps, or steps of these. Each has a record of its own; what they left out or
    /// behind, and what people answered for in them, stands in this one too, behind the names of the steps.</summary>
    public IReadOnlyList<EvidencePart>? Parts { get; init; }
    /// <summary>Of an execution that was carried out from a bundle: the bundle.</summary>
    public string? Bundle { get; init; }
    /// <summary>Of one that was merged: hash of the last record of what was written down then.</summary>
    public string? BundleHash { get; init; }
    /// <summary>Fingerprint of the key that signed that.</summary>
    public string? BundleKey { get; init; }
    /// <summary>What kept a second one from being executed beside it, in words.</summary>
    public string? Guard { get; init; }
    /// <summary>Who merged it.</summary>
    public string? MergedBy { get; init; }
    /// <summary>Members that this version does not know.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Others { get; set; }
}

/// <summary>One step, by the clock of the host; of an execution by the scheduler's.</summary>
/// <param name="Name">What was done.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Result">"done" or "failed"; of an execution also "skipped", "by hand".</param>
/// <param name="Detail">More, or null.</param>
/// <param name="Attempts">Of an execution: how often something was done for it.</param>
/// <param name="OutputDigest">Of an execution: SHA-256 of what it found out.</param>
public sealed record EvidenceStep(string Name, string StartedAt, string EndedAt, string Result, string? Detail = null,
    string? Attempts = null, string? OutputDigest = null);

/// <summary>An execution that was a step of another one.</summary>
/// <param name="Step">The step, behind those above it: "site/db".</param>
/// <param name="Execution">The execution.</param>
/// <param name="Runbook">Name of its runbook.</param>
/// <param name="RunbookVersion">Its version.</param>
/// <param name="RunbookHash">SHA-256 of that version.</param>
/// <param name="Outcome">"Succeeded", "Failed", "RolledBack", "Stopped", or "not over".</param>
public sealed record EvidencePart(string Step, string Execution, string Runbook, string RunbookVersion, string RunbookHash, string Outcome);

/// <summary>People who said yes.</summary>
/// <param name="Step">The step that asked.</param>
/// <param name="By">Who.</param>
/// <param name="At">When there were enough.</param>
public sealed record EvidenceApproval(string Step, IReadOnlyList<string> By, string At);

/// <summary>One look.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="Expected">What it should be.</param>
/// <param name="Got">What it was.</param>
/// <param name="Passed">"yes" or "no".</param>
public sealed record EvidenceLook(string Name, string Expected, string Got, string Passed);

/// <summary>Something that was not done.</summary>
/// <param name="Name">What.</param>
/// <param name="Why">Why not.</param>
public sealed record EvidenceOmission(string Name, string Why);

/// <summary>An objective and what was reached.</summary>
/// <param name="TargetSeconds">The objective of the policy then.</param>
/// <param name="AchievedSeconds">What was measured.</param>
/// <param name="Met">"yes" or "no".</param>
public sealed record EvidenceTarget(string TargetSeconds, string AchievedSeconds, string Met);
