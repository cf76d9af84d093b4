using System.Text.Json.Serialization;

namespace BackupDr.Contracts.Specs;

public sealed partial record StepSpec
{
    /// <summary>For <see cref="StepKind.Script"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ScriptStepSpec? Script { get; init; }
    /// <summary>For <see cref="StepKind.ServiceStart"/>, <see cref="StepKind.ServiceStop"/> and <see cref="StepKind.ServiceRestart"/>.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ServiceStepSpec? Service { get; init; }
    /// <summary>For <see cref="StepKind.DbPromote"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DatabaseStepSpec? Promote { get; init; }
    /// <summary>For <see cref="StepKind.DbAssert"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DatabaseStepSpec? Assert { get; init; }
    /// <summary>For <see cref="StepKind.DbReprotect"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ReprotectStepSpec? Reprotect { get; init; }
}

/// <summary>A program of a host's folder for runbooks. The folder is root's: a runbook names a program and brings none along.</summary>
public sealed record ScriptStepSpec
{
    /// <summary>Name of the host.</summary>
    public string Host { get; init => field = value ?? ""; } = "";
    /// <summary>The host that a rehearsal uses instead; null where rehearsals only look.</summary>
    public string? RehearsalHost { get; init; }
    /// <summary>Of a rehearsal: addresses outside of its sandbox that the program reaches all the same, "IP:port", TCP. Nothing else
    /// answers there.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? RehearsalReaches { get; init; }
    /// <summary>Of a rehearsal: what is done on a host that cannot keep the program from reaching production.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public WithoutSandbox WithoutSandbox { get; init; }
    /// <summary>Most addresses of <see cref="RehearsalReaches"/>.</summary>
    public const int MostReaches = 20;
    /// <summary>What is run.</summary>
    public ProgramSpec Run { get; init => field = value ?? new(); } = new();
    /// <summary>What undoes it; null where nothing does.</summary>
    public ProgramSpec? Undo { get; init; }
    /// <summary>What a rehearsal cleans up with; null for <see cref="Undo"/>.</summary>
    public ProgramSpec? CleanUp { get; init; }
}

/// <summary>What a rehearsal makes of a program on a host that has no sandbox for it.</summary>
public enum WithoutSandbox
{
    /// <summary>The step fails, and says what the host lacks.</summary>
    Refuse,
    /// <summary>The program is looked at, and not run.</summary>
    Simulate,
}

/// <summary>A program, what it is given, and what its content must be.</summary>
public sealed record ProgramSpec
{
    /// <summary>File name.</summary>
    public string Name { get; init => field = value ?? ""; } = "";
    /// <summary>Arguments, each handed over as it is: no shell reads them.</summary>
    public IReadOnlyList<string> Arguments { get; init => field = value ?? []; } = [];
    /// <summary>SHA-256 of its content, 64 hexadecimal digits: a program that was changed since is not run.</summary>
    public string Sha256 { get; init => field = value ?? ""; } = "";
    /// <summary>Account that it runs as; null for the agent's own.</summary>
    public string? User { get; init; }
}

/// <summary>A service of a host, which the host's own list allows runbooks to start and stop.</summary>
public sealed record ServiceStepSpec
{
    /// <summary>Name of the host.</summary>
    public string Host { get; init => field = value ?? ""; } = "";
    /// <summary>The host that a rehearsal uses instead; null where rehearsals only look.</summary>
    public string? RehearsalHost { get; init; }
    /// <summary>The systemd unit, with its ending: "shop.service".</summary>
    public string Unit { get; init => field = value ?? ""; } = "";
}

/// <summary>A PostgreSQL server that is promoted or asked, by the agent of a host, which the host's own list allows runbooks to touch.
/// </summary>
public sealed record DatabaseStepSpec
{
    /// <summary>Name of the host whose agent does it.</summary>
    public string Host { get; init => field = value ?? ""; } = "";
    /// <summary>The server as that host reaches it, and the role; its log counts for nothing here.</summary>
    public PostgreSqlSpec Cluster { get; init => field = value ?? new(); } = new();
    /// <summary>The host that a rehearsal uses instead; null where rehearsals only look.</summary>
    public string? RehearsalHost { get; init; }
    /// <summary>The server that a rehearsal uses instead; null for the same address on its host.</summary>
    public PostgreSqlSpec? RehearsalCluster { get; init; }
    /// <summary>Of an assertion: a query whose first value must be true, or, with <see cref="MaxAge"/>, a time. Its role may not be a
    /// superuser.</summary>
    public string? Query { get; init; }
    /// <summary>Of an assertion: how long ago the time may be that the query gives; what is found is the achieved loss of data.</summary>
    public TimeSpan? MaxAge { get; init; }
    /// <summary>Of a promotion: it is refused unless the standby has all that the primary had, which must have been stopped in order.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsLossless { get; init; }
    /// <summary>Of a promotion: the server whose place it takes. While both take writes, that is told as a split brain.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public OldPrimarySpec? Instead { get; init; }
}

/// <summary>A PostgreSQL server that must take no writes once another one took its place.</summary>
public sealed record OldPrimarySpec
{
    /// <summary>Name of its host, whose own list allows runbooks to look at it.</summary>
    public string Host { get; init => field = value ?? ""; } = "";
    /// <summary>The server as that host reaches it, and the role; null for the same address and role as the one that is promoted.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PostgreSqlSpec? Cluster { get; init; }
}

/// <summary>How a server that was a primary becomes a standby.</summary>
public enum ReprotectWay
{
    /// <summary>With pg_rewind: what parted since is put back, and the rest stays.</summary>
    Rewind,
    /// <summary>With a new copy of all; the folder of before is put aside.</summary>
    Copy,
}

/// <summary>A PostgreSQL server that was a primary, and becomes a standby of the one that took over. The host's own list names its data
/// folder and its service: a runbook brings neither along.</summary>
public sealed record ReprotectStepSpec
{
    /// <summary>Name of the host whose agent does it: the old primary's.</summary>
    public string Host { get; init => field = value ?? ""; } = "";
    /// <summary>The server as that host reaches it when it runs, and the role; its log counts for nothing here.</summary>
    public PostgreSqlSpec Cluster { get; init => field = value ?? new(); } = new();
    /// <summary>The primary of now as that host reaches it, and the role to follow it with.</summary>
    public PostgreSqlSpec From { get; init => field = value ?? new(); } = new();
    /// <summary>How.</summary>
    public ReprotectWay Way { get; init; }
    /// <summary>Whether transactions that only the old primary has are given up: somebody looked at them. Else they are a failure.
    /// </summary>
    public bool IsLossSeen { get; init; }
}

/// <summary>A host of the site that serves now, on the way back from it.</summary>
public sealed record FailbackHost
{
    /// <summary>Its name, as the runbook says it.</summary>
    public required string At { get; init; }
    /// <summary>Name of the host that takes over from it again.</summary>
    public required string To { get; init; }
    /// <summary>Its database server as that host reaches it, and the role to follow it with; null where the runbook promoted none here.
    /// </summary>
    public PostgreSqlSpec? From { get; init; }
    /// <summary>Service of its database server; null for none: then a person is asked to stop it.</summary>
    public string? Unit { get; init; }
    /// <summary>The database server of that host as it reaches it itself; null for the same address as here. Role, database and password
    /// file are the runbook's.</summary>
    public PostgreSqlSpec? Cluster { get; init; }
    /// <summary>That server as this host reaches it, and the role to follow it with afterwards; null where nothing follows.</summary>
    public PostgreSqlSpec? Back { get; init; }
}
