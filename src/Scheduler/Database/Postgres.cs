using Npgsql;

namespace BackupDr.Scheduler.Database;

/// <summary>The database. Each call uses a pooled connection to the primary; <see cref="Begin"/> starts a transaction.</summary>
public sealed class Postgres(NpgsqlDataSource source) : SqlSource
{
    private protected override NpgsqlCommand Prepare(string sql) => source.CreateCommand(sql);

    /// <summary>Starts a transaction (read committed). What is not committed is rolled back on dispose.</summary>
    public async Task<Transaction> Begin(CancellationToken ct)
    {
        var connection = await source.OpenConnectionAsync(ct);
        try
        {
            return new Transaction(connection, await connection.BeginTransactionAsync(ct));
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>A connection of its own, for LISTEN and COPY. The caller disposes it.</summary>
    public async Task<NpgsqlConnection> Connect(CancellationToken ct) => await source.OpenConnectionAsync(ct);
}

/// <summary>One transaction.</summary>
public sealed class Transaction : SqlSource, IAsyncDisposable
{
    readonly NpgsqlConnection _connection;
    readonly NpgsqlTransaction _transaction;

    internal Transaction(NpgsqlConnection connection, NpgsqlTransaction transaction) => (_connection, _transaction) =
        (connection, transaction);

    private protected override NpgsqlCommand Prepare(string sql) => new(sql, _connection, _transaction);

    /// <summary>Makes it durable and sends its notifications.</summary>
    public Task Commit(CancellationToken ct) => _transaction.CommitAsync(ct);

    public async ValueTask DisposeAsync()
    {
        await _transaction.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
