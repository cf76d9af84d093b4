namespace BackupDr.Sources;

/// <summary>Something that a look at a database found, before a backup or after a restore.</summary>
/// <param name="Code">Stable word, for example "wal_level".</param>
/// <param name="Message">What is so, in a sentence.</param>
/// <param name="Remedy">The statement or setting that mends it; null where nothing has to be.</param>
/// <param name="Severity">How bad it is.</param>
public sealed record Finding(string Code, string Message, string? Remedy = null, FindingSeverity Severity = FindingSeverity.Blocking);

/// <summary>How bad a finding is.</summary>
public enum FindingSeverity
{
    /// <summary>Good to know.</summary>
    Note,
    /// <summary>It works, but less than it could.</summary>
    Warning,
    /// <summary>It does not work before this is mended.</summary>
    Blocking,
}

/// <summary>A database server or file on this host that could be protected.</summary>
/// <param name="Engine">"postgresql", "mariadb" or "sqlite".</param>
/// <param name="Name">For a person: folder, port or file.</param>
/// <param name="DataPath">Where its data lie.</param>
/// <param name="Version">As the engine writes it; "" where unknown.</param>
/// <param name="Endpoint">Socket folder or address, "" where none is known.</param>
/// <param name="Port">Port; 0 where it has none.</param>
/// <param name="IsRunning">Whether it runs now.</param>
public sealed record FoundDatabase(string Engine, string Name, string DataPath, string Version, string Endpoint, int Port, bool IsRunning);

/// <summary>What a test restore showed.</summary>
/// <param name="Checks">Each check, with its outcome in words.</param>
/// <param name="RestoreTime">From the first byte read to a folder that a server can start in.</param>
/// <param name="StartTime">From the start of the server to the first query that may write.</param>
/// <param name="CheckTime">What the checks took.</param>
public sealed record ProofReport(IReadOnlyList<ProofCheck> Checks, TimeSpan RestoreTime, TimeSpan StartTime, TimeSpan CheckTime)
{
    /// <summary>Whether every check passed.</summary>
    public bool IsProven => Checks.Count > 0 && Checks.All(check => check.Passed);

    /// <summary>Whether the started copy could reach no network and none of the host's sockets.</summary>
    public bool IsIsolated { get; init; }
}

/// <summary>A further look at a restored copy, while its server runs.</summary>
/// <param name="variables">Where the copy is: its folder in <see cref="Tools.Isolation.Copy"/>, and what its server's clients read.
/// </param>
/// <param name="user">Whom the copy belongs to; null for ourselves.</param>
/// <param name="ct">Cancels.</param>
public delegate Task<ProofCheck> CopyLook(IReadOnlyDictionary<string, string> variables, (uint Uid, uint Gid)? user, CancellationToken ct);

/// <summary>One check of a test restore.</summary>
/// <param name="Name">What was checked.</param>
/// <param name="Passed">Whether it holds.</param>
/// <param name="Detail">What was found.</param>
public sealed record ProofCheck(string Name, bool Passed, string Detail);
