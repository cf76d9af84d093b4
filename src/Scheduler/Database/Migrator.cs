using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using Npgsql;

namespace BackupDr.Scheduler.Database;

/// <summary>Brings the database's schema to this version: the embedded files Migrations/NNNN_name.sql in the order of their
/// numbers.</summary>
/// <remarks>
/// All under one advisory lock, the only one that we use, each file in its own transaction. A file that was applied may not change
/// afterwards: its hash is compared. Files only expand; a contraction comes a release later, so nodes of two versions can share a schema.
/// </remarks>
public sealed class Migrator(NpgsqlDataSource source, TimeProvider clock, ILogger<Migrator> log)
{
    const long LockKey = 0x6261636b75706472;   // "backupdr"
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(500);

    /// <summary>The files that this version knows.</summary>
    internal IReadOnlyList<(string Name, string Sql)> Known { get; init; } = Files();

    /// <summary>Applies what is missing; waits up to 30 s for a database that is still starting.</summary>
    /// <exception cref="UnavailableException">The database cannot be reached.</exception>
    /// <exception cref="ConflictException">The database was made by a later version, or an applied file was changed.</exception>
    /// <param name="ct">Cancels between two files.</param>
    /// <param name="only">The names of those to apply; null for all.</param>
    public async Task Run(CancellationToken ct, IReadOnlyCollection<string>? only = null)
    {
        await using var connection = await OpenWhenReady(ct);
        await Execute(connection, $"select pg_advisory_lock({LockKey})", ct);
        try
        {
            await Execute(connection, "create table if not exists migration (name text primary key, hash text not null, applied_at "
                + "timestamptz not null default now())", ct);
            var applied = await Applied(connection, ct);
            var files = Known;
            if (applied.Keys.Concat(only ?? []).Except(files.Select(file => file.Name)).Order(StringComparer.Ordinal).LastOrDefault()
                is { } unknown)
                throw new ConflictException("database.newer",
                    $"The database has the migration {unknown}, which this version does not know.",
                    "Start the newer version, or restore the database of this one.");
            foreach (var (name, sql) in files.Where(file => only?.Contains(file.Name) != false))
            {
                var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sql)));
                if (applied.TryGetValue(name, out var known))
                {
                    if (known != hash) throw new ConflictException("database.migration_changed",
                        $"The migration {name} was applied with another content.",
                        "Start the version that made this database, or use another database.");
                    continue;
                }
                await Apply(connection, name, sql, hash, ct);
                log.LogInformation("Migrated the database: {Name}", name);
            }
        }
        finally
        {
            await Execute(connection, $"select pg_advisory_unlock({LockKey})", CancellationToken.None);
        }
    }

    static async Task Apply(NpgsqlConnection connection, string name, string sql, string hash, CancellationToken ct)
    {
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await Execute(connection, sql, ct);
        await using var command = new NpgsqlCommand("insert into migration (name, hash) values ($1, $2)", connection)
        {
            Parameters = { new() { Value = name }, new() { Value = hash } },
        };
        await command.ExecuteNonQueryAsync(ct);
        await transaction.CommitAsync(ct);
    }

    async Task<NpgsqlConnection> OpenWhenReady(CancellationToken ct)
    {
        var start = clock.GetTimestamp();
        for (var told = false; ;)
        {
            try
            {
                return await source.OpenConnectionAsync(ct);
            }
            catch (NpgsqlException e) when (IsStarting(e) && clock.GetElapsedTime(start) < Patience)
            {
                if (!told) log.LogWarning("The database does not answer yet ({Message}); waiting up to {Seconds} s", e.Message,
                    Patience.TotalSeconds);
                told = true;
                await Task.Delay(BetweenTries, clock, ct);
            }
            catch (NpgsqlException e)
            {
                throw new UnavailableException("database.unreachable",
                    $"The database cannot be used: {e.InnerException?.Message ?? e.Message}",
                    "Check Database:ConnectionString in the settings, and that PostgreSQL runs and admits this user.", e);
            }
        }
    }

    /// <summary>Refused connections, start-up and recovery pass; a wrong password or a missing database does not.</summary>
    static bool IsStarting(NpgsqlException e) => e is not PostgresException || e.IsTransient
        || e.SqlState is PostgresErrorCodes.CannotConnectNow;

    static async Task<Dictionary<string, string>> Applied(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("select name, hash from migration", connection);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var applied = new Dictionary<string, string>();
        while (await reader.ReadAsync(ct)) applied.Add(reader.GetString(0), reader.GetString(1));
        return applied;
    }

    internal static List<(string Name, string Sql)> Files()
    {
        var assembly = Assembly.GetExecutingAssembly();
        var files = new List<(string, string)>();
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
            files.Add((resource, reader.ReadToEnd()));
        }
        return files;
    }

    static async Task Execute(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(ct);
    }
}
