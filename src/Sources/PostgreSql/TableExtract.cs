using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What is taken out of a cluster as it was at a moment, and where to. Exactly one of <see cref="File"/> and <see cref="Into"/> is
/// set.</summary>
public sealed record TableExtractOptions
{
    /// <summary>The moment, and where the cluster is put up.</summary>
    public TemporaryClusterOptions Cluster { get; init; } = new();
    /// <summary>The database.</summary>
    public required string Database { get; init; }
    /// <summary>Its tables, each with its partitions; none for all of the database.</summary>
    public IReadOnlyList<TableName> Tables { get; init; } = [];
    /// <summary>Absolute path of the file to be; it appears whole or not at all.</summary>
    public string? File { get; init; }
    /// <summary>Whether the file holds statements for psql, and not what pg_restore reads.</summary>
    public bool IsPlain { get; init; }
    /// <summary>The server that it is loaded into.</summary>
    public ServerAddress? Live { get; init; }
    /// <summary>Where to in that server: for tables a schema of the database of the same name, made where there is none; for a whole
    /// database the name of one that does not exist.</summary>
    public string? Into { get; init; }
    /// <summary>The name of the one table there; null for its own.</summary>
    public string? Rename { get; init; }
}

/// <summary>A table that was taken out.</summary>
/// <param name="Table">As it was called.</param>
/// <param name="Rows">Rows at that moment, counted.</param>
/// <param name="Indexes">Indexes, those of keys among them.</param>
/// <param name="LoadedAs">What it is called where it was loaded; null in a file.</param>
public sealed record ExtractedTable(TableName Table, long Rows, int Indexes, string? LoadedAs);

/// <summary>What was taken out.</summary>
/// <param name="Restored">What was restored for it.</param>
/// <param name="Reached">Where recovery stopped, in the server's words.</param>
/// <param name="Tables">The tables; of a whole database all of them.</param>
/// <param name="Bytes">Of the file; 0 where it was loaded.</param>
/// <param name="Remarks">What a person should know.</param>
/// <param name="RestoreTime">From the first byte read to the end of recovery.</param>
public sealed record TableExtractSummary(ClusterRestoreSummary Restored, string Reached, IReadOnlyList<ExtractedTable> Tables, long Bytes,
    IReadOnlyList<string> Remarks, TimeSpan RestoreTime);

/// <summary>Takes tables, or a database, out of a base backup and its log: the cluster is put up as it was at the moment, where nobody can
/// reach it, they are dumped from there with all that belongs to them, and it is removed.</summary>
public sealed partial class TableExtract
{
    const string Near = "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where "
        + "c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' "
        + "order by c.relname = $1 desc, c.relname limit 20";

    readonly TableExtractOptions _options;
    readonly TemporaryCluster _cluster;
    readonly List<string> _remarks = [];

    TableExtract(TableExtractOptions options, TemporaryCluster cluster) => (_options, _cluster) = (options, cluster);

    PrivateServer Server => _cluster.Server;

    /// <summary>Takes them out.</summary>
    /// <exception cref="BadInputException">The options contradict each other, or a file is there already.</exception>
    /// <exception cref="NotFoundException">There was no such database or table.</exception>
    /// <exception cref="ConflictException">There is such a table or database where it was to be loaded.</exception>
    /// <exception cref="DeniedException">The role may not make anything there.</exception>
    /// <exception cref="SourceException">The moment cannot be reached, the server does not start, or the dump is not whole.</exception>
    /// <exception cref="RepositoryException">Damaged, Archived or Thawing.</exception>
    public static async Task<TableExtractSummary> Run(Repository repository, TableExtractOptions options,
        IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        Check(options);
        if (options is { Live: { } live, Into: { } into }) await MustBeFree(live, into, options, ct);
        await using var cluster = await TemporaryCluster.Open(repository, options.Cluster, progress, ct);
        return await new TableExtract(options, cluster).Run(ct);
    }

    static void Check(TableExtractOptions options)
    {
        if (options.File is null == options.Into is null)
            throw new BadInputException("--out", "Say where to: a file, or a name in the running server.", "Give one of --out and --into.");
        if (options is { Into: not null, Live: null })
            throw new BadInputException("--into", "The server to load into was not named.", "Give --pg-host and the like.");
        if (options.Rename is not null && (options.Into is null || options.Tables.Count != 1))
            throw new BadInputException("--as", "Only one table that is loaded can get another name.", "Give one table, and --into.");
        if (options.Tables.FirstOrDefault(table => table.Database != options.Database) is { } other)
            throw new BadInputException("table", $"{other} is not in the database {options.Database}.", "Take one database at a time.");
        if (options.File is not { } file) return;
        if (!file.StartsWith('/')) throw new BadInputException("--out", $"'{file}' is no absolute path.");
        if (Disk.Exists(file)) throw new BadInputException("--out", $"{file} is there already.", "Name a file that is not there yet.");
    }

    async Task<TableExtractSummary> Run(CancellationToken ct)
    {
        await using (var session = await ServerSession.Open(Server.Address, ct))
            if (!await session.Row("select exists (select from pg_database where datname = $1 and datallowconn)", row => row.GetBoolean(0),
                ct, _options.Database))
                throw new NotFoundException($"The database {_options.Database} at that moment", "There were: "
                    + string.Join(", ", await session.Rows("select datname::text from pg_database where datallowconn order by 1",
                        row => row.GetString(0), ct)) + ".");
        var (tables, bytes) = (await Found(ct), 0L);
        if (_options.File is { } file) bytes = await ToFile(file, await Patterns(tables, ct), ct);
        else tables = _options.Tables.Count > 0 ? await LoadTables(tables, ct) : await LoadDatabase(tables, ct);
        return new TableExtractSummary(_cluster.Restored, _cluster.Reached, tables, bytes, _remarks, _cluster.Time);
    }

    /// <summary>The tables with their rows and indexes.</summary>
    async Task<List<ExtractedTable>> Found(CancellationToken ct)
    {
        await using var session = await ServerSession.Open(Server.Address, ct, _options.Database);
        var wanted = _options.Tables.Count > 0 ? [.. _options.Tables]
            : await session.Rows(ClusterPeek.Listed + " order by 1, 2", row
                => new TableName(_options.Database, row.GetString(0), row.GetString(1)), ct);
        var found = new List<ExtractedTable>();
        foreach (var table in wanted)
        {
            if (await session.Text("select coalesce((select relkind::text from pg_class where oid = to_regclass($1)), '')", ct,
                table.Quoted) is not ("r" or "p" or "m"))
                throw new NotFoundException($"The table {table} at that moment", "There were: " + string.Join(", ",
                    await session.Rows(Near, row => row.GetString(0), ct, table.Name)) + ".");
            found.Add(await Counted(session, table, table, ct));
        }
        return found;
    }

    static async Task<ExtractedTable> Counted(ServerSession session, TableName table, TableName named, CancellationToken ct)
    {
        var rows = await session.Row($"select count(*) from {table.Quoted}", row => row.GetInt64(0), ct);
        return new ExtractedTable(named, rows, await session.Row("select count(*) from pg_index where indrelid = to_regclass($1)",
            row => (int)row.GetInt64(0), ct, table.Quoted), null);
    }

    /// <summary>What pg_dump is to take: the tables and their partitions; nothing for the whole database.</summary>
    async Task<List<string>> Patterns(IReadOnlyList<ExtractedTable> tables, CancellationToken ct)
    {
        if (_options.Tables.Count == 0) return [];
        await using var session = await ServerSession.Open(Server.Address, ct, _options.Database);
        return [.. (await WithPartitions(session, tables.Select(table => table.Table), ct))
            .SelectMany(table => (string[])["-t", table.Quoted])];
    }

    static async Task<List<TableName>> WithPartitions(ServerSession session, IEnumerable<TableName> tables, CancellationToken ct)
    {
        var all = new List<TableName>();
        foreach (var table in tables)
            all.AddRange(await session.Rows("""
                with recursive parts as (
                    select to_regclass($1)::oid as id union select inhrelid from pg_inherits join parts on inhparent = id)
                select n.nspname::text, c.relname::text from parts join pg_class c on c.oid = id
                join pg_namespace n on n.oid = c.relnamespace order by c.oid
                """, row => new TableName(table.Database, row.GetString(0), row.GetString(1)), ct, table.Quoted));
        return [.. all.Distinct()];
    }

    async Task<long> ToFile(string path, List<string> patterns, CancellationToken ct)
    {
        var making = path + ".new";
        try
        {
            Disk.MakeFolder(Path.GetDirectoryName(path)!);
            Disk.Write(making, []);   // nobody else may read it, and the program keeps that
            string[] words = [.. Server.Where, _options.IsPlain ? "-Fp" : "-Fc", "-f", making, .. patterns, "-d",
                TableName.Connection(_options.Database)];
            await using (var dump = ToolProcess.Start(Server.Program("pg_dump"), words))
                if (await dump.End(ct) is not 0 and var code) throw Failed("pg_dump", code, dump.Lines);
            using var folder = Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(path)!));
            folder.Rename(FilePath.FromText(Path.GetFileName(making)).Bytes, folder, FilePath.FromText(Path.GetFileName(path)).Bytes);
            folder.Sync();
            return Descriptor.StatOf(FilePath.FromText(path)).SizeBytes;
        }
        finally
        {
            if (Disk.Exists(making)) Disk.Remove(making);
        }
    }

    static SourceException Failed(string program, int code, IReadOnlyList<string> lines) => new("postgres.dump_failed",
        $"{program} ended with {code.ToString(CultureInfo.InvariantCulture)}: {string.Join(' ', Errors(lines))}",
        "Nothing was kept of it.");

    // After an error whole statements may be shown.
    static IEnumerable<string> Errors(IReadOnlyList<string> lines)
        => lines.Where(line => line.Contains("error:", StringComparison.Ordinal)).TakeLast(3).DefaultIfEmpty(ToolProcess.LastOf(lines));
}
