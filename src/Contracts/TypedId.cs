using System.Text.Json;
using System.Text.Json.Serialization;

namespace BackupDr.Contracts;

/// <summary>A typed id of whatever kind, for code that only needs the number.</summary>
public interface ITypedId
{
    /// <summary>The number.</summary>
    Guid Value { get; }
}

/// <summary>What every typed id offers: a prefix that makes it recognisable in logs, and a Guid v7 that sorts by creation time.</summary>
/// <typeparam name="TSelf">The id's own type.</typeparam>
public interface ITypedId<TSelf> : ITypedId where TSelf : struct, ITypedId<TSelf>
{
    /// <summary>For example "run"; the text form is "run_" and 32 hex characters.</summary>
    static abstract string Prefix { get; }

    /// <summary>Wraps a Guid read from the database.</summary>
    static abstract TSelf From(Guid value);
}

/// <summary>Text form of typed ids.</summary>
public static class TypedId
{
    /// <summary>A new id of this moment.</summary>
    public static T New<T>(TimeProvider clock) where T : struct, ITypedId<T> => T.From(Guid.CreateVersion7(clock.GetUtcNow()));

    /// <summary>"run_0193…".</summary>
    public static string Format<T>(T id) where T : struct, ITypedId<T> => $"{T.Prefix}_{id.Value:N}";

    /// <summary>Reads the text form.</summary>
    /// <exception cref="BadInputException">It is no id of this kind; the message shows how one looks.</exception>
    public static T Parse<T>(string text) where T : struct, ITypedId<T> => TryParse<T>(text, out var id) ? id
        : throw new BadInputException(T.Prefix, $"'{text}' is not a {T.Prefix} id.",
            $"Such an id looks like {T.Prefix}_ followed by 32 hexadecimal characters.");

    /// <summary>Reads the text form; false where it is none.</summary>
    public static bool TryParse<T>(string? text, out T id) where T : struct, ITypedId<T>
    {
        id = default;
        if (text is null || text.Length != T.Prefix.Length + 33 || text[T.Prefix.Length] != '_') return false;
        if (!text.StartsWith(T.Prefix, StringComparison.Ordinal)) return false;
        if (!Guid.TryParseExact(text.AsSpan(T.Prefix.Length + 1), "N", out var value)) return false;
        id = T.From(value);
        return true;
    }
}

/// <summary>Writes a typed id as its text form.</summary>
/// <typeparam name="T">The id's type.</typeparam>
public sealed class TypedIdJsonConverter<T> : JsonConverter<T> where T : struct, ITypedId<T>
{
    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        => TypedId.TryParse<T>(reader.GetString(), out var id) ? id : throw new JsonException($"not a {T.Prefix} id");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
        => writer.WriteStringValue(TypedId.Format(value));
}
