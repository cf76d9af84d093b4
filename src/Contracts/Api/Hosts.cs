using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Api;

/// <summary>Whether a host is there.</summary>
public enum HostState
{
    /// <summary>Its agent polled within two heartbeats.</summary>
    Online,
    /// <summary>Its agent has been silent for longer.</summary>
    Silent,
    /// <summary>Taken out of service; its data stays.</summary>
    Retired,
    /// <summary>Joined with a token whose hosts are approved first: it gets no work and no secret until somebody does.</summary>
    Waiting,
}

/// <summary>GET hosts.</summary>
public sealed record ListHostsRequest;

/// <summary>GET hosts/{id}.</summary>
public sealed record ShowHostRequest(HostId Id);

/// <summary>A host and its agent.</summary>
public sealed record Host
{
    /// <summary>Its id.</summary>
    public required HostId Id { get; init; }
    /// <summary>The machine's name.</summary>
    public required string Name { get; init; }
    /// <summary>Whether it is there.</summary>
    public required HostState State { get; init; }
    /// <summary>Operating system.</summary>
    public string OperatingSystem { get; init; } = "";
    /// <summary>The agent program's version.</summary>
    public string AgentVersion { get; init; } = "";
    /// <summary>Whether it does repository work for others.</summary>
    public bool IsMover { get; init; }
    /// <summary>When it joined.</summary>
    public required DateTimeOffset JoinedAt { get; init; }
    /// <summary>When another machine last took its place; null for the first.</summary>
    public DateTimeOffset? ReplacedAt { get; init; }
    /// <summary>When its agent last spoke.</summary>
    public DateTimeOffset? LastSeenAt { get; init; }
    /// <summary>When its certificate ends.</summary>
    public DateTimeOffset? CertificateExpiresAt { get; init; }
    /// <summary>Labels, by which rules of policies choose it; null for none.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
    /// <summary>Items protected on it.</summary>
    public int Items { get; init; }
    /// <summary>How many backups may be under way on it at once; null for 2.</summary>
    public int? BackupsAtOnce { get; init; }
    /// <summary>Load average over one minute, as last told.</summary>
    public double Load { get; init; }
    /// <summary>What the agent found.</summary>
    public InventoryRequest? Inventory { get; init; }
    /// <summary>What it may do and did while no node was reachable; null where its agent never asked.</summary>
    public HostAlone? Alone { get; init; }
}

/// <summary>What a host may do, and did, while no node was reachable.</summary>
public sealed record HostAlone
{
    /// <summary>Items that it may back up by itself.</summary>
    public required int Items { get; init; }
    /// <summary>What it may not, and why, a sentence each.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];
    /// <summary>When it last asked.</summary>
    public required DateTimeOffset AskedAt { get; init; }
    /// <summary>Until when it would work by itself if no node answered from now on.</summary>
    public required DateTimeOffset Until { get; init; }
    /// <summary>Since when no node had answered, the last time that it worked by itself; null for never.</summary>
    public DateTimeOffset? Since { get; init; }
    /// <summary>Backups that it made then.</summary>
    public int Runs { get; init; }
    /// <summary>Those of them that failed.</summary>
    public int Failed { get; init; }
    /// <summary>When the last of them ended.</summary>
    public DateTimeOffset? LastEndedAt { get; init; }
}

/// <summary>POST join-tokens: a token that lets hosts join.</summary>
/// <param name="AgentsUrl">URL of the agents' listener as the new host reaches it; null for the configured one.</param>
/// <param name="Replaces">A host that is silent or out of service: the machine that joins takes its place. Null for a new host.</param>
/// <param name="Uses">How many hosts may join with it, 1 to 10,000; null for one.</param>
/// <param name="Hours">For how many hours, 1 to 720; null for one.</param>
/// <param name="NeedsApproval">Whether each host that joins with it waits until somebody approves it.</param>
public sealed record CreateJoinTokenRequest(string? AgentsUrl = null, HostId? Replaces = null, int? Uses = null, int? Hours = null,
    bool NeedsApproval = false)
{
    /// <summary>Most hosts that one token lets in.</summary>
    public const int MostUses = 10_000;
    /// <summary>Most hours that one works: 30 days.</summary>
    public const int MostHours = 720;
}

/// <summary>A join token, shown once.</summary>
/// <param name="Id">Names the token for looking at its progress.</param>
/// <param name="Token">The token: "bdr1_" and letters; carries the CA's fingerprint.</param>
/// <param name="Command">The line to run on the new host, as root.</param>
/// <param name="ExpiresAt">When it stops working.</param>
/// <param name="AgentsUrl">Where the agent will connect to.</param>
/// <param name="Uses">How many hosts may join with it.</param>
/// <param name="NeedsApproval">Whether each of them waits for approval.</param>
public sealed record JoinToken(JoinTokenId Id, string Token, string Command, DateTimeOffset ExpiresAt, string AgentsUrl, int Uses = 1,
    bool NeedsApproval = false)
{
    /// <summary>Shows no token.</summary>
    public override string ToString() => $"{Id} for {AgentsUrl}";
}

/// <summary>GET join-tokens/{id}: how far the new host has come.</summary>
public sealed record ShowJoinTokenRequest(JoinTokenId Id);

/// <summary>The steps of a join as they happened; null has not happened yet.</summary>
public sealed record JoinProgress
{
    /// <summary>The token.</summary>
    public required JoinTokenId Id { get; init; }
    /// <summary>When it stops working.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
    /// <summary>The install script was fetched with this token.</summary>
    public DateTimeOffset? ScriptFetchedAt { get; init; }
    /// <summary>The agent archive was fetched.</summary>
    public DateTimeOffset? ArchiveFetchedAt { get; init; }
    /// <summary>The token was accepted and a certificate issued.</summary>
    public DateTimeOffset? JoinedAt { get; init; }
    /// <summary>The agent's first poll.</summary>
    public DateTimeOffset? FirstSeenAt { get; init; }
    /// <summary>The host that joined; the last one of several.</summary>
    public Host? Host { get; init; }
    /// <summary>How many hosts may join with the token.</summary>
    public int Uses { get; init; } = 1;
    /// <summary>How many did.</summary>
    public int Used { get; init; }
    /// <summary>Those that joined with a token of several uses, the first 100 by name; null for a token of one.</summary>
    public IReadOnlyList<Host>? Hosts { get; init; }
    /// <summary>The host whose place it takes.</summary>
    public HostId? Replaces { get; init; }
    /// <summary>The token ended without a host.</summary>
    public bool IsExpired { get; init; }
}

/// <summary>POST hosts/{id}/browse: what lies in a folder of a live host, asked of its agent (15 s).</summary>
public sealed record BrowseHostRequest(HostId Host, FilePath Path);

/// <summary>POST hosts/{id}/retire: its agent is refused from now on; recovery points stay.</summary>
public sealed record RetireHostRequest(HostId Id);

/// <summary>POST hosts/{id}/approve: a host that waits gets work from now on.</summary>
public sealed record ApproveHostRequest(HostId Id);

/// <summary>POST hosts/{id}/refuse: a host that waits is taken out of service; its agent is refused from now on.</summary>
public sealed record RefuseHostRequest(HostId Id);

/// <summary>Body of the browse routes: which folder.</summary>
public sealed record FolderPath(FilePath Path);

/// <summary>POST hosts/{id}/check-source: whether a source can be backed up, asked of the host's agent (15 s).</summary>
public sealed record CheckSourceRequest(HostId Id, SourceSpec Source);

/// <summary>What stands in the way, or is worth a remark; empty where all is well.</summary>
public sealed record SourceCheck(IReadOnlyList<SourceFinding> Findings);

/// <summary>How far policies protect something that an agent found.</summary>
public enum Coverage
{
    /// <summary>Not at all.</summary>
    None,
    /// <summary>In part, or in a manner that does not fit it.</summary>
    Partly,
    /// <summary>Wholly.</summary>
    Whole,
}

/// <summary>GET unprotected: what agents found that no policy protects wholly; hidden ones too, marked.</summary>
public sealed record ListUnprotectedRequest;

/// <summary>Something that was found on a host and is not protected.</summary>
public sealed record Unprotected
{
    /// <summary>The host.</summary>
    public required HostId Host { get; init; }
    /// <summary>Its name.</summary>
    public required string HostName { get; init; }
    /// <summary>What was found.</summary>
    public required SourceFound Found { get; init; }
    /// <summary>None or Partly.</summary>
    public required Coverage Coverage { get; init; }
    /// <summary>What is missing, in words.</summary>
    public required string Reason { get; init; }
    /// <summary>When it was found first.</summary>
    public required DateTimeOffset FirstSeenAt { get; init; }
    /// <summary>When it was found last.</summary>
    public required DateTimeOffset LastSeenAt { get; init; }
    /// <summary>The kind of source by which a policy protects it; null where no policy can.</summary>
    public Specs.SourceKind? ProtectAs { get; init; }
    /// <summary>When somebody hid it; null where nobody did.</summary>
    public DateTimeOffset? HiddenAt { get; init; }
    /// <summary>Who.</summary>
    public string? HiddenBy { get; init; }
    /// <summary>Why.</summary>
    public string? HideReason { get; init; }
    /// <summary>Whether it is a copy that a restore put beside the original: hidden by itself, and can be protected like the rest.
    /// </summary>
    public bool IsRestoredCopy { get; init; }
}

/// <summary>POST hosts/{id}/found/hide: nobody is reminded of it any longer. The reason is 3 to 500 characters.</summary>
public sealed record HideFoundRequest(HostId Host, FoundKind Kind, FilePath Path, string Reason);

/// <summary>POST hosts/{id}/found/show: it is listed again.</summary>
public sealed record ShowFoundRequest(HostId Host, FoundKind Kind, FilePath Path);

/// <summary>GET hosts/{id}/restore-plan: what would bring back all that a host had.</summary>
public sealed record PlanHostRestoreRequest(HostId Id);

/// <summary>One item of a host that is to be brought back.</summary>
/// <param name="Item">The item.</param>
/// <param name="Point">Its newest proven point, else the newest complete one, else the newest; of a host that was replaced only of those
/// that the former machine took. Null where there is none.</param>
/// <param name="Target">Where it has to go so that everything is where it was.</param>
/// <param name="Paths">What of the point goes there; empty for all.</param>
/// <param name="IsRepositoryLost">Its only repository is a folder of the machine that was replaced.</param>
public sealed record HostRestorePart(Item Item, RecoveryPoint? Point, FilePath Target, IReadOnlyList<FilePath> Paths,
    bool IsRepositoryLost);
