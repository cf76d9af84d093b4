using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Restore;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What is looked at in a cluster as it was at a moment.</summary>
public sealed record ClusterPeekOptions
{
    /// <summary>Most tables that are listed.</summary>
    public const int MostTables = 5000;
    /// <summary>Most rows that a query gives.</summary>
    public const int MostRows = 1000;

    /// <summary>The moment, and where the cluster is put up.</summary>
    public TemporaryClusterOptions Cluster { get; init; } = new();
    /// <summary>Database whose tables are listed, and in which the query runs; null for all, and for "postgres".</summary>
    public string? Database { get; init; }
    /// <summary>Longest counting of rows, in all; what is not counted by then is listed without a number. Zero for none. Default 1 min.
    /// </summary>
    public TimeSpan CountLimit { get; init; } = TimeSpan.FromMinutes(1);
    /// <summary>One query; null for none. It may read every table, and write nothing.</summary>
    public string? Query { get; init; }
    /// <summary>Longest query. Default 30 s.</summary>
    public TimeSpan QueryLimit { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>A table as it was at a moment.</summary>
/// <param name="Table">Its name.</param>
/// <param name="Kind">"table", "partitioned table" or "materialized view".</param>
/// <param name="Rows">Rows, counted; null where there was no time for it.</param>
/// <param name="Bytes">With indexes and large values.</param>
public sealed record PeekedTable(TableName Table, string Kind, long? Rows, long Bytes);

/// <summary>What a query gave: at most <see cref="ClusterPeekOptions.MostRows"/> rows of texts, null for null.</summary>
/// <param name="Columns">Names of its columns.</param>
/// <param name="Rows">Its rows.</param>
/// <param name="IsCut">Whether there are more.</param>
public sealed record PeekedRows(IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string?>> Rows, bool IsCut);

/// <summary>What was seen.</summary>
/// <param name="Restored">What was restored for it.</param>
/// <param name="Reached">Where recovery stopped, in the server's words.</param>
/// <param name="Databases">The databases that let somebody in.</param>
/// <param name="Tables">Their tables, by name; at most <see cref="ClusterPeekOptions.MostTables"/>.</param>
/// <param name="TableCount">How many there are.</param>
/// <param name="Answer">What the query gave; null where there was none.</param>
/// <param name="RestoreTime">From the first byte read to the end of recovery.</param>
public sealed record ClusterPeekReport(ClusterRestoreSummary Restored, string Reached, IReadOnlyList<string> Databases,
    IReadOnlyList<PeekedTable> Tables, int TableCount, PeekedRows? Answer, TimeSpan RestoreTime);

/// <summary>Looks into a cluster as it was at a moment: it is put up where nobody can reach it, its tables are listed and their rows
/// counted, a query is answered, and it is removed.</summary>
public static class ClusterPeek
{
    const string Reader = "backupdr_peek";

    internal const string Listed = """
        select n.nspname::text, c.relname::text, c.relkind::text,
            case when c.relkind = 'p'
                then (select coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint from pg_partition_tree(c.oid) t)
                else pg_total_relation_size(c.oid) end
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't' and not c.relispartition
          and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
        """;

    /// <summary>Looks.</summary>
    /// <exception cref="BadInputException">A limit is none, or there is no such folder.</exception>
    /// <exception cref="NotFoundException">There was no such database.</exception>
    /// <exception cref="SourceException">The moment cannot be reached, the server does not start, or the query cannot be
    /// answered.</exception>
    /// <exception cref="RepositoryException">Damaged, Archived or Thawing.</exception>
    public static async Task<ClusterPeekReport> Run(Repository repository, ClusterPeekOptions options, IProgress<RestoreProgress>? progress,
        CancellationToken ct)
    {
        if (options.QueryLimit < TimeSpan.FromSeconds(1))
            throw new BadInputException("--timeout", $"--timeout: {options.QueryLimit} is too short.", "Write for example 30s.");
        await using var cluster = await TemporaryCluster.Open(repository, options.Cluster, progress, ct);
        var address = cluster.Server.Address;
        var databases = await Databases(address, options.Database, ct);
        var tables = new List<PeekedTable>();
        foreach (var database in databases) tables.AddRange(await Tables(address, database, ct));
        var listed = tables.Take(ClusterPeekOptions.MostTables).ToList();
        if (options.CountLimit > TimeSpan.Zero) listed = await Count(address, listed, options.CountLimit, repository.Options.Clock, ct);
        var version = cluster.Restored.Manifest.ServerVersion;
        var answer = options.Query is { } query
            ? await Ask(address, options.Database ?? "postgres", query, options.QueryLimit, version, ct) : null;
        return new ClusterPeekReport(cluster.Restored, cluster.Reached, databases, listed, tables.Count, answer, cluster.Time);
    }

    static async Task<List<string>> Databases(ServerAddress address, string? wanted, CancellationToken ct)
    {
        await using var session = await ServerSession.Open(address, ct);
        var all = await session.Rows("select datname::text from pg_database where datallowconn and not datistemplate order by 1",
            row => row.GetString(0), ct);
        return wanted is null ? all : all.Contains(wanted) ? [wanted]
            : throw new NotFoundException($"The database {wanted} at that moment", $"There were: {string.Join(", ", all)}.");
    }

    static async Task<List<PeekedTable>> Tables(ServerAddress address, string database, CancellationToken ct)
    {
        await using var session = await ServerSession.Open(address, ct, database);
        return await session.Rows(Listed + " order by 1, 2", row => new PeekedTable(
            new TableName(database, row.GetString(0), row.GetString(1)),
            row.GetString(2) switch { "r" => "table", "p" => "partitioned table", _ => "materialized view" }, null, row.GetInt64(3)), ct);
    }

    // The small ones first, so that most have a number when the time is over.
    static async Task<List<PeekedTable>> Count(ServerAddress address, List<PeekedTable> tables, TimeSpan limit, TimeProvider clock,
        CancellationToken ct)
    {
        var begun = clock.GetTimestamp();
        var counted = new Dictionary<TableName, long>();
        foreach (var inDatabase in tables.GroupBy(table => table.Table.Database))
        {
            await using var session = await ServerSession.Open(address, ct, inDatabase.Key);
            foreach (var (table, _, _, _) in inDatabase.OrderBy(table => table.Bytes))
            {
                var left = (long)(limit - clock.GetElapsedTime(begun)).TotalMilliseconds;
                if (left < 1) break;
                try
                {
                    await session.Execute($"set statement_timeout = {left.ToString(CultureInfo.InvariantCulture)}", ct);
                    counted[table] = await session.Row($"select count(*) from {table.Quoted}", row => row.GetInt64(0), ct);
                }
                // Out of time, or a materialized view that was never filled.
                catch (ServerException e) when (e.SqlState is "57014" or "55000") { continue; }
            }
        }
        return [.. tables.Select(table => table with { Rows = counted.TryGetValue(table.Table, out var rows) ? rows : null })];
    }

    /// <summary>One query, as a role that may read every table and do nothing else: the superuser's could run programs.</summary>
    static async Task<PeekedRows> Ask(ServerAddress address, string database, string query, TimeSpan limit, int version,
        CancellationToken ct)
    {
        await using (var session = await ServerSession.Open(address, ct, database))
        {
            await session.Execute($"create role {Reader} login nosuperuser bypassrls", ct);
            if (version >= 140_000) await session.Execute($"grant pg_read_all_data to {Reader}", ct);
            else
                foreach (var schema in await session.Rows("select nspname::text from pg_namespace where nspname !~ '^pg_'",
                    row => row.GetString(0), ct))
                    await session.Execute($"grant usage on schema {TableName.Quote(schema)} to {Reader}; "
                        + $"grant select on all tables in schema {TableName.Quote(schema)} to {Reader}", ct);
            await session.Execute($"grant connect on database {TableName.Quote(database)} to {Reader}", ct);
        }
        await using var reading = await ServerSession.Open(address with { User = Reader }, ct, database);
        var milliseconds = ((long)limit.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        await reading.Execute($"set statement_timeout = {milliseconds}; set default_transaction_read_only = on", ct);
        try { return await reading.Texts(query, ClusterPeekOptions.MostRows, ct); }
        catch (BackupDrException e) when (e is ServerException or DeniedException)
        {
            throw new SourceException("postgres.query", $"The query was not answered: {e.Message}",
                e is ServerException { SqlState: "57014" } ? "Give it more time with --timeout."
                    : "It may read every table, and write nothing.", e);
        }
    }
}
