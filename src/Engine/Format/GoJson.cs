using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace BackupDr.Engine.Format;

/// <summary>Writes JSON byte for byte as Go's encoder does, which is what tree ids depend on.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-7.7. .NET's own writer escapes other characters, so it cannot be used here.</remarks>
public sealed class GoJson
{
    readonly ArrayBufferWriter<byte> _output;
    bool _needsComma;

    /// <summary>An empty text; it grows as needed and is reused by <see cref="Clear"/>.</summary>
    public GoJson(int capacity = 4096) => _output = new ArrayBufferWriter<byte>(capacity);

    /// <summary>What was written; valid until the next write.</summary>
    public ReadOnlyMemory<byte> Written => _output.WrittenMemory;

    /// <summary>Starts over.</summary>
    public void Clear() { _output.ResetWrittenCount(); _needsComma = false; }

    /// <summary>Opens an object or a list: <c>{</c> or <c>[</c>.</summary>
    public GoJson Open(char bracket) { Separate(); Raw((byte)bracket); _needsComma = false; return this; }

    /// <summary>Closes it.</summary>
    public GoJson Close(char bracket) { Raw((byte)bracket); _needsComma = true; return this; }

    /// <summary>Writes a member's name; a value must follow.</summary>
    public GoJson Name(ReadOnlySpan<byte> name)
    {
        Separate();
        Raw((byte)'"');
        _output.Write(name);
        _output.Write("\":"u8);
        _needsComma = false;
        return this;
    }

    /// <summary>The same for a name that somebody else chose.</summary>
    public GoJson AnyName(string name)
    {
        Text(name);
        Raw((byte)':');
        _needsComma = false;
        return this;
    }

    /// <summary>Writes a whole number.</summary>
    public GoJson Number(ulong value)
    {
        Separate();
        var span = _output.GetSpan(20);
        Utf8Formatter.TryFormat(value, span, out var written);
        _output.Advance(written);
        _needsComma = true;
        return this;
    }

    /// <summary>Writes a whole number.</summary>
    public GoJson Number(long value)
    {
        Separate();
        var span = _output.GetSpan(20);
        Utf8Formatter.TryFormat(value, span, out var written);
        _output.Advance(written);
        _needsComma = true;
        return this;
    }

    /// <summary>Writes <c>true</c> or <c>false</c>.</summary>
    public GoJson Bool(bool value) => Literal(value ? "true"u8 : "false"u8);

    /// <summary>Writes <c>null</c>.</summary>
    public GoJson Null() => Literal("null"u8);

    /// <summary>Writes text.</summary>
    public GoJson Text(string value) => Text(Encoding.UTF8.GetBytes(value));

    /// <summary>Writes bytes as text: UTF-8, invalid bytes as U+FFFD.</summary>
    public GoJson Text(ReadOnlySpan<byte> utf8)
    {
        Separate();
        Raw((byte)'"');
        while (!utf8.IsEmpty)
        {
            var plain = PlainPrefix(utf8);
            _output.Write(utf8[..plain]);
            utf8 = utf8[plain..];
            if (utf8.IsEmpty) break;
            utf8 = utf8[Escape(utf8)..];
        }
        Raw((byte)'"');
        _needsComma = true;
        return this;
    }

    /// <summary>Writes bytes in base64 with padding.</summary>
    public GoJson Base64Text(ReadOnlySpan<byte> value)
    {
        Separate();
        Raw((byte)'"');
        var span = _output.GetSpan(Base64.GetMaxEncodedToUtf8Length(value.Length));
        Base64.EncodeToUtf8(value, span, out _, out var written);
        _output.Advance(written);
        Raw((byte)'"');
        _needsComma = true;
        return this;
    }

    /// <summary>Writes a blob or object id.</summary>
    public GoJson Id(Blobs.BlobId id)
    {
        Separate();
        Raw((byte)'"');
        Span<byte> hash = stackalloc byte[Blobs.BlobId.Size];
        id.CopyTo(hash);
        var span = _output.GetSpan(2 * hash.Length);
        Convert.TryToHexStringLower(hash, span, out var written);
        _output.Advance(written);
        Raw((byte)'"');
        _needsComma = true;
        return this;
    }

    /// <summary>Writes bytes that are JSON already.</summary>
    public GoJson Verbatim(ReadOnlySpan<byte> json)
    {
        Separate();
        _output.Write(json);
        _needsComma = true;
        return this;
    }

    /// <summary>Writes a byte outside of any value, for example the newline after a tree.</summary>
    public GoJson Raw(byte value)
    {
        _output.GetSpan(1)[0] = value;
        _output.Advance(1);
        return this;
    }

    GoJson Literal(ReadOnlySpan<byte> word)
    {
        Separate();
        _output.Write(word);
        _needsComma = true;
        return this;
    }

    void Separate()
    {
        if (_needsComma) Raw((byte)',');
        _needsComma = false;
    }

    static readonly SearchValues<byte> Plain = SearchValues.Create(
        [.. Enumerable.Range(0x20, 0x60).Select(value => (byte)value)
            .Where(value => value is not ((byte)'"' or (byte)'\\' or (byte)'<' or (byte)'>' or (byte)'&'))]);

    static int PlainPrefix(ReadOnlySpan<byte> utf8)
    {
        var at = utf8.IndexOfAnyExcept(Plain);
        return at < 0 ? utf8.Length : at;
    }

    /// <summary>Writes the first character, which is not plain ASCII, and gives the bytes it took.</summary>
    int Escape(ReadOnlySpan<byte> utf8)
    {
        var status = Rune.DecodeFromUtf8(utf8, out var rune, out var used);
        if (status != OperationStatus.Done) { _output.Write("\\ufffd"u8); return 1; }   // Go counts one per bad byte
        switch (rune.Value)
        {
            case '"': _output.Write("\\\""u8); break;
            case '\\': _output.Write("\\\\"u8); break;
            case '\n': _output.Write("\\n"u8); break;
            case '\r': _output.Write("\\r"u8); break;
            case '\t': _output.Write("\\t"u8); break;
            case < 0x20 or '<' or '>' or '&' or 0x2028 or 0x2029:
                _output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}")));
                break;
            default: _output.Write(utf8[..used]); break;
        }
        return used;
    }
}
