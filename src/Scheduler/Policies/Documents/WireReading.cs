using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace BackupDr.Scheduler.Policies.Documents;

/// <summary>Reads YAML as a type of the wire, strictly: what it does not know is a problem with its place.</summary>
sealed class WireReading(WireNames names, string file, ICollection<DocumentProblem> problems)
{
    /// <summary>The JSON of a value; null where there is none, or where something is wrong.</summary>
    public JsonNode? Read(YamlValue value, JsonTypeInfo type, string path) => type.Kind switch
    {
        JsonTypeInfoKind.Object => Group(value, type, path),
        JsonTypeInfoKind.Enumerable => List(value, type, path),
        JsonTypeInfoKind.Dictionary => Dictionary(value, type, path),
        _ => Scalar(value, Nullable.GetUnderlyingType(type.Type) ?? type.Type, path),
    };

    JsonNode? Wrong(YamlValue at, string text, string? hint) => Wrong(at.Line, at.Column, text, hint);

    JsonNode? Wrong(int line, int column, string text, string? hint)
    {
        problems.Add(new DocumentProblem(file, line, column, text, hint));
        return null;
    }

    static string Named(string path) => path.Length == 0 ? "The document" : $"'{path}'";

    static string Inner(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    JsonObject? Group(YamlValue value, JsonTypeInfo type, string path)
    {
        if (value is not YamlMap map)
        {
            Wrong(value, $"{Named(path)} is {value.What}, where members are expected.", $"Of {Choices(type)}.");
            return null;
        }
        var (made, members) = (new JsonObject(), WireYaml.Members(type).ToDictionary(member => member.Name));
        foreach (var given in map.Members)
        {
            if (!members.Remove(given.Name, out var member))
            {
                Unknown(given, type, path);
                continue;
            }
            if (given.Value is YamlScalar { IsNull: true })
            {
                if (MayBeNull(member)) continue;   // left out
                Wrong(given.Value, $"'{Inner(path, given.Name)}' has no value.", "Give one, or leave the line out.");
            }
            else made[given.Name] = Read(given.Value, WireYaml.TypeOf(type, member.PropertyType), Inner(path, given.Name));
        }
        foreach (var missing in members.Values)
            if (IsNeeded(missing)) Wrong(map, $"'{Inner(path, missing.Name)}' is missing.", null);
            else if (Default(type, missing) is { } own) made[missing.Name] = own;
        return made;
    }

    /// <summary>What a member is that nobody wrote. The serializer leaves it empty: it sets every member of a type that cannot be changed
    /// later, so that the type's own beginnings do not count.</summary>
    static JsonNode? Default(JsonTypeInfo type, JsonPropertyInfo member)
    {
        var fresh = Fresh.GetOrAdd(type.Type, one => one.GetConstructor([]) is null ? null : Activator.CreateInstance(one));
        return fresh is not null && member.Get!(fresh) is { } value
            ? JsonSerializer.SerializeToNode(value, WireYaml.TypeOf(type, member.PropertyType)) : null;
    }

    static readonly ConcurrentDictionary<Type, object?> Fresh = [];

    /// <summary>Whether a member means the same where it is left out.</summary>
    public static bool IsPlain(JsonTypeInfo type, JsonPropertyInfo member, JsonNode said)
        => !IsNeeded(member) && Default(type, member) is { } own && JsonNode.DeepEquals(own, said);

    static string Choices(JsonTypeInfo type) => string.Join(", ", WireYaml.Members(type).Select(member => member.Name));

    void Unknown(YamlMember given, JsonTypeInfo type, string path)
    {
        var near = Nearest.To(given.Name, WireYaml.Members(type).Select(member => member.Name));
        Wrong(given.Line, given.Column, path.Length == 0 ? $"'{given.Name}' is no member of a document."
            : $"'{given.Name}' is no member of '{path}'.", near is null ? $"It has {Choices(type)}." : $"Is '{near}' meant?");
    }

    /// <summary>Whether nothing can stand in its place: then it is the same as leaving it out.</summary>
    static bool MayBeNull(JsonPropertyInfo member)
        => Nullable.GetUnderlyingType(member.PropertyType) is not null || (!member.PropertyType.IsValueType && member.IsSetNullable);

    static bool IsNeeded(JsonPropertyInfo member)
        => member.IsRequired || member.AssociatedParameter is { HasDefaultValue: false, IsMemberInitializer: false };

    JsonArray? List(YamlValue value, JsonTypeInfo type, string path)
    {
        if (value is not YamlList list)
        {
            Wrong(value, $"{Named(path)} is {value.What}, where a list is expected.", $"Write {path.Split('.')[^1]}: [one, two], or lines "
                + "that begin with a dash.");
            return null;
        }
        var element = WireYaml.TypeOf(type, type.ElementType!);
        var made = new JsonArray();
        for (var at = 0; at < list.Values.Count; at++)
            if (list.Values[at] is YamlScalar { IsNull: true } nothing) Wrong(nothing, $"'{path}[{at}]' has no value.",
                "Leave the line out.");
            else made.Add(Read(list.Values[at], element, $"{path}[{at}]"));
        return made;
    }

    JsonObject? Dictionary(YamlValue value, JsonTypeInfo type, string path)
    {
        if (value is not YamlMap map)
        {
            Wrong(value, $"{Named(path)} is {value.What}, where names and values are expected.", null);
            return null;
        }
        var element = WireYaml.TypeOf(type, type.ElementType!);
        var made = new JsonObject();
        foreach (var member in map.Members) made[member.Name] = Read(member.Value, element, Inner(path, member.Name));
        return made;
    }

    JsonNode? Scalar(YamlValue value, Type type, string path)
    {
        if (value is not YamlScalar { Text: var text } scalar) return Wrong(value, $"{Named(path)} is {value.What}, where one value is "
            + "expected.", null);
        if (type == typeof(bool)) return text switch
        {
            "true" when scalar.IsPlain => JsonValue.Create(true),
            "false" when scalar.IsPlain => JsonValue.Create(false),
            _ => Wrong(value, $"{Named(path)} is {value.What}.", "Write true or false."),
        };
        if (type == typeof(TimeSpan)) return Lengths.Read(text) is { } time
            ? JsonValue.Create(time.ToString("c", CultureInfo.InvariantCulture))
            : Wrong(value, $"{Named(path)} is {value.What}, which is no length of time.", "Write a number and a unit: 90s, 15m, 24h, 30d.");
        if (type.IsEnum) return Word(value, text, type, path);
        if (type == typeof(int) || type == typeof(long)) return Number(scalar, type, path);
        if (type == typeof(double)) return scalar.IsPlain && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture,
            out var real)
            && double.IsFinite(real) ? JsonValue.Create(real) : Wrong(value, $"{Named(path)} is {value.What}, which is no number.", null);
        if (!WireNames.Has(type)) return JsonValue.Create(text);
        var (id, problem, hint) = names.Id(type, text);
        return id is null ? Wrong(value, $"{Named(path)}: {problem}", hint) : JsonValue.Create(id);
    }

    JsonNode? Number(YamlScalar scalar, Type type, string path)
    {
        var (least, most) = type == typeof(int) ? (int.MinValue, int.MaxValue) : (long.MinValue, long.MaxValue);
        return scalar.IsPlain && long.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number >= least && number <= most ? JsonValue.Create(number)
            : Wrong(scalar, $"{Named(path)} is {scalar.What}, which is no whole number.", "Write digits without quotes.");
    }

    JsonNode? Word(YamlValue value, string text, Type type, string path)
    {
        var words = Enum.GetNames(type);
        if (words.FirstOrDefault(one => string.Equals(one, text, StringComparison.OrdinalIgnoreCase)) is { } word)
            return JsonValue.Create(word);
        return Wrong(value, $"{Named(path)} is {value.What}.", $"It may be {string.Join(" or ", words)}.");
    }
}
