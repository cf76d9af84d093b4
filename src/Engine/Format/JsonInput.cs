using System.Text.Json;
using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Format;

/// <summary>Reads members of untrusted JSON: any order, unknown ones skipped, depth bounded, every slip named with its place.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-11.1.</remarks>
ref struct JsonInput(ReadOnlySpan<byte> json, string where)
{
    Utf8JsonReader _reader = new(json, new JsonReaderOptions { MaxDepth = 16 });
    readonly string _where = where;

    public readonly JsonTokenType Token => _reader.TokenType;
    public readonly long Offset => _reader.TokenStartIndex;

    public readonly RepositoryException Bad(string what)
        => RepositoryException.Damaged(_where, $"JSON at byte {_reader.TokenStartIndex}: {what}");

    /// <summary>Moves to the next token; the end of the text is an error.</summary>
    public void Next()
    {
        try { if (!_reader.Read()) throw Bad("ends too early"); }
        catch (JsonException e) { throw RepositoryException.Damaged(_where, $"no valid JSON: {e.Message}"); }
    }

    /// <summary>Nothing but white space may follow.</summary>
    public void End()
    {
        try { if (_reader.Read()) throw Bad("goes on after its end"); }
        catch (JsonException e) { throw RepositoryException.Damaged(_where, $"no valid JSON: {e.Message}"); }
    }

    public void Expect(JsonTokenType token)
    {
        if (_reader.TokenType != token) throw Bad($"{token} expected, {_reader.TokenType} found");
    }

    /// <summary>Inside an object: moves to the next member's value; false at the object's end.</summary>
    public bool NextMember(out ReadOnlySpan<byte> name)
    {
        Next();
        if (_reader.TokenType == JsonTokenType.EndObject) { name = default; return false; }
        Expect(JsonTokenType.PropertyName);
        name = _reader.ValueIsEscaped ? Unescaped() : _reader.ValueSpan;
        Next();
        return true;
    }

    /// <summary>Inside a list: moves to the next value; false at the list's end.</summary>
    public bool NextElement()
    {
        Next();
        return _reader.TokenType != JsonTokenType.EndArray;
    }

    public void Skip()
    {
        try { _reader.Skip(); }
        catch (JsonException e) { throw RepositoryException.Damaged(_where, $"no valid JSON: {e.Message}"); }
    }

    public readonly bool IsNull => _reader.TokenType == JsonTokenType.Null;

    public readonly string Text() => System.Text.Encoding.UTF8.GetString(TextBytes());

    /// <summary>The string's bytes, escapes resolved.</summary>
    public readonly byte[] TextBytes()
    {
        Expect2(JsonTokenType.String);
        return _reader.ValueIsEscaped ? Unescaped() : _reader.ValueSpan.ToArray();
    }

    readonly byte[] Unescaped()
    {
        var buffer = new byte[_reader.ValueSpan.Length];
        try { return buffer[.._reader.CopyString(buffer)]; }
        catch (InvalidOperationException) { throw Bad("a string that is no valid text"); }
    }

    readonly void Expect2(JsonTokenType token)
    {
        if (_reader.TokenType != token) throw Bad($"{token} expected, {_reader.TokenType} found");
    }

    public readonly ulong Unsigned()
    {
        Expect2(JsonTokenType.Number);
        return _reader.TryGetUInt64(out var value) ? value : throw Bad("a number that is not whole, negative or too large");
    }

    public readonly uint Unsigned32()
    {
        var value = Unsigned();
        return value <= uint.MaxValue ? (uint)value : throw Bad($"{value} does not fit in 32 bits");
    }

    public readonly bool Bool() => _reader.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        _ => throw Bad("true or false expected"),
    };

    public readonly BlobId Id()
    {
        Expect2(JsonTokenType.String);
        Span<byte> hash = stackalloc byte[BlobId.Size];
        if (_reader.ValueIsEscaped || _reader.ValueSpan.Length != 2 * BlobId.Size
            || Convert.FromHexString(_reader.ValueSpan, hash, out _, out var written) != System.Buffers.OperationStatus.Done
            || written != BlobId.Size)
            throw Bad("no id of 64 hexadecimal characters");
        return new BlobId(hash);
    }

    public readonly UnixTime Time() => GoTime.TryParse(Text(), out var time) ? time : throw Bad("no time");

    public readonly byte[] Base64()
    {
        Expect2(JsonTokenType.String);
        // The reader throws for half of a surrogate pair among the escapes; as a text it is refused like in any other text.
        if (_reader.ValueIsEscaped) Text();
        return _reader.TryGetBytesFromBase64(out var value) ? value : throw Bad("no base64");
    }

    public IReadOnlyList<string> Texts()
    {
        if (IsNull) return [];
        Expect(JsonTokenType.StartArray);
        var texts = new List<string>();
        while (NextElement()) texts.Add(Text());
        return texts;
    }

    /// <summary>The raw JSON of the current value.</summary>
    public byte[] Raw(ReadOnlySpan<byte> json)
    {
        var from = checked((int)_reader.TokenStartIndex);
        Skip();
        return json[from..checked((int)_reader.BytesConsumed)].ToArray();
    }
}
