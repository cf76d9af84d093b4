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
            return new Transaction(source, connection, await connection.BeginTransactionAsync(ct));
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
    readonly NpgsqlDataSource _source;
    readonly NpgsqlConnection _connection;
    readonly NpgsqlTransaction _transaction;

    internal Transaction(NpgsqlDataSource source, NpgsqlConnection connection, NpgsqlTransaction transaction)
        => (_source, _connection, _transaction) = (source, connection, transaction);

    private protected override NpgsqlCommand Prepare(string sql) => new(sql, _connection, _transaction);

    /// <summary>Makes it durable and sends its notifications. A commit whose answer is lost is asked after: when this returns it took
    /// place, and when it throws a failure of the database it did not.</summary>
    /// <exception cref="Contracts.UnavailableException">"database.outcome_unknown": the database stayed away too long to ask.</exception>
    public async Task Commit(CancellationToken ct)
    {
        var mark = Guid.CreateVersion7();
        try
        {
            // One message to the server for both, so the mark costs no time on the way.
            await using var batch = new NpgsqlBatch(_connection, _transaction)
            {
                BatchCommands =
                {
                    new NpgsqlBatchCommand(CommitMark.Leave) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = mark } } },
                    new NpgsqlBatchCommand("commit"),
                },
            };
            await batch.ExecuteNonQueryAsync(ct);
        }
        catch (Exception e) when (Outage.LeavesCommitOpen(e))
        {
            if (!await CommitMark.TookPlace(_source, mark, e, ct)) throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _transaction.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
