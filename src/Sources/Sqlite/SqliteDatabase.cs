using System.Globalization;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace BackupDr.Sources.Sqlite;

/// <summary>An open database file. The one place that knows the library. Used by one thread at a time.</summary>
/// <remarks>Nothing that a schema brings along is run: views and triggers of strangers may call what they like otherwise.</remarks>
sealed class SqliteDatabase : IDisposable
{
    const int PagesAStep = 4_096;
    const int Ok = 0, Busy = 5, Locked = 6, Interrupted = 9, CannotOpen = 14, NotADatabase = 26, Done = 101;

    readonly SqliteConnection _connection;
    readonly string _path;

    static SqliteDatabase() => Batteries_V2.Init();

    SqliteDatabase(SqliteConnection connection, string path) => (_connection, _path) = (connection, path);

    /// <summary>Version of the library.</summary>
    public static string LibraryVersion => raw.sqlite3_libversion().utf8_to_string();

    /// <summary>Opens a file for reading.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="patience">How long a writer that does not let go is waited for.</param>
    /// <exception cref="SourceException">It cannot be opened, or is no database.</exception>
    public static SqliteDatabase Open(string path, TimeSpan patience) => Open(path, SqliteOpenMode.ReadOnly, patience);

    static SqliteDatabase Open(string path, SqliteOpenMode mode, TimeSpan patience)
    {
        var words = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = mode,
            Pooling = false,
            DefaultTimeout = Math.Max(1, (int)Math.Ceiling(patience.TotalSeconds)),   // 0 would be for ever
        };
        var opened = new SqliteDatabase(new SqliteConnection(words.ToString()), path);
        try
        {
            opened._connection.Open();
            raw.sqlite3_busy_timeout(opened._connection.Handle!, (int)patience.TotalMilliseconds);
            opened.Execute("pragma trusted_schema = off");
            opened.Execute("select count(*) from sqlite_schema");   // the first look at the file
            return opened;
        }
        catch (SqliteException e)
        {
            opened.Dispose();
            throw opened.Told(e);
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Copies the database page by page, as it is at this moment, while others read and write it.</summary>
    /// <param name="target">Absolute path of the copy; nothing stands there.</param>
    /// <param name="copied">Told after each step: pages done, pages in all.</param>
    /// <param name="ct">Cancels; what was copied stays.</param>
    /// <remarks>A read transaction is held from the first page to the last, so that a writer does not make it begin again. In the journal
    /// modes other than WAL writers wait meanwhile.</remarks>
    /// <exception cref="SourceException">A writer did not let go, or there is no room.</exception>
    public void CopyTo(string target, Action<long, long> copied, CancellationToken ct)
    {
        using var copy = Open(target, SqliteOpenMode.ReadWriteCreate, TimeSpan.Zero);
        copy.Execute("pragma synchronous = off; pragma journal_mode = off");   // thrown away where anything goes wrong
        Execute("begin; select count(*) from sqlite_schema");
        try
        {
            using var backup = raw.sqlite3_backup_init(copy._connection.Handle!, "main", _connection.Handle!, "main");
            if (backup.IsInvalid) throw Told(new SqliteException(raw.sqlite3_errmsg(copy._connection.Handle!).utf8_to_string(), 1));
            int step;
            do
            {
                ct.ThrowIfCancellationRequested();
                step = raw.sqlite3_backup_step(backup, PagesAStep);
                var pages = raw.sqlite3_backup_pagecount(backup);
                copied(pages - raw.sqlite3_backup_remaining(backup), pages);
            }
            while (step == Ok);
            if (step != Done)
                throw Told(new SqliteException($"{raw.sqlite3_errstr(step).utf8_to_string()} while copying to {target}", step));
        }
        finally { Execute("rollback"); }
    }

    void Execute(string sql)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        try { command.ExecuteNonQuery(); }
        catch (SqliteException e) { throw Told(e); }
    }

    /// <summary>The first column of the first row; null where there is none.</summary>
    public object? Ask(string sql, CancellationToken ct) => Lines(sql, 1, ct) is [var only] ? only : null;

    /// <summary>A whole number from the first column of the first row.</summary>
    public long Number(string sql, CancellationToken ct) => Convert.ToInt64(Ask(sql, ct), CultureInfo.InvariantCulture);

    /// <summary>A text from the first column of the first row.</summary>
    public string Text(string sql, CancellationToken ct) => Convert.ToString(Ask(sql, ct), CultureInfo.InvariantCulture) ?? "";

    /// <summary>The first column of the first rows.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; the query was broken off.</exception>
    public IReadOnlyList<object?> Lines(string sql, int most, CancellationToken ct)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        var handle = _connection.Handle!;
        using var stop = ct.Register(() => raw.sqlite3_interrupt(handle));
        try
        {
            ct.ThrowIfCancellationRequested();
            using var reader = command.ExecuteReader();
            var lines = new List<object?>();
            while (lines.Count < most && reader.Read()) lines.Add(reader.IsDBNull(0) ? null : reader.GetValue(0));
            return lines;
        }
        catch (SqliteException e) when (e.SqliteErrorCode == Interrupted) { throw new OperationCanceledException(e.Message, e, ct); }
        catch (SqliteException e) { throw Told(e); }
    }

    /// <summary>A name as it stands in a statement.</summary>
    public static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    SourceException Told(SqliteException e) => e.SqliteErrorCode switch
    {
        NotADatabase => new("sqlite.not_a_database", $"{_path} is no SQLite database, or it is encrypted.",
            "An encrypted database is backed up by the program that holds its key; or back up the file while that program is stopped.", e),
        CannotOpen => new("sqlite.cannot_open", $"{_path} cannot be opened: {e.Message}",
            "The backup must be able to read the file, and in WAL mode to write to its folder.", e),
        Busy or Locked => new("sqlite.busy", $"{_path} is held by a writer that did not let go: {e.Message}",
            "Give it longer, back up when it is quieter, or switch the database to WAL mode, in which nobody waits.", e),
        _ => new("sqlite.failed", $"{_path}: {e.Message}", null, e),
    };

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();
}
