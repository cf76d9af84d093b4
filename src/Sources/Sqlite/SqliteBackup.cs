using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;

namespace BackupDr.Sources.Sqlite;

/// <summary>What a backup of a database did.</summary>
/// <param name="Run">The snapshot and its numbers. It is not complete where the database itself is broken.</param>
/// <param name="Manifest">What it says of itself.</param>
/// <param name="Remarks">What a person should know.</param>
public sealed record SqliteBackupSummary(BackupSummary Run, SqliteManifest Manifest, IReadOnlyList<string> Remarks);

/// <summary>Backs up one database file while it is in use.</summary>
/// <remarks>The online backup copies it page by page into a scratch folder; the copy is looked through and stored. So nobody waits for the
/// store, and only the chunks of changed pages are new.</remarks>
public static class SqliteBackup
{
    const int LinesKept = 100;

    /// <summary>Takes one.</summary>
    /// <param name="repository">Where to.</param>
    /// <param name="path">Absolute path of the database.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told how far the copying and then the storing is.</param>
    /// <param name="ct">Cancels; nothing is published then.</param>
    /// <exception cref="SourceException">It cannot be opened, is no database, a writer did not let go, or there is no room.</exception>
    /// <exception cref="RepositoryException">Locked, LockLost or Damaged.</exception>
    public static async Task<SqliteBackupSummary> Run(Repository repository, string path, SqliteBackupOptions options,
        IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        if (SqliteFile.Preflight(path, options.Scratch).FirstOrDefault(one => one.Severity == FindingSeverity.Blocking) is { } wrong)
            throw new SourceException(wrong.Code, wrong.Message, wrong.Remedy);
        using var scratch = Scratch.Make(options.Scratch);
        var copy = Path.Combine(scratch.Path, "copy");
        var copiedAt = repository.Options.Clock.GetUtcNow();
        var halves = progress is null ? null : new Halves(progress, Contracts.FilePath.FromText(path));
        await Task.Run(() => Copy(path, copy, options.Patience, halves, ct), ct);
        var remarks = new List<string>();
        var manifest = await Task.Run(() => Look(path, copy, options, copiedAt, remarks, ct), ct);
        using var source = new BrokenOrWhole(new SqliteSource(path, copy, manifest.Write()), manifest);
        var run = await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = options.HostName,
            UserName = options.UserName,
            Tags = [SqliteManifest.Tag, .. options.Tags],
            Time = UnixTime.From(copiedAt).ToDateTimeOffset(),
            Chunker = ChunkerChoice.Auto,
            CountFirst = progress is not null,
        }, halves, ct);
        return new SqliteBackupSummary(run, manifest, remarks);
    }

    static void Copy(string path, string copy, TimeSpan patience, Halves? halves, CancellationToken ct)
    {
        using var database = SqliteDatabase.Open(path, patience);
        var pageBytes = database.Number("pragma page_size", ct);
        database.CopyTo(copy, (done, all) => halves?.Copied(done * pageBytes, all * pageBytes), ct);
    }

    /// <summary>Progress over both halves of the work: every byte is copied, then read again and stored.</summary>
    sealed class Halves(IProgress<BackupProgress> told, Contracts.FilePath database) : IProgress<BackupProgress>
    {
        long _bytes;

        public void Copied(long done, long all) => told.Report(new BackupProgress(0, 1, done, 2 * (_bytes = all), database, 0));

        public void Report(BackupProgress value)
            => told.Report(value with { BytesDone = _bytes + value.BytesDone, BytesTotal = _bytes + (value.BytesTotal ?? _bytes) });
    }

    /// <summary>Looks through the copy: the database goes on changing.</summary>
    static SqliteManifest Look(string path, string copy, SqliteBackupOptions options, DateTimeOffset copiedAt, List<string> remarks,
        CancellationToken ct)
    {
        using var database = SqliteDatabase.Open(copy, TimeSpan.Zero);
        var (broken, isChecked) = Check(database, remarks, ct);
        return new SqliteManifest
        {
            Database = path,
            LibraryVersion = SqliteDatabase.LibraryVersion,
            JournalMode = database.Text("pragma journal_mode", ct),
            PageBytes = (int)database.Number("pragma page_size", ct),
            Pages = database.Number("pragma page_count", ct),
            UserVersion = (int)database.Number("pragma user_version", ct),
            CopiedAt = copiedAt,
            Broken = broken,
            IsChecked = isChecked,
            Rows = broken.Count > 0 ? new Dictionary<string, long>() : SqliteRows.Count(database, options.CountFor, ct),
            Program = options.Program,
        };
    }

    static (IReadOnlyList<string> Broken, bool IsChecked) Check(SqliteDatabase database, List<string> remarks, CancellationToken ct)
    {
        try
        {
            var said = database.Lines($"pragma quick_check({LinesKept})", LinesKept, ct).Select(line => $"{line}").ToList();
            return (said is ["ok"] ? [] : said, true);
        }
        catch (SourceException e) when (e.Message.Contains("no such module", StringComparison.Ordinal))
        {
            remarks.Add($"The database uses an extension that is not here, so it was not looked through: {e.Message}");
            return ([], false);
        }
        catch (SourceException e) { return ([e.Message], true); }   // so broken that looking through it ends
    }

    /// <summary>Says what is wrong in the database itself: a copy of a broken one is no good backup.</summary>
    sealed class BrokenOrWhole(SqliteSource source, SqliteManifest manifest) : IItemSource
    {
        public IReadOnlyList<Contracts.FilePath> Paths => source.Paths;

        public bool IsSettled(Contracts.FilePath path, Node file) => source.IsSettled(path, file);

        public ISourceFolder OpenRoot(ISourceProblems problems)
        {
            foreach (var line in manifest.Broken)
                problems.Missing(Contracts.FilePath.FromText(manifest.Database),
                    $"it is broken in the database itself: {line}. It is stored as it is.");
            return source.OpenRoot(problems);
        }

        public void Dispose() => source.Dispose();
    }
}
