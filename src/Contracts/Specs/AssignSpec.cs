namespace BackupDr.Contracts.Specs;

/// <summary>By which rules a policy takes what agents find, beside the items that were given to it one by one. It only ever adds: what
/// stops to match stays protected until a person retires it.</summary>
public sealed record AssignSpec
{
    /// <summary>Most rules of a policy.</summary>
    public const int MostRules = 50;
    /// <summary>Bounds of <see cref="Priority"/>.</summary>
    public const int LeastPriority = -1000, HighestPriority = 1000;

    /// <summary>Each takes what it matches; none for no rule.</summary>
    public IReadOnlyList<AssignRule> Rules { get => field ?? []; init; }
    /// <summary>Whether what matches is protected at once, or listed until somebody agrees. Default Protect.</summary>
    public AssignMode Mode { get; init; }
    /// <summary>Of two policies that match the same the one with the higher number takes it. -1000 to 1000; default 0. Where it is equal,
    /// the rule with more conditions, then the older policy.</summary>
    public int Priority { get; init; }
    /// <summary>Where repositories of hosts that come are made; null for the only location, or a folder on the host.</summary>
    public LocationId? Location { get; init; }
}

/// <summary>What happens to something that a rule matches.</summary>
public enum AssignMode
{
    /// <summary>It becomes an item and is backed up at once.</summary>
    Protect,
    /// <summary>It is listed on the policy's page.</summary>
    Propose,
}

/// <summary>Which of the things that agents find: all of these kinds, on these hosts, at these paths, but for the exceptions.</summary>
public sealed record AssignRule
{
    /// <summary>Longest selector and longest pattern, characters; most patterns.</summary>
    public const int LongestSelector = 1000, LongestPattern = 500, MostPaths = 50;

    /// <summary>At least one. Files are whole file systems, each for itself; disks and images are Volume.</summary>
    public IReadOnlyList<SourceKind> Kinds { get => field ?? []; init; }
    /// <summary>Which hosts, by their labels: "site=berlin, tier!=test, role in (web, db), backup, !scratch"; all must hold. The key "host"
    /// is the host's name. Empty for every host.</summary>
    public string Hosts { get => field ?? ""; init; }
    /// <summary>Patterns of absolute paths, of which one must match: "*" within a name, "**" over folders. Empty for every path.</summary>
    public IReadOnlyList<string> Paths { get => field ?? []; init; }
    /// <summary>Hosts that are left out, as <see cref="Hosts"/>; empty for none.</summary>
    public string ExceptHosts { get => field ?? ""; init; }
    /// <summary>Paths that are left out, as <see cref="Paths"/>.</summary>
    public IReadOnlyList<string> ExceptPaths { get => field ?? []; init; }
    /// <summary>Whether only base backups are taken of a database server, without its log: then only their moments can be restored to.
    /// </summary>
    public bool BaseOnly { get; init; }
}
