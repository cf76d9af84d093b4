using BackupDr.Contracts.Api;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace BackupDr.Scheduler.Policies.Documents;

/// <summary>What is wrong with a document, and where: places count from 1.</summary>
sealed record DocumentProblem(string File, int Line, int Column, string Text, string? Hint = null)
{
    public override string ToString() => $"{File}:{Line}:{Column}: {Text}{(Hint is null ? "" : " " + Hint)}";
}

/// <summary>Reads YAML into values with places: the plain part of it that people write by hand. What can blow up, or run code elsewhere, is
/// refused: anchors, aliases, tags, depth, size.</summary>
static class YamlReading
{
    /// <summary>Deepest nesting; most values of a file.</summary>
    const int Deepest = 32, MostValues = 100_000;

    /// <summary>The documents of a file; empty ones are left out.</summary>
    /// <param name="file">The file.</param>
    /// <param name="problems">Where to tell what is wrong; after a problem the file is not read on.</param>
    public static IReadOnlyList<YamlValue> Read(DocumentFile file, ICollection<DocumentProblem> problems)
    {
        if (file.Text.Length > ApplyPoliciesRequest.LongestFile)
        {
            problems.Add(new DocumentProblem(file.Name, 1, 1, $"The file has {file.Text.Length} characters.",
                $"At most {ApplyPoliciesRequest.LongestFile}; make several files of it."));
            return [];
        }
        var text = file.Text.TrimStart('\ufeff');
        if (Control(text) is { } control)
        {
            problems.Add(control with { File = file.Name });
            return [];
        }
        try { return new FileReader(text).Documents(); }
        catch (YamlException e)
        {
            problems.Add(Tab(text) is { } tab ? tab with { File = file.Name } : new DocumentProblem(file.Name, Place(e.Start.Line),
                Place(e.Start.Column), $"This is no YAML: {Words(e.Message)}", "Compare its indentation with the lines above."));
        }
        catch (RefusedException e) { problems.Add(new DocumentProblem(file.Name, e.Line, e.Column, e.Message, e.Hint)); }
        return [];
    }

    static int Place(long at) => (int)Math.Clamp(at, 1, int.MaxValue);

    static string Words(string message) => message.TrimEnd('.') + ".";

    /// <summary>A character that no text has; at a zero the parser would take the rest for nothing.</summary>
    static DocumentProblem? Control(string text)
    {
        var at = text.AsSpan().IndexOfAnyExcept(Allowed);
        return at < 0 ? null : At(text, at, $"The character U+{(int)text[at]:X4} stands here.", "Take it out.");
    }

    static readonly System.Buffers.SearchValues<char> Allowed = System.Buffers.SearchValues.Create(
        [.. Enumerable.Range(0, char.MaxValue + 1).Select(one => (char)one).Where(one => !char.IsControl(one) || one is '\t' or '\n' or '\r'
            or '\u0085')]);

    /// <summary>The first tab in an indentation, which the parser tells of in other words.</summary>
    static DocumentProblem? Tab(string text)
    {
        for (var at = 0; at >= 0 && at < text.Length; at = text.IndexOf('\n', at) is var next and >= 0 ? next + 1 : -1)
        {
            var end = at;
            while (end < text.Length && text[end] == ' ') end++;
            if (end < text.Length && text[end] == '\t') return At(text, end, "The line begins with a tab.", "Indent with spaces.");
        }
        return null;
    }

    static DocumentProblem At(string text, int at, string what, string hint)
    {
        var before = text.AsSpan(0, at);
        return new DocumentProblem("", before.Count('\n') + 1, at - before.LastIndexOf('\n'), what, hint);
    }

    sealed class RefusedException(Mark at, string message, string hint) : Exception(message)
    {
        public int Line { get; } = Place(at.Line);
        public int Column { get; } = Place(at.Column);
        public string Hint { get; } = hint;
    }

    sealed class FileReader(string text)
    {
        readonly Parser _parser = new(new Scanner(new StringReader(text)));
        int _values;

        public List<YamlValue> Documents()
        {
            var documents = new List<YamlValue>();
            while (_parser.MoveNext())
            {
                if (_parser.Current is not DocumentStart) continue;
                _parser.MoveNext();
                if (Value(0) is var value and not YamlScalar { IsNull: true }) documents.Add(value);
            }
            return documents;
        }

        /// <summary>The value that begins with the current event; stands on its last event afterwards.</summary>
        YamlValue Value(int depth)
        {
            var current = _parser.Current!;
            var (line, column) = (Place(current.Start.Line), Place(current.Start.Column));
            if (current is AnchorAlias) throw new RefusedException(current.Start, "Aliases are not taken.",
                "A text that begins with a star needs quotes; an alias has to be written out, as a few lines of them can stand for "
                    + "gigabytes.");
            if (current is NodeEvent node)
            {
                if (!node.Anchor.IsEmpty) throw new RefusedException(current.Start, $"The anchor '&{node.Anchor}' is not taken.",
                    "Write out each value where it is needed.");
                if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)
                    throw new RefusedException(current.Start, $"The tag '{node.Tag}' is not taken.", "Leave it out.");
            }
            if (depth > Deepest) throw new RefusedException(current.Start, $"This is nested more than {Deepest} deep.",
                "No member of a policy is.");
            if (++_values > MostValues) throw new RefusedException(current.Start, $"The file has more than {MostValues} values.",
                "Make several files of it.");
            return current switch
            {
                Scalar scalar => new YamlScalar(scalar.Value, scalar.Style == ScalarStyle.Plain, line, column),
                SequenceStart => new YamlList(Sequence(depth), line, column),
                MappingStart => new YamlMap(Mapping(depth), line, column),
                _ => throw new RefusedException(current.Start, "Something that is no value stands here.", "Leave it out."),
            };
        }

        List<YamlValue> Sequence(int depth)
        {
            var values = new List<YamlValue>();
            while (_parser.MoveNext() && _parser.Current is not SequenceEnd) values.Add(Value(depth + 1));
            return values;
        }

        List<YamlMember> Mapping(int depth)
        {
            var (members, names) = (new List<YamlMember>(), new HashSet<string>(StringComparer.Ordinal));
            while (_parser.MoveNext() && _parser.Current is not MappingEnd)
            {
                var at = _parser.Current!.Start;
                if (Value(depth + 1) is not YamlScalar key) throw new RefusedException(at, "A name has to be a text.",
                    "Write name: value.");
                if (!names.Add(key.Text)) throw new RefusedException(at, $"'{key.Text}' is there twice.", "Keep one of them.");
                _parser.MoveNext();
                members.Add(new YamlMember(key.Text, Value(depth + 1), key.Line, key.Column));
            }
            return members;
        }
    }
}
