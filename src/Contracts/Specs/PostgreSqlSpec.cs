using System.Globalization;

namespace BackupDr.Contracts.Specs;

/// <summary>A PostgreSQL cluster of the agent's host, and the role that it is backed up by. The agent reads the files itself.</summary>
public sealed record PostgreSqlSpec
{
    /// <summary>Port where neither a port nor a data folder is named.</summary>
    public const int DefaultPort = 5432;
    /// <summary>Socket folder where neither a host nor a data folder is named.</summary>
    public const string DefaultHost = "/var/run/postgresql";

    /// <summary>Absolute path of the cluster's data folder. With it alone the server's socket and port are read from there at each run; a
    /// server that turns out to have another one is refused. Null where host and port say which.</summary>
    public FilePath? DataFolder { get; init; }
    /// <summary>Folder of the server's socket, or its host name or address; null for what the data folder says, else
    /// <see cref="DefaultHost"/>.</summary>
    public string? Host { get; init; }
    /// <summary>Port, which names the socket too; null for what the data folder says, else <see cref="DefaultPort"/>.</summary>
    public int? Port { get; init; }
    /// <summary>Role.</summary>
    public string User { get; init; } = "backupdr";
    /// <summary>Database to connect to.</summary>
    public string Database { get; init; } = "postgres";
    /// <summary>Absolute path of a file on the agent's host whose first line is the role's password; null where it needs none.</summary>
    public FilePath? PasswordFile { get; init; }
    /// <summary>How its log is received; null where only base backups are taken.</summary>
    public LogSpec? Log { get; init; }
    /// <summary>Absolute path of a folder in which test restores are made, which the server's user may enter; null for /var/tmp.</summary>
    public FilePath? Scratch { get; init; }

    /// <inheritdoc/>
    public override string ToString() => DataFolder is { } folder ? $"PostgreSQL in {folder}"
        : string.Create(CultureInfo.InvariantCulture, $"PostgreSQL at {Host ?? DefaultHost}:{Port ?? DefaultPort}");
}
