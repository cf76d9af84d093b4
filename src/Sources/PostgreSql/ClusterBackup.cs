using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>How a base backup is taken.</summary>
public sealed record ClusterBackupOptions
{
    /// <summary>Host in the snapshot.</summary>
    public required string HostName { get; init; }
    /// <summary>User in the snapshot.</summary>
    public string UserName { get; init; } = "";
    /// <summary>Tags beside our own.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Whether the checkpoint at the start is made at once, which costs input and output. Default true.</summary>
    public bool FastCheckpoint { get; init; } = true;
    /// <summary>Whether every file is read, whatever its times say.</summary>
    public bool ReadAll { get; init; }
    /// <summary>After how long every file is read again in any case. Default 7 days.</summary>
    public TimeSpan ReadAllEvery { get; init; } = TimeSpan.FromDays(7);
    /// <summary>Program that takes it, for the manifest.</summary>
    public string Program { get; init; } = "backupdr";
}

/// <summary>What a base backup did.</summary>
/// <param name="Run">The snapshot and its numbers. It is not complete where pages are broken or files could not be read.</param>
/// <param name="Manifest">What it says of itself.</param>
/// <param name="Remarks">What a person should know.</param>
public sealed record ClusterBackupSummary(BackupSummary Run, ClusterManifest Manifest, IReadOnlyList<string> Remarks);

/// <summary>Takes base backups of a PostgreSQL cluster of this host.</summary>
public static class ClusterBackup
{
    /// <summary>Takes one. It needs no other log than what is in it.</summary>
    /// <param name="repository">Where to.</param>
    /// <param name="address">The server.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="ct">Cancels; nothing is published then, and what was stored is used by the next one.</param>
    /// <exception cref="UnavailableException">The server cannot be reached.</exception>
    /// <exception cref="DeniedException">The role may not do it.</exception>
    /// <exception cref="SourceException">The session was lost, log that is needed is gone, or the version is not known.</exception>
    /// <exception cref="RepositoryException">Locked, LockLost or Damaged.</exception>
    public static async Task<ClusterBackupSummary> Run(Repository repository, ServerAddress address, ClusterBackupOptions options,
        IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        await using var session = await BackupSession.Begin(address, "backupdr", options.FastCheckpoint, ct);
        var facts = session.Facts;
        var now = repository.Options.Clock.GetUtcNow();
        var counts = await ClusterFacts.Count(address, session.Server, ct);
        var (parent, before) = await Before(repository, facts.SystemIdentifier, options.HostName, ct);
        var readAll = options.ReadAll || before is null || before.FullReadAt + options.ReadAllEvery <= now;
        var remarks = Remarks(session, counts);
        using var source = new ClusterSource(address, session, counts, Begun(session, options, before, now, readAll), before);
        var run = await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = options.HostName,
            UserName = options.UserName,
            Tags = [ClusterManifest.BaseTag, .. options.Tags],
            Parent = parent?.Id,
            Force = readAll,
            Chunker = ChunkerChoice.Auto,
            CountFirst = progress is not null,
        }, progress, ct);
        return new ClusterBackupSummary(run, source.Manifest!, remarks);
    }

    static ClusterManifest Begun(BackupSession session, ClusterBackupOptions options, ClusterManifest? before, DateTimeOffset now,
        bool readAll)
    {
        var facts = session.Facts;
        return new ClusterManifest
        {
            SystemIdentifier = facts.SystemIdentifier,
            ServerVersion = facts.Version,
            DataFolder = facts.DataFolder,
            Timeline = 0,
            StartLsn = session.Start.ToString(),
            StopLsn = session.Start.ToString(),
            StartedAt = session.StartedAt,
            StoppedAt = session.StartedAt,
            ReadFrom = now,
            FullReadAt = readAll ? now : before!.FullReadAt,
            SegmentBytes = facts.SegmentBytes,
            BlockBytes = facts.BlockBytes,
            ChunkBytes = before?.ChunkBytes ?? ClusterRules.ChunkBytes(SizeOf(facts)),
            HasChecksums = facts.HasChecksums,
            FromStandby = facts.IsStandby,
            Superuser = facts.Superuser,
            Tablespaces = facts.Tablespaces,
            Settings = facts.FromFiles,
            Program = options.Program,
        };
    }

    static List<string> Remarks(BackupSession session, CatalogCounts counts)
    {
        var remarks = new List<string>();
        if (session.Unheld is { } why)
            remarks.Add($"The log of the backup's time could not be held by a slot ({why}). It was there in the end.");
        if (!session.Facts.HasChecksums)
            remarks.Add("The cluster has no page checksums, so broken pages cannot be told from sound ones.");
        if (counts.Unseen.Count > 0)
            remarks.Add($"The role may not connect to {string.Join(", ", counts.Unseen)}: their catalogs are not counted.");
        return remarks;
    }

    /// <summary>The newest base backup of the cluster by this host, where one can be read.</summary>
    static async Task<(Snapshot? Snapshot, ClusterManifest? Manifest)> Before(Repository repository, string systemIdentifier,
        string hostName, CancellationToken ct)
    {
        var filter = new SnapshotFilter
        {
            HostNames = [hostName],
            Paths = [ClusterSource.PathOf(systemIdentifier).ToString()],
            Tags = [ClusterManifest.BaseTag],
        };
        if ((await repository.Snapshots(filter, ct)) is not [.., var newest]) return default;
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        try { return (newest, await ClusterManifest.Of(new TreeBrowser(reader), reader, newest, ct)); }
        catch (BackupDrException e) when (e is RepositoryException { Fault: RepositoryFault.Damaged } or NotFoundException)
        {
            return default;   // all is read then, as for the first one
        }
    }

    /// <summary>Bytes of all relations.</summary>
    static long SizeOf(ClusterFacts facts)
        => facts.Tablespaces.Select(space => Path.Combine(space.Path, facts.VersionFolder))
            .Append(Path.Combine(facts.DataFolder, "base")).Sum(SizeOf);

    static long SizeOf(string folder)
    {
        var bytes = 0L;
        foreach (var (name, kind) in Disk.List(folder))
        {
            if (kind == FileKind.Folder) bytes += SizeOf(Path.Combine(folder, name));
            else if (kind == FileKind.File) bytes += FileSize(Path.Combine(folder, name));
        }
        return bytes;
    }

    static long FileSize(string path)
    {
        try { return Descriptor.StatOf(FilePath.FromText(path)).SizeBytes; }
        catch (PosixException e) when (e.Errno == Errno.ENOENT) { return 0; }   // dropped meanwhile
    }
}
