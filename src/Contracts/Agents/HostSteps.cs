using System.Text.Json.Serialization;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Agents;

/// <summary>A step of a runbook that a host carries out. Asking again with the same key begins nothing new: it tells how far that is.
/// </summary>
public sealed record HostStep
{
    /// <summary>Longest key, characters.</summary>
    public const int LongestKey = 200;
    /// <summary>Most arguments of a script, and the most characters of one.</summary>
    public const int MostArguments = 100, LongestArgument = 4_000;

    /// <summary>Names the activity: execution, step and attempt. Printable ASCII.</summary>
    public required string Key { get; init; }
    /// <summary>What is wanted of it.</summary>
    public HostStepWish Wish { get; init; }
    /// <summary>How long it may take from its begin on.</summary>
    public TimeSpan Timeout { get; init; }
    /// <summary>The program to run; null where it is another kind.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HostScript? Script { get; init; }
    /// <summary>The service; null where it is another kind.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HostUnit? Service { get; init; }
    /// <summary>The database server; null where it is another kind.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HostDatabase? Database { get; init; }
    /// <summary>The server that becomes a standby; null where it is another kind.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HostStandby? Standby { get; init; }
    /// <summary>What a rehearsal does in its sandbox; null where it is another kind. An agent that does not know it refuses the step, since
    /// it sees no kind at all.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HostSandbox? Sandbox { get; init; }
}

/// <summary>A program that a rehearsal runs where nothing of production can be reached, or the end of that.</summary>
/// <param name="Name">Names the sandbox: all steps of one rehearsal on a host share one. Printable ASCII.</param>
/// <param name="Step">Names the step: the sandbox is gone when all steps that used it ended their use.</param>
/// <param name="Script">The program; null for none, where only the use ends.</param>
/// <param name="Reaches">Addresses that it reaches all the same, "IP:port"; null for none.</param>
/// <param name="LooksInstead">Whether the program is only looked at where this host has no sandbox; else that is a failure.</param>
/// <param name="Ends">Whether the step's use of the sandbox ends when the program has ended.</param>
public sealed record HostSandbox(string Name, string Step, HostScript? Script, IReadOnlyList<string>? Reaches = null,
    bool LooksInstead = false, bool Ends = false);

/// <summary>What a node wants of a step.</summary>
public enum HostStepWish
{
    /// <summary>That it is begun, or how far it is.</summary>
    Run,
    /// <summary>That what would be done is looked at, and nothing is done.</summary>
    Look,
    /// <summary>That it ends, where it has not.</summary>
    Cancel,
}

/// <summary>A program of the host's folder for runbooks.</summary>
/// <param name="Name">File name.</param>
/// <param name="Arguments">Arguments, each handed over as it is: no shell reads them.</param>
/// <param name="Sha256">What its content must be, 64 hexadecimal digits.</param>
/// <param name="User">Account that it runs as; null for the agent's own.</param>
public sealed record HostScript(string Name, IReadOnlyList<string> Arguments, string Sha256, string? User = null)
{
    /// <summary>Whether they can be handed to a program: not too many, not too long, without NUL.</summary>
    public bool AreArguments() => Arguments.Count <= HostStep.MostArguments
        && Arguments.All(one => one.Length <= HostStep.LongestArgument && !one.Contains('\0'));
}

/// <summary>A service of the host.</summary>
/// <param name="Unit">Name of the systemd unit.</param>
/// <param name="Verb">What is done to it.</param>
public sealed record HostUnit(string Unit, ServiceVerb Verb)
{
    /// <summary>Whether it is the name of a service and nothing else.</summary>
    public bool IsUnit() => Unit.Length <= 255 && Unit.EndsWith(".service", StringComparison.Ordinal) && Unit[0] != '-'
        && Unit.All(one => char.IsAsciiLetterOrDigit(one) || one is '.' or '_' or '-' or '@' or ':' or '\\');
}

/// <summary>What is done to a service.</summary>
public enum ServiceVerb
{
    /// <summary>It is started, and must be active then.</summary>
    Start,
    /// <summary>It is stopped, and must not be active then.</summary>
    Stop,
    /// <summary>It is stopped and started, and must be active then.</summary>
    Restart,
}

/// <summary>A PostgreSQL server that the host reaches.</summary>
/// <param name="Cluster">Where it is, and the role; what is said about its log counts for nothing here.</param>
/// <param name="Verb">What is wanted of it.</param>
/// <param name="Query">What is asked; null for nothing.</param>
/// <param name="MaxAge">How old the time that the query gives may be; null where it must give true.</param>
/// <param name="IsLossless">Of a promotion: whether the standby must have all that the primary had.</param>
public sealed record HostDatabase(PostgreSqlSpec Cluster, DatabaseVerb Verb, string? Query = null, TimeSpan? MaxAge = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool IsLossless = false)
{
    /// <summary>Longest query, characters.</summary>
    public const int LongestQuery = 10_000;
}

/// <summary>A PostgreSQL server of the host that was a primary and becomes a standby. The host's list names its folder and service.
/// </summary>
/// <param name="Cluster">Where it is when it runs, and the role.</param>
/// <param name="From">The primary of now, and the role to follow it with.</param>
/// <param name="Way">How.</param>
/// <param name="IsLossSeen">Whether what only this server has is given up.</param>
public sealed record HostStandby(PostgreSqlSpec Cluster, PostgreSqlSpec From, ReprotectWay Way, bool IsLossSeen);

/// <summary>What is wanted of a database server.</summary>
public enum DatabaseVerb
{
    /// <summary>A standby becomes the primary.</summary>
    Promote,
    /// <summary>A query is answered as it should be.</summary>
    Ask,
}

/// <summary>Where a step on a host is.</summary>
public enum HostStepState
{
    /// <summary>It is at work.</summary>
    Running,
    /// <summary>It was done.</summary>
    Done,
    /// <summary>It was not done.</summary>
    Failed,
    /// <summary>It was begun, and nobody knows how it ended.</summary>
    Unknown,
}

/// <summary>What a host tells of a step.</summary>
public sealed record HostStepReport
{
    /// <summary>Where it is.</summary>
    public required HostStepState State { get; init; }
    /// <summary>What was done or seen, or what failed and what to do about it.</summary>
    public required string Text { get; init; }
    /// <summary>Exit code of the program; null where none ended.</summary>
    public int? ExitCode { get; init; }
    /// <summary>Last lines that it wrote, at most 100.</summary>
    public IReadOnlyList<string> Lines { get; init => field = value ?? []; } = [];
    /// <summary>Whether the service was active before; null for a script, and where that was not seen.</summary>
    public bool? WasActive { get; init; }
    /// <summary>What was found out besides, by short names.</summary>
    public IReadOnlyDictionary<string, string> Facts { get; init => field = value ?? Nothing; } = Nothing;

    static readonly Dictionary<string, string> Nothing = [];
}
