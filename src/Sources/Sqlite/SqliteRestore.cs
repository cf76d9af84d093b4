using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Sqlite;

/// <summary>What was restored.</summary>
/// <param name="SnapshotId">Snapshot.</param>
/// <param name="Manifest">What it says of itself.</param>
/// <param name="Path">The database's file now.</param>
public sealed record SqliteRestoreSummary(string SnapshotId, SqliteManifest Manifest, string Path);

/// <summary>Puts a database back.</summary>
public static class SqliteRestore
{
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
        var (folder, name) = (Path.GetDirectoryName(options.Target)!, Path.GetFileName(options.Target));
        Disk.MakeFolder(folder);
        var making = Path.Combine(folder, $".backupdr-restore-{snapshot.Id.ToString()[..16]}");   // the same one when it is run again
        using (var target = FileTarget.Open(FilePath.FromText(making), OverwritePolicy.Always, options.IsDurable))
        {
            var from = Path.GetDirectoryName(manifest.Database)! is var above and not "/" ? above : "";
            var done = await RestoreRun.Execute(repository, snapshot, FilePath.FromText(from), [FilePath.FromText(manifest.Database)],
                target, progress, ct);
            if (done.Failed.Count > 0)
                throw new SourceException("sqlite.restore_incomplete", $"{done.Failed[0].Path}: {done.Failed[0].Message}",
                    "Nothing was replaced. Mend the cause and run the restore again; what is right already is not written again.");
        }
        Replace(Path.Combine(making, Path.GetFileName(manifest.Database)), folder, name);
        Disk.RemoveTree(making);
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
        if (SqliteFile.OpenedBy(options.Target) is { } pid)
            throw new ConflictException("sqlite.open", $"Process {pid} has {options.Target} open.",
                "Stop that program first: it would go on in a file that is no longer there.");
    }

    // The log goes first: beside another file than its own it would be replayed into it.
    static void Replace(string made, string folder, string name)
    {
        using var place = Descriptor.OpenFolder(FilePath.FromText(folder));
        using var from = Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(made)!));
        foreach (var end in SqliteFile.Beside) Disk.Remove(Path.Combine(folder, name + end));
        from.Rename(FilePath.FromText(Path.GetFileName(made)).Bytes, place, FilePath.FromText(name).Bytes);
        place.Sync();
    }

    /// <summary>The snapshot that is meant, with its manifest.</summary>
    /// <exception cref="BadInputException">Several databases are in the repository, and none was named.</exception>
    /// <exception cref="NotFoundException">There is none.</exception>
    internal static async Task<(Snapshot Snapshot, SqliteManifest Manifest)> Find(Repository repository, string? database, string which,
        CancellationToken ct)
    {
        var filter = new SnapshotFilter { Tags = [SqliteManifest.Tag], Paths = database is null ? [] : [database] };
        var all = await repository.Snapshots(filter, ct);
        var fitting = which == "latest" ? all
            : [.. all.Where(snapshot => snapshot.Id.ToString().StartsWith(which, StringComparison.Ordinal))];
        if (fitting.Count == 0)
            throw new NotFoundException(which == "latest" ? $"A backup of {database ?? "a database file"} in this repository"
                : $"A backup '{which}' of a database in this repository", "List them with 'backupdr snapshots --tag sqlite'.");
        var databases = fitting.SelectMany(snapshot => snapshot.Paths).Distinct().ToList();
        if (databases.Count > 1)
            throw new BadInputException("--database",
                $"The repository holds {databases.Count} databases: {string.Join(", ", databases.Take(8))}.",
                "Name the one that is meant.");
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        return (fitting[^1], await SqliteManifest.Of(new TreeBrowser(reader), reader, fitting[^1], ct));
    }
}
