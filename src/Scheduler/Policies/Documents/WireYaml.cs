using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace BackupDr.Scheduler.Policies.Documents;

/// <summary>
/// The one place that maps YAML to the JSON of the wire and back. It knows no policy: members, kinds and words come from the wire's own
/// description of its types, so a member that is added there is one of documents too.
/// </summary>
/// <remarks>Differences from JSON: lengths of time are "24h" and "30d", hosts and locations go by name, words in any case.</remarks>
static class WireYaml
{
    /// <summary>Members of a type, as the wire has them.</summary>
    public static IEnumerable<JsonPropertyInfo> Members(JsonTypeInfo type) => type.Properties.Where(member => member.Get is not null);

    public static JsonTypeInfo TypeOf(JsonTypeInfo holder, Type type) => holder.Options.GetTypeInfo(type);

    static Type Plain(Type type) => Nullable.GetUnderlyingType(type) ?? type;

    /// <summary>A value of the wire as YAML.</summary>
    /// <param name="value">The value.</param>
    /// <param name="type">Its type.</param>
    /// <param name="names">Names that stand for ids.</param>
    /// <param name="isBrief">Whether members are left out that say what they would say anyhow.</param>
    public static YamlValue Write<T>(T value, JsonTypeInfo<T> type, WireNames names, bool isBrief = false)
        => Write(JsonSerializer.SerializeToNode(value, type), type, names, isBrief);

    static YamlValue Write(JsonNode? node, JsonTypeInfo type, WireNames names, bool isBrief)
    {
        if (node is null) return new YamlScalar("null", IsPlain: true);
        switch (type.Kind)
        {
            case JsonTypeInfoKind.Object:
                var group = node.AsObject();
                return new YamlMap([.. Members(type).Where(member => group[member.Name] is { } said
                    && !(isBrief && WireReading.IsPlain(type, member, said))).Select(member
                    => new YamlMember(member.Name, Write(group[member.Name], TypeOf(type, member.PropertyType), names, isBrief)))]);
            case JsonTypeInfoKind.Enumerable:
                var element = TypeOf(type, type.ElementType!);
                return new YamlList([.. node.AsArray().Select(one => Write(one, element, names, isBrief))]);
            case JsonTypeInfoKind.Dictionary:
                var inner = TypeOf(type, type.ElementType!);
                return new YamlMap([.. node.AsObject().Select(one => new YamlMember(one.Key, Write(one.Value, inner, names, isBrief)))]);
            default:
                if (node.GetValueKind() != JsonValueKind.String) return new YamlScalar(node.ToJsonString(), IsPlain: true);
                var (clr, text) = (Plain(type.Type), node.GetValue<string>());
                if (clr == typeof(TimeSpan))
                    return new YamlScalar(Lengths.Write(TimeSpan.ParseExact(text, "c", CultureInfo.InvariantCulture)), IsPlain: true);
                return YamlScalar.Of(WireNames.Has(clr) ? names.Name(clr, text) : text);
        }
    }

    /// <summary>Reads YAML into a value of the wire; null where something is wrong, which is told.</summary>
    public static T? Read<T>(YamlValue value, JsonTypeInfo<T> type, WireNames names, string file, ICollection<DocumentProblem> problems)
        where T : class
    {
        var before = problems.Count;
        var node = new WireReading(names, file, problems).Read(value, type, "");
        if (problems.Count > before) return null;
        try { return node.Deserialize(type); }
        catch (JsonException e)
        {
            var at = At(value, e.Path ?? "$");
            problems.Add(new DocumentProblem(file, at.Line, at.Column, $"{at.What} cannot stand here{Member(e.Path)}.",
                "docs/operate/policy-files.md has an example of every member."));
            return null;
        }
    }

    static string Member(string? path) => path is { Length: > 2 } ? $", at {path[2..]}" : "";

    /// <summary>The value that a path of the serializer leads to: "$.spec.retention.keepDaily", "$.items[2].host".</summary>
    static YamlValue At(YamlValue value, string path)
    {
        foreach (var part in path.TrimStart('$').Split(['.', '[', ']'], StringSplitOptions.RemoveEmptyEntries))
        {
            var next = value switch
            {
                YamlMap map => map.Find(part.Trim('\''))?.Value,
                YamlList list when int.TryParse(part, out var at) && at < list.Values.Count => list.Values[at],
                _ => null,
            };
            if (next is null) break;
            value = next;
        }
        return value;
    }
}
