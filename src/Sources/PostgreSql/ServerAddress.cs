using BackupDr.Contracts;
using Npgsql;

namespace BackupDr.Sources.PostgreSql;

/// <summary>How to reach a PostgreSQL server.</summary>
public sealed record ServerAddress
{
    /// <summary>Folder of its socket, or a host name or address. Default: Debian's socket folder.</summary>
    public string Host { get; init; } = "/var/run/postgresql";
    /// <summary>Port; names the socket too.</summary>
    public int Port { get; init; } = 5432;
    /// <summary>Role.</summary>
    public string User { get; init; } = "backupdr";
    /// <summary>Database to connect to; what is asked of the others is asked there.</summary>
    public string Database { get; init; } = "postgres";
    /// <summary>Password; null where the server needs none.</summary>
    public Secret? Password { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{User}@{Host}:{Port}";

    internal string ConnectionString(string? database = null) => new NpgsqlConnectionStringBuilder
    {
        Host = Host,
        Port = Port,
        Username = User,
        Password = Password?.Reveal(),
        Database = database ?? Database,
        ApplicationName = "backupdr",
        Pooling = false,
        Timeout = 15,
        CommandTimeout = 0,
        KeepAlive = 20,
        TcpKeepAlive = true,
    }.ConnectionString;
}

/// <summary>One connection to a server, with its failures in our words.</summary>
sealed class ServerSession : IAsyncDisposable
{
    readonly NpgsqlConnection _connection;
    readonly ServerAddress _address;

    ServerSession(NpgsqlConnection connection, ServerAddress address) => (_connection, _address) = (connection, address);

    /// <summary>Whether the connection is still there, as far as its keep-alives tell.</summary>
    public bool IsOpen => _connection.FullState.HasFlag(System.Data.ConnectionState.Open)
        && !_connection.FullState.HasFlag(System.Data.ConnectionState.Broken);

    /// <summary>The version in the server's own counting, for example 150002.</summary>
    public int Version => _connection.PostgreSqlVersion.Major * 10_000 + _connection.PostgreSqlVersion.Minor;

    /// <exception cref="UnavailableException">The server does not answer.</exception>
    /// <exception cref="DeniedException">It does not let this role in.</exception>
    public static async Task<ServerSession> Open(ServerAddress address, CancellationToken ct, string? database = null)
    {
        var connection = new NpgsqlConnection(address.ConnectionString(database));
        var session = new ServerSession(connection, address);
        try
        {
            await connection.OpenAsync(ct);
            // A server may end sessions that wait, and this one waits while the files are read.
            await session.Execute("set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0", ct);
            if (session.Version >= 140_000) await session.Execute("set idle_session_timeout = 0", ct);
            return session;
        }
        catch (Exception e)
        {
            await connection.DisposeAsync();
            if (e is NpgsqlException failure) throw session.Explain(failure);
            throw;
        }
    }

    /// <summary>Runs statements.</summary>
    public async Task Execute(string sql, CancellationToken ct, params object[] values)
    {
        await using var command = Command(sql, values);
        try { await command.ExecuteNonQueryAsync(ct); }
        catch (NpgsqlException e) { throw Explain(e); }
    }

    /// <summary>The rows of a query.</summary>
    public async Task<List<T>> Rows<T>(string sql, Func<NpgsqlDataReader, T> read, CancellationToken ct, params object[] values)
    {
        await using var command = Command(sql, values);
        try
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            var rows = new List<T>();
            while (await reader.ReadAsync(ct)) rows.Add(read(reader));
            return rows;
        }
        catch (NpgsqlException e) { throw Explain(e); }
    }

    /// <summary>The one row of a query.</summary>
    public async Task<T> Row<T>(string sql, Func<NpgsqlDataReader, T> read, CancellationToken ct, params object[] values)
        => (await Rows(sql, read, ct, values)) is [var row] ? row
            : throw new SourceException("postgres.refused", $"{_address} did not give exactly one row for: {sql}");

    /// <summary>The text of a query's only value; "" for null.</summary>
    public Task<string> Text(string sql, CancellationToken ct, params object[] values)
        => Row(sql, row => row.IsDBNull(0) ? "" : Convert.ToString(row.GetValue(0), System.Globalization.CultureInfo.InvariantCulture)!, ct,
            values);

    /// <summary>The rows of one query of a person's, each value as the server writes it.</summary>
    public async Task<PeekedRows> Texts(string sql, int most, CancellationToken ct)
    {
        await using var command = Command(sql, []);
        command.AllResultTypesAreUnknown = true;
        try
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            var columns = Enumerable.Range(0, reader.FieldCount).Select(reader.GetName).ToList();
            var rows = new List<IReadOnlyList<string?>>();
            var isCut = false;
            while (!isCut && await reader.ReadAsync(ct))
            {
                isCut = rows.Count == most;
                if (!isCut) rows.Add([.. columns.Select((_, at) => reader.IsDBNull(at) ? null : reader.GetString(at))]);
            }
            if (await reader.NextResultAsync(ct))
                throw new BadInputException("--query", "These are several statements.", "Give one query.");
            return new PeekedRows(columns, rows, isCut);
        }
        catch (NpgsqlException e) { throw Explain(e); }
    }

    NpgsqlCommand Command(string sql, object[] values)
    {
        var command = new NpgsqlCommand(sql, _connection);
        foreach (var value in values) command.Parameters.Add(new NpgsqlParameter { Value = value });
        return command;
    }

    BackupDrException Explain(NpgsqlException e) => e switch
    {
        PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } denied => new DeniedException(
            $"{_address} may not do that: {denied.MessageText}.", "Run 'backupdr pg preflight': it shows the statement that grants it."),
        PostgresException { SqlState: "28P01" or "28000" } stranger => new DeniedException(
            $"The server does not let {_address} in: {stranger.MessageText}.",
            LetIn(stranger)),
        PostgresException refused => new ServerException(refused.SqlState,
            $"{_address} answered: {refused.MessageText}." + (refused.Detail is null ? "" : $" {refused.Detail}"), refused.Hint),
        _ => new UnavailableException("postgres.unreachable", $"{_address} cannot be reached: {Innermost(e)}",
            "Check that the server runs, and its host and port.", e),
    };

    /// <summary>What lets the role in.</summary>
    string LetIn(PostgresException refused)
    {
        var role = TableName.Quote(_address.User);
        return refused.MessageText switch
        {
            _ when refused.SqlState == "28P01" => $"ALTER ROLE {role} PASSWORD '…'; -- or write the right one into its password file",
            var words when words.Contains("does not exist", StringComparison.Ordinal)
                => $"CREATE ROLE {role} LOGIN REPLICATION PASSWORD '…';",
            var words when words.Contains("not permitted to log in", StringComparison.Ordinal) => $"ALTER ROLE {role} LOGIN;",
            _ => $"Write into pg_hba.conf: '{(_address.Host.StartsWith('/') ? "local all " : "host all ")}{_address.User}"
                + (_address.Host.StartsWith('/') ? "" : " samehost")
                + " scram-sha-256', before the lines for all; then SELECT pg_reload_conf();",
        };
    }

    static string Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e.Message;

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}

/// <summary>The server refused a statement.</summary>
/// <param name="sqlState">Its five characters.</param>
/// <param name="message">Its words.</param>
/// <param name="hint">Its hint.</param>
sealed class ServerException(string sqlState, string message, string? hint) : BackupDrException("postgres.refused", message, hint)
{
    /// <summary>The five characters of SQL's error classes.</summary>
    public string SqlState { get; } = sqlState;
}
