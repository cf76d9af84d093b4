using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace BackupDr.Scheduler.Database;

/// <summary>Something that runs SQL: the database, or one transaction of it. Parameters are positional ($1, $2 …).</summary>
/// <remarks>
/// Values may be typed ids, enums (stored as words), <see cref="FilePath"/> (stored in its text form), <see cref="JsonText"/>
/// and whatever Npgsql takes. Table methods that only read take a <see cref="SqlSource"/>, so they work inside and outside a transaction.
/// </remarks>
public abstract class SqlSource
{
    private protected abstract NpgsqlCommand Prepare(string sql);

    /// <summary>Runs a statement and gives the number of rows that it touched.</summary>
    public async Task<int> Execute(string sql, IReadOnlyList<object?> values, CancellationToken ct)
    {
        await using var command = Fill(Prepare(sql), values);
        return await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>All rows.</summary>
    public async Task<List<T>> Query<T>(string sql, IReadOnlyList<object?> values, Func<Row, T> read, CancellationToken ct)
    {
        await using var command = Fill(Prepare(sql), values);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var rows = new List<T>();
        while (await reader.ReadAsync(ct)) rows.Add(read(new Row(reader)));
        return rows;
    }

    /// <summary>The first row, or the type's default where there is none.</summary>
    public async Task<T?> First<T>(string sql, IReadOnlyList<object?> values, Func<Row, T> read, CancellationToken ct)
    {
        await using var command = Fill(Prepare(sql), values);
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? read(new Row(reader)) : default;
    }

    /// <summary>The first column of the first row, or the type's default where there is no row or no value.</summary>
    public async Task<T?> Scalar<T>(string sql, IReadOnlyList<object?> values, CancellationToken ct)
    {
        await using var command = Fill(Prepare(sql), values);
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) && !await reader.IsDBNullAsync(0, ct) ? await reader.GetFieldValueAsync<T>(0, ct) : default;
    }

    static NpgsqlCommand Fill(NpgsqlCommand command, IReadOnlyList<object?> values)
    {
        foreach (var value in values) command.Parameters.Add(Parameter(value));
        return command;
    }

    static NpgsqlParameter Parameter(object? value) => value switch
    {
        null => new NpgsqlParameter { Value = DBNull.Value },
        ITypedId id => new NpgsqlParameter<Guid> { TypedValue = id.Value },
        FilePath path => new NpgsqlParameter<string> { TypedValue = path.ToString() },
        Enum word => new NpgsqlParameter<string> { TypedValue = word.ToString() },
        JsonText json => new NpgsqlParameter<string> { TypedValue = json.Text, NpgsqlDbType = NpgsqlDbType.Jsonb },
        DateTimeOffset time => new NpgsqlParameter<DateTimeOffset> { TypedValue = time.ToUniversalTime() },
        _ => new NpgsqlParameter { Value = value },
    };
}

/// <summary>A value for a jsonb column.</summary>
public readonly record struct JsonText(string Text)
{
    /// <summary>Writes a value with its <see cref="WireJson"/> shape; null stays null.</summary>
    public static object? Of<T>(T? value, JsonTypeInfo<T> shape)
        => value is null ? null : new JsonText(System.Text.Json.JsonSerializer.Serialize(value, shape));
}
