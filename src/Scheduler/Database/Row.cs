using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using Npgsql;

namespace BackupDr.Scheduler.Database;

/// <summary>The current row of a result, read by column names.</summary>
public readonly struct Row(NpgsqlDataReader reader)
{
    public bool IsNull(string column) => reader.IsDBNull(reader.GetOrdinal(column));
    public string Text(string column) => reader.GetString(reader.GetOrdinal(column));
    public string? TextOrNull(string column) => IsNull(column) ? null : Text(column);
    public int Int(string column) => reader.GetInt32(reader.GetOrdinal(column));
    public long Long(string column) => reader.GetInt64(reader.GetOrdinal(column));
    public double Double(string column) => reader.GetDouble(reader.GetOrdinal(column));
    public bool Bool(string column) => reader.GetBoolean(reader.GetOrdinal(column));
    public byte[] Bytes(string column) => reader.GetFieldValue<byte[]>(reader.GetOrdinal(column));
    public byte[]? BytesOrNull(string column) => IsNull(column) ? null : Bytes(column);
    public string[] Texts(string column) => reader.GetFieldValue<string[]>(reader.GetOrdinal(column));
    public Guid Guid(string column) => reader.GetGuid(reader.GetOrdinal(column));
    public Guid[] Uuids(string column) => reader.GetFieldValue<Guid[]>(reader.GetOrdinal(column));
    public DateTimeOffset Time(string column) => reader.GetFieldValue<DateTimeOffset>(reader.GetOrdinal(column));
    public DateTimeOffset? TimeOrNull(string column) => IsNull(column) ? null : Time(column);
    public DateOnly Day(string column) => reader.GetFieldValue<DateOnly>(reader.GetOrdinal(column));
    public TimeSpan Span(string column) => reader.GetFieldValue<TimeSpan>(reader.GetOrdinal(column));
    public TimeSpan? SpanOrNull(string column) => IsNull(column) ? null : Span(column);

    // By position, for statements that read many columns.
    public bool IsNull(int column) => reader.IsDBNull(column);
    public string Text(int column) => reader.GetString(column);
    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);
    public int Int(int column) => reader.GetInt32(column);
    public long Long(int column) => reader.GetInt64(column);
    public double Double(int column) => reader.GetDouble(column);
    public bool Bool(int column) => reader.GetBoolean(column);
    public byte[] Bytes(int column) => reader.GetFieldValue<byte[]>(column);
    public DateTimeOffset Time(int column) => reader.GetFieldValue<DateTimeOffset>(column);
    public DateTimeOffset? TimeOrNull(int column) => IsNull(column) ? null : Time(column);
    public T Id<T>(int column) where T : struct, ITypedId<T> => T.From(reader.GetGuid(column));
    public T? IdOrNull<T>(int column) where T : struct, ITypedId<T> => IsNull(column) ? null : Id<T>(column);
    public T Word<T>(int column) where T : struct, Enum => Word<T>(reader.GetName(column));

    /// <summary>A typed id.</summary>
    public T Id<T>(string column) where T : struct, ITypedId<T> => T.From(reader.GetGuid(reader.GetOrdinal(column)));

    /// <summary>A typed id, or null.</summary>
    public T? IdOrNull<T>(string column) where T : struct, ITypedId<T> => IsNull(column) ? null : Id<T>(column);

    /// <summary>An array of typed ids.</summary>
    public IReadOnlyList<T> Ids<T>(string column) where T : struct, ITypedId<T>
        => Array.ConvertAll(reader.GetFieldValue<Guid[]>(reader.GetOrdinal(column)), T.From);

    /// <summary>An enum stored as its word.</summary>
    /// <exception cref="InvalidOperationException">The column holds a word that this version does not know.</exception>
    public T Word<T>(string column) where T : struct, Enum => Enum.TryParse<T>(Text(column), out var value) && Enum.IsDefined(value) ? value
        : throw new InvalidOperationException($"Column {column} holds '{Text(column)}', which is no {typeof(T).Name}.");

    /// <summary>An enum stored as its word, or null.</summary>
    public T? WordOrNull<T>(string column) where T : struct, Enum => IsNull(column) ? null : Word<T>(column);

    /// <summary>A path stored in its text form.</summary>
    public FilePath Path(string column) => FilePath.Parse(Text(column));

    /// <summary>A path stored in its text form, or null.</summary>
    public FilePath? PathOrNull(string column) => IsNull(column) ? null : Path(column);

    /// <summary>A value of a jsonb column, or null. What an older version did not store has its default.</summary>
    public T? Json<T>(string column, JsonTypeInfo<T> shape) where T : class => IsNull(column) ? null
        : JsonSerializer.Deserialize(Text(column), StoredJson.Of(shape));
}
