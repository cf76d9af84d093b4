using System.Text.Json.Serialization;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Jobs;

/// <summary>A base backup of a MariaDB server, as far as a person who restores it has to know it.</summary>
public sealed record MariaDbPoint
{
    /// <summary>Names the server in its repository: "db1:3306".</summary>
    public required string Server { get; init; }
    /// <summary>As the server writes it: "10.11.19-MariaDB-log".</summary>
    public required string ServerVersion { get; init; }
    /// <summary>Where its data lay.</summary>
    public required FilePath DataFolder { get; init; }
    /// <summary>The server's clock before the backup.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>The server's clock after it: the moment that the point holds.</summary>
    public required DateTimeOffset StoppedAt { get; init; }
    /// <summary>Where its binary log goes on from there, as a <see cref="Agents.LogReport"/> writes it: "bin.000017.1763782343:4711". Null
    /// where the server keeps none, or its file could not be read.</summary>
    public string? Position { get; init; }
    /// <summary>The last transactions in it, one of each domain: "0-1-9"; "" for none.</summary>
    public string Gtid { get; init; } = "";
    /// <summary>Its databases with the InnoDB tables in them, at most 1,000; the server's own are left out.</summary>
    public IReadOnlyList<DatabaseFound> Databases { get; init; } = [];
}

/// <summary>What of a MariaDB server is restored, beside where to: a part of <see cref="RestoreJob"/>.</summary>
public sealed record MariaDbRestoreJob
{
    /// <summary>Which server of the repository.</summary>
    public required string Server { get; init; }
    /// <summary>The moment; null for the end of the base backup that the job names. For any other one base and log are chosen by the
    /// agent.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Moment? Moment { get; init; }
    /// <summary>Whether a server is started in it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Starts { get; init; }
    /// <summary>Whether it takes the place of the stopped server's data folder in the target, which is kept beside it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool InPlace { get; init; }
    /// <summary>The only table that is wanted: a file of statements that bring it back becomes the target then. Null for the whole
    /// server.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DatabaseTable? Table { get; init; }
    /// <summary>Absolute path of the folder in which the server of a table is restored meanwhile; null for /var/tmp.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public FilePath? Scratch { get; init; }
}

/// <summary>A restored MariaDB server.</summary>
public sealed record RestoredMariaDb
{
    /// <summary>As the server wrote it.</summary>
    public required string ServerVersion { get; init; }
    /// <summary>The moment that was asked for, in words.</summary>
    public required string Moment { get; init; }
    /// <summary>Transactions of the binary log that were replayed.</summary>
    public long Transactions { get; init; }
    /// <summary>Where the log was stopped: "bin.000017:4711"; null where the server kept none.</summary>
    public string? ReachedPosition { get; init; }
    /// <summary>The last transaction that is in it: "0-1-4711"; null where that is not known.</summary>
    public string? ReachedGtid { get; init; }
    /// <summary>When the last one that was replayed was committed; null where none was.</summary>
    public DateTimeOffset? ReachedAt { get; init; }
    /// <summary>The line that starts it, for a shell of root or of the server's user; null for one in the place of the original, which its
    /// system starts.</summary>
    public string? StartCommand { get; init; }
    /// <summary>Its socket; null for one in the place of the original.</summary>
    public string? Socket { get; init; }
    /// <summary>The base backup that was chosen: restic's snapshot id.</summary>
    public string BaseSnapshot { get; init; } = "";
    /// <summary>Whether a server was started in it, and answers.</summary>
    public bool IsRunning { get; init; }
    /// <summary>The folder that holds what was in its place before; null where nothing was.</summary>
    public FilePath? KeptFolder { get; init; }
    /// <summary>The table that the target holds; null for a whole server.</summary>
    public DatabaseTable? Table { get; init; }
}
