namespace BackupDr.Contracts.Jobs;

/// <summary>What a look through a repository found. Nothing was written to it, no lock either.</summary>
public sealed record AdoptResult
{
    /// <summary>Its snapshots, newest first; the control plane keeps them as recovery points and not in the run.</summary>
    public IReadOnlyList<FoundSnapshot> Snapshots { get; init; } = [];
    /// <summary>How many can be read.</summary>
    public int SnapshotCount { get; init; }
    /// <summary>Older ones that can be read and are not among <see cref="Snapshots"/>, because they are too many.</summary>
    public int NotListed { get; init; }
    /// <summary>Snapshots that are there and cannot be read; at most 1,000.</summary>
    public IReadOnlyList<SnapshotProblem> Problems { get; init; } = [];
    /// <summary>How many of these there are.</summary>
    public int ProblemCount { get; init; }
    /// <summary>Distinct first trees that were read.</summary>
    public int Trees { get; init; }
    /// <summary>Blobs in its index.</summary>
    public long Blobs { get; init; }
    /// <summary>Seconds from start to end.</summary>
    public double Seconds { get; init; }
}

/// <summary>A snapshot that is there and cannot be restored as it is.</summary>
/// <param name="SnapshotId">restic's snapshot id, 64 hex characters.</param>
/// <param name="Message">What is wrong.</param>
public sealed record SnapshotProblem(string SnapshotId, string Message);

/// <summary>A snapshot that somebody else's program made, as it is recorded. Sizes in bytes; null where it does not say.</summary>
public sealed record FoundSnapshot
{
    /// <summary>restic's snapshot id, 64 hex characters.</summary>
    public required string SnapshotId { get; init; }
    /// <summary>Time in the snapshot.</summary>
    public required DateTimeOffset TakenAt { get; init; }
    /// <summary>Name of the machine that it was taken on.</summary>
    public string HostName { get; init; } = "";
    /// <summary>Name of the user who took it.</summary>
    public string UserName { get; init; } = "";
    /// <summary>What was backed up; at most 100, each at most 1,000 characters.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];
    /// <summary>Its tags; bounds as for paths.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>The program that took it.</summary>
    public string? ProgramVersion { get; init; }
    /// <summary>Files in it.</summary>
    public long? Files { get; init; }
    /// <summary>Plain bytes in it.</summary>
    public long? Bytes { get; init; }
    /// <summary>Bytes that the repository grew by.</summary>
    public long? BytesAdded { get; init; }
}
