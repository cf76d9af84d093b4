namespace BackupDr.Contracts.Specs;

/// <summary>A MariaDB server of the agent's host, and the user that it is backed up by. The agent runs mariadb-backup itself.</summary>
public sealed record MariaDbSpec
{
    /// <summary>Port where neither a port nor a data folder is named, and the host is no socket.</summary>
    public const int DefaultPort = 3306;
    /// <summary>Socket where neither a host nor a data folder is named.</summary>
    public const string DefaultHost = "/run/mysqld/mysqld.sock";

    /// <summary>Absolute path of the server's data folder. With it alone the socket is looked up from the process that runs there, at each
    /// run; a server that turns out to have another folder is refused. Null where the host says which.</summary>
    public FilePath? DataFolder { get; init; }
    /// <summary>Absolute path of the server's socket, or its host name or address; null for what runs in the data folder, else
    /// <see cref="DefaultHost"/>.</summary>
    public string? Host { get; init; }
    /// <summary>Port, of a host name or address only; null for <see cref="DefaultPort"/>.</summary>
    public int? Port { get; init; }
    /// <summary>User; not used where an option file is named.</summary>
    public string User { get; init; } = "backupdr";
    /// <summary>Absolute path of a file on the agent's host whose first line is the user's password; null where it needs none.</summary>
    public FilePath? PasswordFile { get; init; }
    /// <summary>Absolute path of an option file on the agent's host whose section [client] tells user and password, as
    /// /etc/mysql/debian.cnf does; null for none.</summary>
    public FilePath? OptionFile { get; init; }
    /// <summary>How its binary log is received; null where only base backups are taken.</summary>
    public LogSpec? Log { get; init; }
    /// <summary>Absolute path of a folder in which test restores are made, which the server's user may enter; null for /var/tmp.</summary>
    public FilePath? Scratch { get; init; }

    /// <inheritdoc/>
    public override string ToString() => DataFolder is { } folder ? $"MariaDB in {folder}" : $"MariaDB at {Place}";

    /// <summary>Its socket, or host and port.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string Place => (Host ?? DefaultHost) is var host && host.StartsWith('/') ? host
        : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{host}:{Port ?? DefaultPort}");
}
