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
}

/// <summary>A program of a host's folder for runbooks. The folder is root's: a runbook names a program and brings none along.</summary>
public sealed record ScriptStepSpec
{
    /// <summary>Name of the host.</summary>
    public string Host { get; init => field = value ?? ""; } = "";
    /// <summary>The host that a rehearsal uses instead; null where rehearsals only look.</summary>
    public string? RehearsalHost { get; init; }
    /// <summary>What is run.</summary>
    public ProgramSpec Run { get; init => field = value ?? new(); } = new();
    /// <summary>What undoes it; null where nothing does.</summary>
    public ProgramSpec? Undo { get; init; }
    /// <summary>What a rehearsal cleans up with; null for <see cref="Undo"/>.</summary>
    public ProgramSpec? CleanUp { get; init; }
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
}
