namespace BackupDr.Sources.Volumes;

/// <summary>How a disk or a disk image is backed up.</summary>
public sealed record VolumeBackupOptions
{
    /// <summary>Host in the snapshot.</summary>
    public required string HostName { get; init; }
    /// <summary>User in the snapshot.</summary>
    public string UserName { get; init; } = "";
    /// <summary>Tags beside our own.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Whether one that is written to meanwhile is taken all the same: what is restored of it may not be usable.</summary>
    public bool InUse { get; init; }
}

/// <summary>What is restored, and where to.</summary>
public sealed record VolumeRestoreOptions
{
    /// <summary>Absolute path of the volume as it was backed up; null where the repository holds only one.</summary>
    public string? Volume { get; init; }
    /// <summary>The beginning of a snapshot's id, or "latest".</summary>
    public string Snapshot { get; init; } = "latest";
    /// <summary>Absolute path of the file to be, or of the device to be overwritten.</summary>
    public required string Target { get; init; }
    /// <summary>Whether a file that stands there is replaced.</summary>
    public bool Over { get; init; }
    /// <summary>Of a device: its path once more. What was on it is lost.</summary>
    public string? Confirm { get; init; }
}

/// <summary>What a test restore does.</summary>
public sealed record VolumeProofOptions
{
    /// <summary>Absolute path of the volume as it was backed up; null where the repository holds only one.</summary>
    public string? Volume { get; init; }
    /// <summary>The beginning of a snapshot's id, or "latest".</summary>
    public string Snapshot { get; init; } = "latest";
    /// <summary>Folder in which the test restore is made and removed again; only what is no hole takes room. Default /var/tmp.</summary>
    public string Scratch { get; init; } = "/var/tmp";
}
