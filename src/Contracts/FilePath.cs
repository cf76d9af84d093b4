using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace BackupDr.Contracts;

/// <summary>A Linux path or file name: bytes, not text. Never holds a NUL byte.</summary>
/// <remarks>
/// The text form is UTF-8 with <c>\</c> written as <c>\\</c> and every byte that is no valid UTF-8 as <c>\xHH</c>, so it is readable,
/// reversible and safe in JSON, logs and URLs' query strings. Equality is by bytes.
/// </remarks>
[JsonConverter(typeof(FilePathJsonConverter))]
public readonly struct FilePath : IEquatable<FilePath>
{
    readonly byte[]? _bytes;

    /// <summary>Takes ownership of <paramref name="bytes"/>; the caller must not change them afterwards.</summary>
    /// <exception cref="BadInputException">There is a NUL byte in it.</exception>
    public FilePath(byte[] bytes)
    {
        if (bytes.AsSpan().Contains((byte)0)) throw new BadInputException("path", "A path cannot hold a NUL byte.");
        _bytes = bytes;
    }

    /// <summary>The raw bytes, without a terminator.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Whether there is no byte in it.</summary>
    public bool IsEmpty => _bytes is null or { Length: 0 };

    /// <summary>Whether it begins with a slash.</summary>
    public bool IsAbsolute => _bytes is { Length: > 0 } && _bytes[0] == (byte)'/';

    /// <summary>A path from ordinary text, as typed on a command line; no escapes are read.</summary>
    public static FilePath FromText(string text) => new(Encoding.UTF8.GetBytes(text));

    /// <summary>The part after the last slash; the whole where there is none.</summary>
    public FilePath Name => new(Bytes[(Bytes.LastIndexOf((byte)'/') + 1)..].ToArray());

    /// <summary>This path, a slash, and <paramref name="name"/>; no second slash after the root.</summary>
    public FilePath Join(ReadOnlySpan<byte> name)
    {
        var head = Bytes;
        if (head.Length > 0 && head[^1] == (byte)'/') head = head[..^1];
        var joined = new byte[head.Length + 1 + name.Length];
        head.CopyTo(joined);
        joined[head.Length] = (byte)'/';
        name.CopyTo(joined.AsSpan(head.Length + 1));
        return IsEmpty ? new FilePath(name.ToArray()) : new FilePath(joined);
    }

    /// <summary>The parts between slashes, empty ones and single dots left out.</summary>
    public IReadOnlyList<FilePath> Parts()
    {
        var parts = new List<FilePath>();
        foreach (var range in Bytes.Split((byte)'/'))
        {
            var part = Bytes[range];
            if (part.IsEmpty || part.SequenceEqual("."u8)) continue;
            parts.Add(new FilePath(part.ToArray()));
        }
        return parts;
    }

    /// <summary>Reads the text form (see remarks of the type).</summary>
    /// <exception cref="BadInputException">An escape is not one of <c>\\</c> and <c>\xHH</c>.</exception>
    public static FilePath Parse(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        if (!utf8.AsSpan().Contains((byte)'\\')) return new FilePath(utf8);
        var output = new ArrayBufferWriter<byte>(utf8.Length);
        for (var at = 0; at < utf8.Length; at++)
        {
            if (utf8[at] != (byte)'\\') { output.Write(utf8.AsSpan(at, 1)); continue; }
            var rest = utf8.AsSpan(at + 1);
            if (rest.StartsWith("\\"u8)) { output.Write("\\"u8); at += 1; }
            else if (rest.Length >= 3 && rest[0] == (byte)'x'
                && byte.TryParse(rest.Slice(1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            {
                output.Write([value]);
                at += 3;
            }
            else throw new BadInputException("path", $"'{text}' has a backslash at byte {at} that starts no escape.",
                @"Write \\ for a backslash and \xHH for a raw byte.");
        }
        return new FilePath(output.WrittenSpan.ToArray());
    }

    /// <summary>The text form (see remarks of the type); <see cref="Parse"/> reads it back.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Bytes.Length);
        var rest = Bytes;
        while (!rest.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(rest, out var rune, out var used) == OperationStatus.Done)
            {
                if (rune.Value == '\\') text.Append(@"\\"); else text.Append(rune.ToString());
                rest = rest[used..];
            }
            else
            {
                text.Append(CultureInfo.InvariantCulture, $"\\x{rest[0]:x2}");
                rest = rest[1..];
            }
        }
        return text.ToString();
    }

    /// <inheritdoc/>
    public bool Equals(FilePath other) => Bytes.SequenceEqual(other.Bytes);
    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is FilePath other && Equals(other);
    /// <inheritdoc/>
    public override int GetHashCode() { var hash = new HashCode(); hash.AddBytes(Bytes); return hash.ToHashCode(); }
    /// <summary>Same bytes.</summary>
    public static bool operator ==(FilePath left, FilePath right) => left.Equals(right);
    /// <summary>Other bytes.</summary>
    public static bool operator !=(FilePath left, FilePath right) => !left.Equals(right);
}

/// <summary>Writes a <see cref="FilePath"/> as its text form.</summary>
public sealed class FilePathJsonConverter : JsonConverter<FilePath>
{
    /// <inheritdoc/>
    public override FilePath Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try { return FilePath.Parse(reader.GetString() ?? ""); }
        catch (BadInputException e) { throw new JsonException(e.Message, e); }
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, FilePath value, JsonSerializerOptions options)
        => writer.WriteStringValue(value.ToString());
}
