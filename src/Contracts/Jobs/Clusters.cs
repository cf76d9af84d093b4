using System.Text.Json.Serialization;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Jobs;

/// <summary>A base backup of a PostgreSQL cluster, as far as a person who restores it has to know it. Positions as the server writes them:
/// "0/4140DE0".</summary>
public sealed record ClusterPoint
{
    /// <summary>The number that initdb gave the cluster.</summary>
    public required string SystemIdentifier { get; init; }
    /// <summary>In the server's counting, for example 150020.</summary>
    public required int ServerVersion { get; init; }
    /// <summary>Timeline at the start.</summary>
    public required uint Timeline { get; init; }
    /// <summary>Where recovery begins to read the log.</summary>
    public required string StartLsn { get; init; }
    /// <summary>Where a recovery is consistent at the earliest.</summary>
    public required string StopLsn { get; init; }
    /// <summary>The server's clock before the backup.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>The server's clock after it: the moment that the point holds.</summary>
    public required DateTimeOffset StoppedAt { get; init; }
    /// <summary>Where the cluster lay.</summary>
    public required FilePath DataFolder { get; init; }
    /// <summary>Whether its pages have checksums, which then were compared.</summary>
    public bool HasChecksums { get; init; }
    /// <summary>Whether it was taken from a standby.</summary>
    public bool FromStandby { get; init; }
    /// <summary>Pages that are broken in the cluster itself.</summary>
    public int BrokenPages { get; init; }
    /// <summary>Its databases, at most 1,000.</summary>
    public IReadOnlyList<DatabaseFound> Databases { get; init; } = [];
    /// <summary>Folders of its tablespaces beside the default ones.</summary>
    public IReadOnlyList<FilePath> Tablespaces { get; init; } = [];
}

/// <summary>A database of a cluster or server.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Relations">Rows of its pg_class; of MariaDB its InnoDB tables.</param>
public sealed record DatabaseFound(string Name, long Relations);

/// <summary>A table of a database server.</summary>
/// <param name="Database">Its database.</param>
/// <param name="Name">Its name; of PostgreSQL with its schema.</param>
public sealed record DatabaseTable(string Database, string Name)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Database}.{Name}";
}

/// <summary>What of a cluster is restored, beside where to: a part of <see cref="RestoreJob"/>.</summary>
public sealed record ClusterRestoreJob
{
    /// <summary>Which cluster of the repository.</summary>
    public required string SystemIdentifier { get; init; }
    /// <summary>The moment; null for the end of the base backup that the job names. For any other one base and log are chosen by the
    /// agent.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Moment? Moment { get; init; }
    /// <summary>Whether a server is started in it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Starts { get; init; }
    /// <summary>Whether it takes the place of the stopped cluster in the target, which is kept beside it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool InPlace { get; init; }
    /// <summary>Whether it is only looked into: it is put up where nobody can reach it, its tables are told with their rows, and it is
    /// removed. Nothing is written to the target.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool OnlyLooks { get; init; }
    /// <summary>What is taken out of it; null for all of it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ClusterPart? Part { get; init; }
    /// <summary>Set for a look or a part: where it is put up, and the running server that a part is loaded into.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PostgreSqlSpec? Source { get; init; }
}

/// <summary>Tables of one database, or all of it, as they were at a moment.</summary>
public sealed record ClusterPart
{
    /// <summary>The database.</summary>
    public required string Database { get; init; }
    /// <summary>Its tables, each with its partitions, at most 100; none for the whole database.</summary>
    public IReadOnlyList<TableId> Tables { get; init; } = [];
    /// <summary>Where to in the running server, beside what is there: a schema of the database for tables, a database that does not exist
    /// for a database. Null for a file, which then is the target.</summary>
    public string? Into { get; init; }
    /// <summary>Whether the file holds statements for psql, and not what pg_restore reads.</summary>
    public bool IsPlain { get; init; }
}

/// <summary>A table of a database.</summary>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
public sealed record TableId(string Schema, string Name);

/// <summary>What was seen in a cluster as it was at a moment.</summary>
public sealed record ClusterLook
{
    /// <summary>The moment, in words.</summary>
    public required string Moment { get; init; }
    /// <summary>The base backup that was chosen: restic's snapshot id.</summary>
    public required string BaseSnapshot { get; init; }
    /// <summary>Segments of the log behind it.</summary>
    public int Segments { get; init; }
    /// <summary>Where recovery stopped, in the server's words.</summary>
    public required string Reached { get; init; }
    /// <summary>Its tables by database, schema and name; at most 5,000.</summary>
    public IReadOnlyList<TableSeen> Tables { get; init; } = [];
    /// <summary>How many there are.</summary>
    public int TableCount { get; init; }
}

/// <summary>A table as it was at a moment.</summary>
/// <param name="Database">Its database.</param>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
/// <param name="Kind">"table", "partitioned table" or "materialized view".</param>
/// <param name="Rows">Rows, counted; null where there was no time for it.</param>
/// <param name="Bytes">With indexes and large values.</param>
public sealed record TableSeen(string Database, string Schema, string Name, string Kind, long? Rows, long Bytes);

/// <summary>What was taken out of a cluster as it was at a moment.</summary>
public sealed record TakenPart
{
    /// <summary>The moment, in words.</summary>
    public required string Moment { get; init; }
    /// <summary>The base backup that was chosen: restic's snapshot id.</summary>
    public required string BaseSnapshot { get; init; }
    /// <summary>The database.</summary>
    public required string Database { get; init; }
    /// <summary>Where to in the running server; null where it was a file.</summary>
    public string? Into { get; init; }
    /// <summary>The tables; at most 5,000.</summary>
    public IReadOnlyList<TableTaken> Tables { get; init; } = [];
    /// <summary>What a person should know.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];
}

/// <summary>A table that was taken out.</summary>
/// <param name="Schema">Its schema at the moment.</param>
/// <param name="Name">Its name.</param>
/// <param name="Rows">Its rows, counted; equal where it was loaded.</param>
/// <param name="Indexes">Its indexes, those of keys among them; equal where it was loaded.</param>
/// <param name="LoadedAs">What it is called where it was loaded; null in a file.</param>
public sealed record TableTaken(string Schema, string Name, long Rows, int Indexes, string? LoadedAs = null);

/// <summary>A restored cluster.</summary>
public sealed record RestoredCluster
{
    /// <summary>In the server's counting.</summary>
    public required int ServerVersion { get; init; }
    /// <summary>The moment that the server recovers to when it is started, in words.</summary>
    public required string Moment { get; init; }
    /// <summary>Segments of the log that lie beside it.</summary>
    public int Segments { get; init; }
    /// <summary>Folder of its socket.</summary>
    public required string SocketFolder { get; init; }
    /// <summary>Port, which only names the socket: a copy listens to no network.</summary>
    public required int Port { get; init; }
    /// <summary>The line that starts it, for a shell of root or of the server's user.</summary>
    public required string StartCommand { get; init; }
    /// <summary>The base backup that was chosen: restic's snapshot id.</summary>
    public string BaseSnapshot { get; init; } = "";
    /// <summary>Whether a server was started in it and has ended its recovery.</summary>
    public bool IsRunning { get; init; }
    /// <summary>Where its recovery ended; null where none was seen.</summary>
    public string? ReachedLsn { get; init; }
    /// <summary>When the last transaction of its recovery was committed; null where there was none.</summary>
    public DateTimeOffset? ReachedAt { get; init; }
    /// <summary>Seconds from the start of the server to the end of its recovery.</summary>
    public double RecoverySeconds { get; init; }
    /// <summary>The folder that holds what was in its place before; null where nothing was.</summary>
    public FilePath? KeptFolder { get; init; }
}
