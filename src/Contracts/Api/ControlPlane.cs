namespace BackupDr.Contracts.Api;

/// <summary>GET control-plane: where the state of the control plane itself is kept besides its database.</summary>
public sealed record ShowControlPlaneRequest;

/// <summary>POST control-plane/export: writes an export now.</summary>
public sealed record ExportControlPlaneRequest;

/// <summary>The control plane, and what it can be rebuilt from.</summary>
public sealed record ControlPlaneState
{
    /// <summary>Names the installation in every location.</summary>
    public required Guid Installation { get; init; }
    /// <summary>Raised by each rebuild: a control plane of a lower term is an old one.</summary>
    public required long Term { get; init; }
    /// <summary>The later control plane, where one has begun: this one then changes nothing any more. Null for none.</summary>
    public LaterControlPlane? Later { get; init; }
    /// <summary>Number of the newest entry; 0 for none.</summary>
    public required long Entry { get; init; }
    /// <summary>When that was written; null for never.</summary>
    public DateTimeOffset? ExportedAt { get; init; }
    /// <summary>When the next one is due.</summary>
    public DateTimeOffset? DueAt { get; init; }
    /// <summary>Fingerprint of the key that signs them.</summary>
    public required string SignedBy { get; init; }
    /// <summary>The places to which it is exported, and locations to which it is not.</summary>
    public required IReadOnlyList<ControlPlanePlace> Places { get; init; }
}

/// <summary>A later control plane of the same installation.</summary>
/// <param name="Term">Its term.</param>
/// <param name="SeenIn">Where that was seen, for example "the location Far".</param>
/// <param name="SeenAt">When it was seen first.</param>
public sealed record LaterControlPlane(long Term, string SeenIn, DateTimeOffset SeenAt);

/// <summary>One place for exports.</summary>
public sealed record ControlPlanePlace
{
    /// <summary>The location; null for the nodes' folder of the setting ControlPlane:ExportFolder.</summary>
    public LocationId? Location { get; init; }
    /// <summary>What people call it.</summary>
    public required string Name { get; init; }
    /// <summary>What is given to <c>backupdr rebuild --from</c>.</summary>
    public required string Address { get; init; }
    /// <summary>Whether nodes write to it; a folder of a protected host is written by that host's agent alone.</summary>
    public required bool IsExported { get; init; }
    /// <summary>When it was last known to hold the newest entry; null for never.</summary>
    public DateTimeOffset? ExportedAt { get; init; }
    /// <summary>Why it could not be written; null while all is well.</summary>
    public string? Problem { get; init; }
}
