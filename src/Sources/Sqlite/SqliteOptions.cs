namespace BackupDr.Sources.Sqlite;

/// <summary>How a database file is backed up.</summary>
public sealed record SqliteBackupOptions
{
    /// <summary>Host in the snapshot.</summary>
    public required string HostName { get; init; }
    /// <summary>User in the snapshot.</summary>
    public string UserName { get; init; } = "";
    /// <summary>Tags beside our own.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Folder in which the copy is made that is then stored; as much room as the database takes is needed. Default /var/tmp.
    /// </summary>
    public string Scratch { get; init; } = "/var/tmp";
    /// <summary>How long a writer that does not let go is waited for. Default 60 s.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);
    /// <summary>How long rows are counted for the proof; tables for which there is no time left are not. Default 30 s.</summary>
    public TimeSpan CountFor { get; init; } = TimeSpan.FromSeconds(30);
    /// <summary>Program that takes it, for the manifest.</summary>
    public string Program { get; init; } = "backupdr";
}

/// <summary>What is restored, and where to.</summary>
public sealed record SqliteRestoreOptions
{
    /// <summary>Absolute path of the database as it was backed up; null where the repository holds only one.</summary>
    public string? Database { get; init; }
    /// <summary>The beginning of a snapshot's id, or "latest".</summary>
    public string Snapshot { get; init; } = "latest";
    /// <summary>Absolute path of the file to be.</summary>
    public required string Target { get; init; }
    /// <summary>Whether a file that stands there is replaced.</summary>
    public bool Over { get; init; }
    /// <summary>False for a test restore that is thrown away.</summary>
    public bool IsDurable { get; init; } = true;
}

/// <summary>What a test restore does.</summary>
public sealed record SqliteProofOptions
{
    /// <summary>Absolute path of the database as it was backed up; null where the repository holds only one.</summary>
    public string? Database { get; init; }
    /// <summary>The beginning of a snapshot's id, or "latest".</summary>
    public string Snapshot { get; init; } = "latest";
    /// <summary>Folder in which the test restore is made and removed again. Default /var/tmp.</summary>
    public string Scratch { get; init; } = "/var/tmp";
    /// <summary>Queries that must each give a value other than 0 and null: "select count(*) > 0 from item".</summary>
    public IReadOnlyList<string> Assertions { get; init; } = [];
    /// <summary>Longest check. Default 1 h.</summary>
    public TimeSpan CheckLimit { get; init; } = TimeSpan.FromHours(1);
    /// <summary>A further look, at the folder with the restored file; null for none.</summary>
    public CopyLook? Look { get; init; }
}
