using System.Text;

namespace BackupDr.Scheduler.Policies.Documents;

/// <summary>A value of a document, with the place where it stands; places count from 1, and are 0 for what was not read.</summary>
abstract record YamlValue(int Line = 0, int Column = 0)
{
    /// <summary>What it is, for messages.</summary>
    public abstract string What { get; }

    /// <summary>On one line, as in a list of changes.</summary>
    public abstract string Flow();

    /// <summary>As lines, indented.</summary>
    public string Block()
    {
        var text = new StringBuilder();
        Write(text, 0, isInline: false);
        return text.ToString();
    }

    /// <summary>Writes it behind a key or a dash (inline), or on lines of its own. Ends with a line's end.</summary>
    public abstract void Write(StringBuilder text, int indent, bool isInline);
}

/// <summary>A text, a number, a truth value or nothing.</summary>
/// <param name="Text">What it says.</param>
/// <param name="IsPlain">Whether it stands without quotes: then it may be a number, a truth value or nothing.</param>
/// <param name="Line">Where.</param>
/// <param name="Column">Where.</param>
sealed record YamlScalar(string Text, bool IsPlain, int Line = 0, int Column = 0) : YamlValue(Line, Column)
{
    public bool IsNull => IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";

    public override string What => IsNull ? "nothing" : $"'{(Text.Length > 60 ? Text[..60] + "…" : Text)}'";

    /// <summary>A text with as few quotes as make sure that it stays a text, for us and for others who read YAML.</summary>
    public static YamlScalar Of(string text) => new(text, IsPlain: false);

    public override string Flow() => IsPlain ? Text : NeedsQuotes(Text) ? Quoted(Text) : Text;

    public override void Write(StringBuilder text, int indent, bool isInline) => text.Append(Flow()).Append('\n');

    /// <summary>What a reader could take for something else than this text.</summary>
    static bool NeedsQuotes(string text)
        => text.Length == 0 || char.IsWhiteSpace(text[0]) || char.IsWhiteSpace(text[^1]) || "-?:,[]{}#&*!|>'\"%@`~".Contains(text[0])
            || text.Any(one => char.IsControl(one) || one is '[' or ']' or '{' or '}' or ',' or '\u0085' or '\u2028' or '\u2029' or '\ufeff'
                || char.IsSurrogate(one))
            || text.Contains(": ", StringComparison.Ordinal) || text.EndsWith(':') || text.Contains(" #", StringComparison.Ordinal)
            || text.ToUpperInvariant() is "NULL" or "TRUE" or "FALSE" or "YES" or "NO" or "ON" or "OFF" or "Y" or "N" or "=" or "<<"
            || (text[0] is '.' or '+' || char.IsAsciiDigit(text[0])) && LooksLikeNumber(text);

    // "24h" and "2026-11-21" are read as texts by everybody who knows YAML 1.2; what has nothing but a number's letters is quoted.
    static bool LooksLikeNumber(string text) => text.All(one => char.IsAsciiHexDigit(one) || one is '.' or '+' or '-' or '_' or ':' or 'x'
        or 'o');

    static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var one in text)
            quoted.Append(one switch
            {
                '"' => "\\\"",
                '\\' => @"\\",
                '\n' => "\\n",
                '\t' => "\\t",
                '\r' => "\\r",
                _ when char.IsControl(one) || one is '\u0085' or '\u2028' or '\u2029' or '\ufeff' => $"\\u{(int)one:x4}",
                _ => one.ToString(),
            });
        return quoted.Append('"').ToString();
    }
}

/// <summary>Values one after another.</summary>
sealed record YamlList(IReadOnlyList<YamlValue> Values, int Line = 0, int Column = 0) : YamlValue(Line, Column)
{
    public override string What => "a list";

    public override string Flow() => $"[{string.Join(", ", Values.Select(value => value.Flow()))}]";

    public override void Write(StringBuilder text, int indent, bool isInline)
    {
        if (Values.Count == 0) { text.Append("[]\n"); return; }
        if (isInline) text.Append('\n');
        foreach (var value in Values)
        {
            text.Append(' ', indent).Append("- ");
            if (value is YamlMap { Members.Count: > 0 } map) map.WriteMembers(text, indent + 2, isFirstPlaced: true);
            else value.Write(text, indent + 2, isInline: true);
        }
    }
}

/// <summary>Values with names, in their order.</summary>
sealed record YamlMap(IReadOnlyList<YamlMember> Members, int Line = 0, int Column = 0) : YamlValue(Line, Column)
{
    public override string What => "a group of members";

    public override string Flow() => $"{{{string.Join(", ", Members.Select(member => $"{Key(member)}: {member.Value.Flow()}"))}}}";

    public YamlMember? Find(string name) => Members.FirstOrDefault(member => member.Name == name);

    public override void Write(StringBuilder text, int indent, bool isInline)
    {
        if (Members.Count == 0) { text.Append("{}\n"); return; }
        if (isInline) text.Append('\n');
        WriteMembers(text, indent, isFirstPlaced: false);
    }

    /// <param name="text">Where to.</param>
    /// <param name="indent">How far.</param>
    /// <param name="isFirstPlaced">Whether the first stands behind a dash already.</param>
    public void WriteMembers(StringBuilder text, int indent, bool isFirstPlaced)
    {
        foreach (var member in Members)
        {
            if (!isFirstPlaced) text.Append(' ', indent);
            isFirstPlaced = false;
            text.Append(Key(member)).Append(':');
            if (member.Value is YamlScalar or YamlList { Values.Count: 0 } or YamlMap { Members.Count: 0 }) text.Append(' ');
            member.Value.Write(text, indent + 2, isInline: true);
        }
    }

    static string Key(YamlMember member) => YamlScalar.Of(member.Name).Flow();
}

/// <summary>A name and its value.</summary>
sealed record YamlMember(string Name, YamlValue Value, int Line = 0, int Column = 0);
