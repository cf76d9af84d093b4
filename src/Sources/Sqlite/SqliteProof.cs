using BackupDr.Engine;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.Sqlite;

/// <summary>Proves a recovery point: restores it beside, looks through all of it, removes it.</summary>
public static class SqliteProof
{
    const int LinesKept = 100;

    /// <summary>Runs it.</summary>
    /// <exception cref="SourceException">It could not be restored.</exception>
    /// <exception cref="RepositoryException">NoSuchSnapshot, Damaged or Archived.</exception>
    public static async Task<ProofReport> Run(Repository repository, SqliteProofOptions options, IProgress<RestoreProgress>? progress,
        CancellationToken ct)
    {
        var clock = repository.Options.Clock;
        using var scratch = Scratch.Make(options.Scratch);
        var begun = clock.GetTimestamp();
        var restored = await SqliteRestore.Run(repository, new SqliteRestoreOptions
        {
            Database = options.Database,
            Snapshot = options.Snapshot,
            Target = Path.Combine(scratch.Path, "restored"),
            IsDurable = false,
        }, progress, ct);
        var restoreTime = clock.GetElapsedTime(begun);
        var opening = clock.GetTimestamp();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(options.CheckLimit);
        var checks = new List<ProofCheck>
        {
            new("restore", true, $"{restored.Manifest.Pages} pages of {restored.Manifest.PageBytes} bytes."),
        };
        SqliteDatabase database;
        try { database = SqliteDatabase.Open(restored.Path, TimeSpan.Zero); }
        catch (SourceException e)
        {
            checks.Add(new ProofCheck("open", false, e.Message));
            return new ProofReport(checks, restoreTime, clock.GetElapsedTime(opening), TimeSpan.Zero);
        }
        using (database)
        {
            var openTime = clock.GetElapsedTime(opening);
            var checking = clock.GetTimestamp();
            await Task.Run(() => Look(database, restored.Manifest, options, checks, limit.Token, ct), ct);
            if (options.Look is { } look)
                checks.Add(await look(new Dictionary<string, string> { [Isolation.Copy] = scratch.Path }, null, ct));
            return new ProofReport(checks, restoreTime, openTime, clock.GetElapsedTime(checking));
        }
    }

    static void Look(SqliteDatabase database, SqliteManifest manifest, SqliteProofOptions options, List<ProofCheck> checks,
        CancellationToken limit, CancellationToken ct)
    {
        Add("integrity_check", () =>
        {
            if (!manifest.IsChecked) return (true, "Not looked through: the database uses an extension that is not here.");
            var said = database.Lines($"pragma integrity_check({LinesKept})", LinesKept, limit);
            return (said is ["ok"], string.Join("; ", said.Take(5)));
        });
        Add("rows", () =>
        {
            var different = manifest.Rows
                .Select(table => (table.Key, Then: table.Value,
                    Now: database.Number($"select count(*) from {SqliteDatabase.Quoted(table.Key)}", limit)))
                .Where(table => table.Then != table.Now).Select(table => $"{table.Key}: {table.Now} instead of {table.Then}").ToList();
            return (different.Count == 0, different.Count == 0 ? $"{manifest.Rows.Count} tables have as many rows as when they were stored."
                : string.Join("; ", different.Take(5)));
        });
        foreach (var assertion in options.Assertions)
            Add(assertion, () => (database.Ask(assertion, limit) is { } value and not (0L or 0.0 or ""), "as the query says"));

        void Add(string name, Func<(bool Passed, string Detail)> look)
        {
            try
            {
                var (passed, detail) = look();
                checks.Add(new ProofCheck(name, passed, detail));
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                checks.Add(new ProofCheck(name, false, $"It did not end within {options.CheckLimit}."));
            }
            catch (SourceException e) { checks.Add(new ProofCheck(name, false, e.Message)); }
        }
    }
}
