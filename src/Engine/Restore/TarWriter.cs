using System.Buffers;
using System.Globalization;
using System.Text;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Restore;

/// <summary>Writes the headers of a POSIX tar archive with extended records (pax), names as bytes.</summary>
/// <remarks>
/// Source: POSIX.1-2017, pax, "ustar interchange format" and "pax extended header". The base library's writer takes names as text and
/// would change those that are no UTF-8. Extended attributes go under SCHILY.xattr, as GNU tar and bsdtar read them.
/// </remarks>
sealed class TarWriter(Stream output)
{
    public const int BlockSize = 512;
    const long LargestOctal8 = 0x1FFFFF, LargestOctal12 = 0x1FFFFFFFF;
    static readonly byte[] Zeros = new byte[2 * BlockSize];

    /// <summary>Writes an entry's header; for a file its content must follow, then <see cref="Pad"/>.</summary>
    /// <param name="name">Path in the archive, without a slash in front; folders end with one.</param>
    /// <param name="node">What it is.</param>
    /// <param name="hardLink">Path of the entry whose content it shares; empty for one of its own.</param>
    /// <param name="ct">Cancels.</param>
    public async Task Entry(ReadOnlyMemory<byte> name, Node node, ReadOnlyMemory<byte> hardLink, CancellationToken ct)
    {
        var link = hardLink.IsEmpty ? node.LinkTarget.Bytes.ToArray() : hardLink.ToArray();
        var size = hardLink.IsEmpty && node.Type == NodeType.File ? (long)node.SizeBytes : 0;
        var records = Records(name.Span, link, node, size);
        if (records.WrittenCount > 0)
        {
            await output.WriteAsync(Header("PaxHeaders/entry"u8, 'x', node, records.WrittenCount, []), ct);
            await output.WriteAsync(records.WrittenMemory, ct);
            await Pad(records.WrittenCount, ct);
        }
        var kind = hardLink.IsEmpty ? Kind(node.Type) : '1';
        await output.WriteAsync(Header(name.Span, kind, node, size, link), ct);
    }

    /// <summary>Fills the last block of content of this length, in bytes.</summary>
    public async Task Pad(long length, CancellationToken ct)
        => await output.WriteAsync(Zeros.AsMemory(0, (int)((BlockSize - length % BlockSize) % BlockSize)), ct);

    /// <summary>Ends the archive.</summary>
    public async Task End(CancellationToken ct) => await output.WriteAsync(Zeros, ct);

    static char Kind(NodeType type) => type switch
    {
        NodeType.File => '0',
        NodeType.Symlink => '2',
        NodeType.CharDev => '3',
        NodeType.Dev => '4',
        NodeType.Dir => '5',
        NodeType.Fifo => '6',
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "A tar archive has no word for this kind."),
    };

    static ArrayBufferWriter<byte> Records(ReadOnlySpan<byte> name, ReadOnlySpan<byte> link, Node node, long size)
    {
        var records = new ArrayBufferWriter<byte>(256);
        var isText = System.Text.Unicode.Utf8.IsValid(name) && System.Text.Unicode.Utf8.IsValid(link);
        if (!isText) Record(records, "hdrcharset"u8, "BINARY"u8);
        if (name.Length > 100 || !Ascii.IsValid(name)) Record(records, "path"u8, name);
        if (link.Length > 100 || !Ascii.IsValid(link)) Record(records, "linkpath"u8, link);
        if (size > LargestOctal12) Record(records, "size"u8, Number(size));
        if (node.Uid > LargestOctal8) Record(records, "uid"u8, Number(node.Uid));
        if (node.Gid > LargestOctal8) Record(records, "gid"u8, Number(node.Gid));
        if (node.User.Length > 31 || !Ascii.IsValid(node.User)) Record(records, "uname"u8, Encoding.UTF8.GetBytes(node.User));
        if (node.Group.Length > 31 || !Ascii.IsValid(node.Group)) Record(records, "gname"u8, Encoding.UTF8.GetBytes(node.Group));
        if (node.ModifiedAt.Nanoseconds != 0 || node.ModifiedAt.Seconds is < 0 or > LargestOctal12)
            Record(records, "mtime"u8, Encoding.ASCII.GetBytes(Time(node.ModifiedAt)));
        foreach (var xattr in node.Xattrs)
            Record(records, Encoding.UTF8.GetBytes("SCHILY.xattr." + xattr.Name), xattr.Value);
        return records;
    }

    static byte[] Number(long value) => Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture));

    /// <summary>Decimal seconds. Before 1970 the fraction counts away from zero, as the sign stands in front of all of it.</summary>
    static string Time(UnixTime time)
    {
        var (seconds, nanoseconds) = ((long)time.Seconds, (long)time.Nanoseconds);
        var sign = seconds < 0 ? "-" : "";
        if (seconds < 0) (seconds, nanoseconds) = nanoseconds == 0 ? (-seconds, 0) : (-seconds - 1, 1_000_000_000 - nanoseconds);
        return string.Create(CultureInfo.InvariantCulture, $"{sign}{seconds}.{nanoseconds:000000000}");
    }

    /// <summary>"LENGTH KEY=VALUE\n", where LENGTH counts its own digits too.</summary>
    static void Record(ArrayBufferWriter<byte> records, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        var rest = key.Length + value.Length + 3;
        var length = rest + 1;
        while (rest + Number(length).Length != length) length = rest + Number(length).Length;
        records.Write(Number(length));
        records.Write(" "u8);
        records.Write(key);
        records.Write("="u8);
        records.Write(value);
        records.Write("\n"u8);
    }

    static byte[] Header(ReadOnlySpan<byte> name, char kind, Node node, long size, ReadOnlySpan<byte> link)
    {
        var header = new byte[BlockSize];
        var block = header.AsSpan();
        name[..Math.Min(100, name.Length)].CopyTo(block);
        Octal(block.Slice(100, 8), node.Permissions);
        Octal(block.Slice(108, 8), Math.Min(node.Uid, LargestOctal8));
        Octal(block.Slice(116, 8), Math.Min(node.Gid, LargestOctal8));
        Octal(block.Slice(124, 12), Math.Min(size, LargestOctal12));
        Octal(block.Slice(136, 12), Math.Clamp(node.ModifiedAt.Seconds, 0, LargestOctal12));
        block[156] = (byte)kind;
        link[..Math.Min(100, link.Length)].CopyTo(block[157..]);
        "ustar\000"u8.CopyTo(block[257..]);
        Text(block.Slice(265, 31), node.User);
        Text(block.Slice(297, 31), node.Group);
        if (kind is '3' or '4')
        {
            Octal(block.Slice(329, 8), (long)((node.Device >> 8 & 0xFFF) | (node.Device >> 32 & 0xFFFFF000)) & LargestOctal8);
            Octal(block.Slice(337, 8), (long)((node.Device & 0xFF) | (node.Device >> 12 & 0xFFFFFF00)) & LargestOctal8);
        }
        block.Slice(148, 8).Fill((byte)' ');   // the sum is taken with blanks in its own place
        var sum = 0;
        foreach (var one in block) sum += one;
        Octal(block.Slice(148, 7), sum);
        return header;
    }

    /// <summary>Octal digits with a NUL behind them.</summary>
    static void Octal(Span<byte> field, long value)
    {
        for (var at = field.Length - 2; at >= 0; at--, value >>= 3) field[at] = (byte)('0' + (value & 7));
        field[^1] = 0;
    }

    static void Text(Span<byte> field, string text)
    {
        if (Ascii.IsValid(text) && text.Length <= field.Length) Encoding.ASCII.GetBytes(text, field);
    }
}
