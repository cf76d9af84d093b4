using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace BackupDr.Contracts;

/// <summary>Reads texts that an older version stored or sent, or that a person wrote: a member that the text leaves out keeps its
/// default.</summary>
/// <remarks>The generated reader of <see cref="WireJson"/> sets every init member, those that a text leaves out to zero or null: a policy
/// that was stored before there was a trash would be read as one without. Reading by reflection leaves them as the type makes
/// them.</remarks>
public static class StoredJson
{
    /// <summary>The shapes of <see cref="WireJson"/>, read so.</summary>
    public static IJsonTypeInfoResolver Resolver { get; } = JsonTypeInfoResolver.Combine(new KeptDefaults(), WireJson.Default);

    static readonly JsonSerializerOptions Options = new(WireJson.Default.Options) { TypeInfoResolver = Resolver };

    /// <summary>Reads a text.</summary>
    /// <exception cref="JsonException">It is no JSON of this shape.</exception>
    public static T Read<T>(string json) where T : class
        => JsonSerializer.Deserialize<T>(json, Options) ?? throw new JsonException("The text is null.");

    /// <summary>The same shape, read so that members which a text leaves out keep their defaults. Shapes of others stay as they
    /// are.</summary>
    public static JsonTypeInfo<T> Of<T>(JsonTypeInfo<T> shape)
        => shape.OriginatingResolver is WireJson ? (JsonTypeInfo<T>)Options.GetTypeInfo(typeof(T)) : shape;

    sealed class KeptDefaults : IJsonTypeInfoResolver
    {
        readonly DefaultJsonTypeInfoResolver _reflection = new();

        // Words, collections and values stay with the generated reader, and so does what a constructor makes: its optional parameters
        // are read right there, and the reader by reflection cannot describe those that default to an empty id.
        public JsonTypeInfo? GetTypeInfo(Type type, JsonSerializerOptions options)
            => type.IsClass && type.Assembly == typeof(StoredJson).Assembly && type.GetConstructor([]) is not null
                ? _reflection.GetTypeInfo(type, options) : null;
    }
}
