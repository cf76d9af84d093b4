namespace BackupDr.Sources.Sqlite;

/// <summary>Counts the rows of tables, to be compared after a restore.</summary>
static class SqliteRows
{
    /// <summary>Rows by table, of those for which the time was enough; the tables of extensions are left out.</summary>
    public static Dictionary<string, long> Count(SqliteDatabase database, TimeSpan within, CancellationToken ct)
    {
        var counted = new Dictionary<string, long>(StringComparer.Ordinal);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(within);
        var tables = database.Lines(
            "select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' and sql not like "
                + "'create virtual%' order by name", int.MaxValue, ct);
        foreach (var table in tables.OfType<string>())
        {
            try { counted[table] = database.Number($"select count(*) from {SqliteDatabase.Quoted(table)}", limit.Token); }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested) { break; }   // no time for the rest
            catch (SourceException) { continue; }   // needs what is not here: a function in its definition
        }
        return counted;
    }
}
