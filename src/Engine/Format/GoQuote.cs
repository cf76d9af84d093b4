using System.Buffers;
using System.Globalization;
using System.Text;

namespace BackupDr.Engine.Format;

/// <summary>The quoted form in which trees hold file names: Go's quoted string without the quotes around it.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-7.4.</remarks>
public static class GoQuote
{
    static readonly SearchValues<byte> Plain = SearchValues.Create(
        [.. Enumerable.Range(0x20, 0x5f).Select(value => (byte)value).Where(value => value is not ((byte)'"' or (byte)'\\'))]);

    /// <summary>Writes the quoted form of raw bytes; the output is always valid UTF-8.</summary>
    public static void Quote(ReadOnlySpan<byte> raw, ArrayBufferWriter<byte> output)
    {
        while (!raw.IsEmpty)
        {
            var at = raw.IndexOfAnyExcept(Plain);
            var plain = at < 0 ? raw.Length : at;
            output.Write(raw[..plain]);
            raw = raw[plain..];
            if (raw.IsEmpty) return;
            if (Rune.DecodeFromUtf8(raw, out var rune, out var used) != OperationStatus.Done)
            {
                Write(output, $"\\x{raw[0]:x2}");
                raw = raw[1..];
                continue;
            }
            QuoteRune(rune, raw[..used], output);
            raw = raw[used..];
        }
    }

    static void QuoteRune(Rune rune, ReadOnlySpan<byte> bytes, ArrayBufferWriter<byte> output)
    {
        switch (rune.Value)
        {
            case '"': output.Write("\\\""u8); break;
            case '\\': output.Write("\\\\"u8); break;
            case 7: output.Write("\\a"u8); break;
            case 8: output.Write("\\b"u8); break;
            case 9: output.Write("\\t"u8); break;
            case 10: output.Write("\\n"u8); break;
            case 11: output.Write("\\v"u8); break;
            case 12: output.Write("\\f"u8); break;
            case 13: output.Write("\\r"u8); break;
            case < 0x20 or 0x7f: Write(output, $"\\x{rune.Value:x2}"); break;
            default:
                if (IsPrintable(rune)) output.Write(bytes);
                else if (rune.Value < 0x10000) Write(output, $"\\u{rune.Value:x4}");
                else Write(output, $"\\U{rune.Value:x8}");
                break;
        }
    }

    static void Write(ArrayBufferWriter<byte> output, FormattableString text)
        => output.Write(Encoding.ASCII.GetBytes(text.ToString(CultureInfo.InvariantCulture)));

    static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);

    /// <summary>Reads the quoted form; false where an escape is none of the notation.</summary>
    public static bool TryUnquote(ReadOnlySpan<byte> quoted, out byte[] raw)
    {
        if (!quoted.Contains((byte)'\\')) { raw = quoted.ToArray(); return true; }
        raw = [];
        var output = new ArrayBufferWriter<byte>(quoted.Length);
        while (!quoted.IsEmpty)
        {
            var at = quoted.IndexOf((byte)'\\');
            if (at < 0) { output.Write(quoted); break; }
            output.Write(quoted[..at]);
            quoted = quoted[(at + 1)..];
            if (!TryEscape(ref quoted, output)) return false;
        }
        raw = output.WrittenSpan.ToArray();
        return true;
    }

    static bool TryEscape(ref ReadOnlySpan<byte> rest, ArrayBufferWriter<byte> output)
    {
        if (rest.IsEmpty) return false;
        var letter = rest[0];
        var simple = letter switch
        {
            (byte)'a' => 7,
            (byte)'b' => 8,
            (byte)'t' => 9,
            (byte)'n' => 10,
            (byte)'v' => 11,
            (byte)'f' => 12,
            (byte)'r' => 13,
            (byte)'\\' => '\\',
            (byte)'"' => '"',
            (byte)'\'' => '\'',
            _ => -1,
        };
        if (simple >= 0) { output.Write([(byte)simple]); rest = rest[1..]; return true; }
        if (letter is >= (byte)'0' and <= (byte)'7') return TryOctal(ref rest, output);
        var digits = letter switch { (byte)'x' => 2, (byte)'u' => 4, (byte)'U' => 8, _ => 0 };
        if (digits == 0 || rest.Length <= digits) return false;
        if (!uint.TryParse(rest.Slice(1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            return false;
        rest = rest[(digits + 1)..];
        if (digits == 2) { output.Write([(byte)value]); return true; }
        if (!Rune.TryCreate(value, out var rune)) return false;
        var span = output.GetSpan(4);
        output.Advance(rune.EncodeToUtf8(span));
        return true;
    }

    static bool TryOctal(ref ReadOnlySpan<byte> rest, ArrayBufferWriter<byte> output)
    {
        if (rest.Length < 3) return false;
        var value = 0;
        foreach (var digit in rest[..3])
        {
            if (digit is < (byte)'0' or > (byte)'7') return false;
            value = value * 8 + digit - '0';
        }
        if (value > 255) return false;
        output.Write([(byte)value]);
        rest = rest[3..];
        return true;
    }
}
