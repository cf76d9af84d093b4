namespace BackupDr.Contracts.Rules.Assignment;

/// <summary>How a term of a selector looks at a label.</summary>
public enum LabelTest
{
    /// <summary>The label is there with one of the values.</summary>
    In,
    /// <summary>The label is not there, or has none of the values.</summary>
    NotIn,
    /// <summary>The label is there.</summary>
    Exists,
    /// <summary>The label is not there.</summary>
    Absent,
}

/// <summary>One condition on a host's labels.</summary>
public sealed record LabelTerm(string Key, LabelTest Test, IReadOnlyList<string> Values)
{
    /// <summary>Whether it holds. A label that is not there is unlike every value.</summary>
    public bool Holds(IReadOnlyDictionary<string, string> labels)
    {
        var isThere = labels.TryGetValue(Key, out var value);
        return Test switch
        {
            LabelTest.In => isThere && Values.Contains(value, StringComparer.Ordinal),
            LabelTest.NotIn => !isThere || !Values.Contains(value, StringComparer.Ordinal),
            LabelTest.Exists => isThere,
            _ => !isThere,
        };
    }
}

/// <summary>Conditions on a host's labels in the notation that Kubernetes made known: "a=b, c!=d, e in (f, g), h notin (i), j, !k". Pure.
/// </summary>
public sealed record LabelSelector(IReadOnlyList<LabelTerm> Terms)
{
    /// <summary>The key that stands for the host's name.</summary>
    public const string HostKey = "host";

    /// <summary>Whether all hold; without terms always.</summary>
    public bool Holds(IReadOnlyDictionary<string, string> labels) => Terms.All(term => term.Holds(labels));

    /// <summary>Reads one; empty text gives one without terms.</summary>
    /// <exception cref="BadInputException">It cannot be read; the message says at which character.</exception>
    public static LabelSelector Parse(string text, string field) => new(new SelectorReader(text, field).Terms());
}

/// <summary>Reads a selector from left to right.</summary>
sealed class SelectorReader(string text, string field)
{
    int _at;

    bool IsAtEnd => _at == text.Length;

    public List<LabelTerm> Terms()
    {
        var terms = new List<LabelTerm>();
        Skip();
        while (!IsAtEnd)
        {
            terms.Add(Term());
            Skip();
            if (IsAtEnd) break;
            if (text[_at] != ',') throw Wrong("a comma is missing");
            _at++;
        }
        return terms;
    }

    LabelTerm Term()
    {
        Skip();
        if (!IsAtEnd && text[_at] == '!')
        {
            _at++;
            return new LabelTerm(Word("a key"), LabelTest.Absent, []);
        }
        var key = Word("a key");
        Skip();
        if (IsAtEnd || text[_at] == ',') return new LabelTerm(key, LabelTest.Exists, []);
        if (text[_at] is '!' or '=')
        {
            var test = text[_at] == '!' ? LabelTest.NotIn : LabelTest.In;
            if (test == LabelTest.NotIn) _at++;
            if (IsAtEnd || text[_at] != '=') throw Wrong("an equals sign is missing");
            _at++;
            if (!IsAtEnd && text[_at] == '=') _at++;
            return new LabelTerm(key, test, [Word("a value")]);
        }
        return Word("'in' or 'notin'") switch
        {
            "in" => new LabelTerm(key, LabelTest.In, Values()),
            "notin" => new LabelTerm(key, LabelTest.NotIn, Values()),
            var other => throw Wrong($"'{other}' stands in the place of '=', '!=', 'in' or 'notin'"),
        };
    }

    List<string> Values()
    {
        Skip();
        if (IsAtEnd || text[_at] != '(') throw Wrong("an opening bracket is missing");
        var values = new List<string>();
        do
        {
            _at++;
            values.Add(Word("a value"));
            Skip();
        }
        while (!IsAtEnd && text[_at] == ',');
        if (IsAtEnd || text[_at] != ')') throw Wrong("a closing bracket is missing");
        _at++;
        return values;
    }

    string Word(string what)
    {
        Skip();
        var start = _at;
        while (!IsAtEnd && HostLabels.IsCharacter(text[_at])) _at++;
        return _at > start ? text[start.._at] : throw Wrong($"{what} is missing");
    }

    void Skip()
    {
        while (!IsAtEnd && char.IsWhiteSpace(text[_at])) _at++;
    }

    BadInputException Wrong(string what) => new(field, $"'{text}' is no selector of labels: {what} at character {_at + 1}.",
        "For example: site=berlin, tier!=test, role in (web, db)");
}

/// <summary>What labels of hosts may be.</summary>
public static class HostLabels
{
    /// <summary>Most labels of a host; longest key and longest value, characters.</summary>
    public const int Most = 64, LongestKey = 63, LongestValue = 63;

    /// <summary>Letters, digits, dots, dashes, underscores and slashes.</summary>
    public static bool IsCharacter(char one) => char.IsAsciiLetterOrDigit(one) || one is '.' or '-' or '_' or '/';

    /// <summary>Reads "site=berlin".</summary>
    /// <exception cref="BadInputException">It is no label.</exception>
    public static KeyValuePair<string, string> Parse(string text)
    {
        var (key, value) = text.Split('=', 2) is [var k, var v] ? (k.Trim(), v.Trim()) : (text.Trim(), "");
        if (!text.Contains('=', StringComparison.Ordinal) || Problem(key, value) is not null)
            throw new BadInputException("label", $"'{text}' is no label{(Problem(key, value) is { } why ? $": {why}" : "")}.",
                "Write key=value, for example site=berlin.");
        return new KeyValuePair<string, string>(key, value);
    }

    /// <summary>What is wrong with a label; null for nothing.</summary>
    public static string? Problem(string key, string value)
    {
        if (key == LabelSelector.HostKey) return "the key 'host' is the host's name already";
        if (key.Length is 0 or > LongestKey || !key.All(IsCharacter) || key is "in" or "notin")
            return $"a key has 1 to {LongestKey} letters, digits, dots, dashes, underscores or slashes";
        return value.Length is 0 or > LongestValue || !value.All(IsCharacter)
            ? $"a value has 1 to {LongestValue} letters, digits, dots, dashes, underscores or slashes" : null;
    }

    /// <summary>Refuses what labels cannot be.</summary>
    /// <exception cref="BadInputException">One cannot be, or they are too many.</exception>
    public static void Check(IReadOnlyDictionary<string, string> labels)
    {
        if (labels.Count > Most) throw new BadInputException("labels", $"{labels.Count} labels are too many.", $"At most {Most}.");
        foreach (var (key, value) in labels)
            if (Problem(key, value) is { } why)
                throw new BadInputException("labels", $"'{key}={value}' is no label: {why}.", "For example site=berlin.");
    }
}
