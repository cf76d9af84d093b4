using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.Sqlite;

/// <summary>What was restored.</summary>
/// <param name="SnapshotId">Snapshot.</param>
/// <param name="Manifest">What it says of itself.</param>
/// <param name="Path">The database's file now.</param>
public sealed record SqliteRestoreSummary(string SnapshotId, SqliteManifest Manifest, string Path);

/// <summary>Puts a database back.</summary>
public static class SqliteRestore
{
    static readonly OneThing Kind = new(SqliteManifest.Tag, "--database", "a database file", "databases");

    /// <summary>Restores to one file. It appears whole or not at all; what belonged to a former one (its log) is removed with it.</summary>
    /// <exception cref="BadInputException">Something stands there, or it is not known which database is meant.</exception>
    /// <exception cref="ConflictException">A program has it open.</exception>
    /// <exception cref="SourceException">It could not be restored whole.</exception>
    /// <exception cref="RepositoryException">NoSuchSnapshot, Damaged or Archived.</exception>
    public static async Task<SqliteRestoreSummary> Run(Repository repository, SqliteRestoreOptions options,
        IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        Check(options);
        var (snapshot, manifest) = await Find(repository, options.Database, options.Snapshot, ct);
        var problem = await RestoredAside.Run(repository, snapshot, manifest.Database, options.Target, options.IsDurable,
            () => RemoveLog(options.Target), progress, ct);
        if (problem is not null)
            throw new SourceException("sqlite.restore_incomplete", $"{problem.Path}: {problem.Message}",
                "Nothing was replaced. Mend the cause and run the restore again; what is right already is not written again.");
        return new SqliteRestoreSummary(snapshot.Id.ToString(), manifest, options.Target);
    }

    static void Check(SqliteRestoreOptions options)
    {
        if (!options.Target.StartsWith('/') || options.Target.EndsWith('/'))
            throw new BadInputException("--target", $"'{options.Target}' is no absolute path of a file.", "Write /srv/app/data.db.");
        var standing = SqliteFile.Beside.Prepend("").Select(end => options.Target + end).FirstOrDefault(Disk.Exists);
        if (standing is null) return;
        if (!options.Over)
            throw new BadInputException("--target", $"{standing} is there already.",
                "Choose another file, or add --over to replace the database.");
        if (OpenFiles.By(options.Target) is { } pid)
            throw new ConflictException("sqlite.open", $"Process {pid} has {options.Target} open.",
                "Stop that program first: it would go on in a file that is no longer there.");
    }

    // The log goes first: beside another file than its own it would be replayed into it.
    static void RemoveLog(string database)
    {
        foreach (var end in SqliteFile.Beside) Disk.Remove(database + end);
    }

    /// <summary>The snapshot that is meant, with its manifest.</summary>
    /// <exception cref="BadInputException">Several databases are in the repository, and none was named.</exception>
    /// <exception cref="NotFoundException">There is none.</exception>
    internal static async Task<(Snapshot Snapshot, SqliteManifest Manifest)> Find(Repository repository, string? database, string which,
        CancellationToken ct)
    {
        var snapshot = await SnapshotOfOne.Find(repository, Kind, database, which, ct);
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        return (snapshot, await SqliteManifest.Of(new TreeBrowser(reader), reader, snapshot, ct));
    }
}
