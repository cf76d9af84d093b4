using System.Globalization;
using System.Text.Json;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>A place in JSON: "$", then ".name", "['name']" and "[0]" in any order. What filters and searches is not read.</summary>
public sealed class JsonPlace
{
    const int MostParts = 32;
    readonly List<(string? Name, int At)> _parts = [];

    JsonPlace() { }

    /// <summary>Reads the text of one; null where it is none.</summary>
    public static JsonPlace? Parse(string text)
    {
        var place = new JsonPlace();
        if (!text.StartsWith('$')) return null;
        for (var at = 1; at < text.Length;)
        {
            if (place._parts.Count == MostParts) return null;
            var end = text[at] == '.' ? Name(text, at + 1, place) : Bracket(text, at, place);
            if (end < 0) return null;
            at = end;
        }
        return place;
    }

    static int Name(string text, int from, JsonPlace place)
    {
        var end = from;
        while (end < text.Length && (char.IsLetterOrDigit(text[end]) || text[end] is '_' or '-')) end++;
        if (end == from) return -1;
        place._parts.Add((text[from..end], -1));
        return end;
    }

    static int Bracket(string text, int from, JsonPlace place)
    {
        if (text[from] != '[') return -1;
        var isName = from + 1 < text.Length && text[from + 1] == '\'';
        var begin = isName ? from + 2 : from + 1;
        var end = begin > text.Length ? -1 : text.IndexOf(isName ? "']" : "]", begin, StringComparison.Ordinal);
        if (end <= begin - (isName ? 0 : 1)) return -1;
        if (isName)
        {
            place._parts.Add((text[begin..end], -1));
            return end + 2;
        }
        if (!int.TryParse(text.AsSpan(begin, end - begin), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return -1;
        place._parts.Add((null, number));
        return end + 1;
    }

    /// <summary>What stands there as text: that of a string, "true", "12"; null where nothing does.</summary>
    public string? Of(JsonElement json)
    {
        foreach (var (name, at) in _parts)
        {
            if (name is not null)
            {
                if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty(name, out json)) return null;
            }
            else if (json.ValueKind != JsonValueKind.Array || at >= json.GetArrayLength()) return null;
            else json = json[at];
        }
        return json.ValueKind == JsonValueKind.String ? json.GetString() : json.GetRawText();
    }
}
