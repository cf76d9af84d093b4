using BackupDr.Contracts;
using BackupDr.Engine.Compression;
using BackupDr.Engine.Crypto;

namespace BackupDr.Engine;

/// <summary>How a repository is worked with.</summary>
public sealed record RepositoryOptions
{
    /// <summary>Time.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
    /// <summary>Host in locks and key files.</summary>
    public string HostName { get; init; } = Environment.MachineName;
    /// <summary>User in locks and key files. An agent uses "backupdr-" and the run, so that its lock is told from others'.</summary>
    public string UserName { get; init; } = Environment.UserName;
    /// <summary>What snapshots say wrote them.</summary>
    public string ProgramVersion { get; init; } = "backupdr";
    /// <summary>Cost of new key files.</summary>
    public KdfCost Kdf { get; init; } = KdfCost.Standard;
    /// <summary>zstd level, -5 to 19.</summary>
    public int CompressionLevel { get; init; } = ZstdCodec.DefaultLevel;
    /// <summary>Bytes after which a data pack is closed. 4 to 120 MiB; a pack may exceed it by one blob.</summary>
    public int PackSizeBytes { get; init; } = 16 << 20;
    /// <summary>Workers that hash, compress and seal. At least 1; default one a processor.</summary>
    public int Workers { get; init; } = Math.Max(1, Environment.ProcessorCount);
    /// <summary>Id that the repository must have, 64 hex characters; null takes any.</summary>
    public string? ExpectedId { get; init; }
    /// <summary>Folder on this machine where the index is kept between runs; null keeps none. Whatever is in it may be deleted.</summary>
    public FilePath? CacheFolder { get; init; }
    /// <summary>Told of each lock that was in the way and was removed because its process is provably gone.</summary>
    public Action<Locks.RemovedLock>? LockRemoved { get; init; }
    /// <summary>Rules that a test breaks on purpose, to see that the simulator notices.</summary>
    internal Garbage.GarbageRules GarbageRules { get; init; } = new();
}
