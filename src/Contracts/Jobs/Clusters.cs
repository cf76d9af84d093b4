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
}

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
