using System.Globalization;
using System.Text;
using System.Text.Json;

namespace BackupDr.Contracts.Rules.Evidence;

/// <summary>The one way to write a JSON value, so that its bytes can be hashed and signed: RFC 8785 (JSON Canonicalization
/// Scheme).</summary>
/// <remarks>Members in the order of their names' UTF-16 code units, no white space, shortest escapes, numbers as ECMAScript writes
/// them.</remarks>
public static class CanonicalJson
{
    /// <summary>The canonical text of a value.</summary>
    /// <exception cref="ArgumentException">A number cannot be told exactly enough (infinite), or an object holds a name twice.</exception>
    public static string Write(JsonElement value)
    {
        var text = new StringBuilder();
        Append(text, value);
        return text.ToString();
    }

    /// <summary>The canonical text of a JSON text.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static string Write(string json)
    {
        using var document = JsonDocument.Parse(json);
        return Write(document.RootElement);
    }

    static void Append(StringBuilder text, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object: AppendObject(text, value); break;
            case JsonValueKind.Array:
                text.Append('[');
                var first = true;
                foreach (var item in value.EnumerateArray())
                {
                    if (!first) text.Append(',');
                    first = false;
                    Append(text, item);
                }
                text.Append(']');
                break;
            case JsonValueKind.String: AppendText(text, value.GetString()!); break;
            case JsonValueKind.Number: text.Append(Number(value.GetDouble())); break;
            case JsonValueKind.True: text.Append("true"); break;
            case JsonValueKind.False: text.Append("false"); break;
            case JsonValueKind.Null: text.Append("null"); break;
            default: throw new ArgumentException($"A {value.ValueKind} value has no canonical form.", nameof(value));
        }
    }

    static void AppendObject(StringBuilder text, JsonElement value)
    {
        var members = value.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal).ToList();
        text.Append('{');
        for (var at = 0; at < members.Count; at++)
        {
            if (at > 0) text.Append(',');
            if (at > 0 && members[at].Name == members[at - 1].Name) throw new ArgumentException($"The name '{members[at].Name}' occurs "
                + $"twice in an object.", nameof(value));
            AppendText(text, members[at].Name);
            text.Append(':');
            Append(text, members[at].Value);
        }
        text.Append('}');
    }

    static void AppendText(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var letter in value)
        {
            switch (letter)
            {
                case '"': text.Append("\\\""); break;
                case '\\': text.Append("\\\\"); break;
                case '\b': text.Append("\\b"); break;
                case '\t': text.Append("\\t"); break;
                case '\n': text.Append("\\n"); break;
                case '\f': text.Append("\\f"); break;
                case '\r': text.Append("\\r"); break;
                case < ' ': text.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}"); break;
                default: text.Append(letter); break;
            }
        }
        text.Append('"');
    }

    /// <summary>As ECMAScript's Number::toString: shortest digits that read back the same; plain between 1e-6 and 1e21.</summary>
    static string Number(double value)
    {
        if (!double.IsFinite(value)) throw new ArgumentException("An infinite number has no JSON form.", nameof(value));
        if (value == 0) return "0";   // also for minus zero
        var sign = value < 0 ? "-" : "";
        var (digits, exponent) = Split(Math.Abs(value).ToString("R", CultureInfo.InvariantCulture));
        var point = exponent + digits.Length;   // position of the decimal point counted from the first digit
        if (digits.Length <= point && point <= 21) return sign + digits + new string('0', point - digits.Length);
        if (0 < point && point <= 21) return sign + digits[..point] + "." + digits[point..];
        if (-6 < point && point <= 0) return sign + "0." + new string('0', -point) + digits;
        var power = point - 1;
        var mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
        return $"{sign}{mantissa}e{(power < 0 ? "-" : "+")}{Math.Abs(power).ToString(CultureInfo.InvariantCulture)}";
    }

    /// <summary>Digits without leading or trailing zeros and the power of ten of the last one.</summary>
    static (string Digits, int Exponent) Split(string text)
    {
        var exponent = 0;
        var mark = text.IndexOf('E', StringComparison.Ordinal);
        if (mark >= 0)
        {
            exponent = int.Parse(text.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            text = text[..mark];
        }
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot >= 0)
        {
            exponent -= text.Length - dot - 1;
            text = text.Remove(dot, 1);
        }
        var digits = text.TrimStart('0');
        var trimmed = digits.TrimEnd('0');
        return (trimmed, exponent + digits.Length - trimmed.Length);
    }
}
