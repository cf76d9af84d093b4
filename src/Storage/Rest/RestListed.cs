using System.Text.Json.Serialization;

namespace BackupDr.Storage.Rest;

/// <summary>One object in a listing of restic's REST protocol, version 2.</summary>
/// <param name="Name">Name within its kind; from a gateway's own listing the whole name.</param>
/// <param name="Size">Bytes.</param>
public sealed record RestListed([property: JsonPropertyName("name")] string Name, [property: JsonPropertyName("size")] long Size);

/// <summary>Of a problem in JSON (RFC 9457), what a person reads.</summary>
/// <param name="Title">What is wrong.</param>
/// <param name="Hint">What to do next; our own member.</param>
public sealed record RestProblem([property: JsonPropertyName("title")] string? Title, [property: JsonPropertyName("hint")] string? Hint);

/// <summary>How listings are read and written.</summary>
[JsonSerializable(typeof(RestListed))]
[JsonSerializable(typeof(RestProblem))]
[JsonSerializable(typeof(List<RestListed>))]
[JsonSerializable(typeof(List<string>))]
public sealed partial class RestJson : JsonSerializerContext;
