using System.Buffers.Binary;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>A transaction's number.</summary>
/// <param name="Domain">Domain.</param>
/// <param name="Server">Number of the server that made it.</param>
/// <param name="Sequence">Number in its domain.</param>
public readonly record struct Gtid(uint Domain, uint Server, ulong Sequence)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Domain}-{Server}-{Sequence}");

    /// <summary>Reads "0-1-4711".</summary>
    public static bool TryParse(string text, out Gtid gtid)
    {
        gtid = default;
        if (text.Split('-') is not [var domain, var server, var sequence]
            || !uint.TryParse(domain, NumberStyles.None, CultureInfo.InvariantCulture, out var d)
            || !uint.TryParse(server, NumberStyles.None, CultureInfo.InvariantCulture, out var s)
            || !ulong.TryParse(sequence, NumberStyles.None, CultureInfo.InvariantCulture, out var n)) return false;
        gtid = new Gtid(d, s, n);
        return true;
    }
}

/// <summary>Something in the log that is replayed whole or not at all.</summary>
/// <param name="Start">Its first byte.</param>
/// <param name="End">The byte behind it.</param>
/// <param name="Gtid">Its number.</param>
/// <param name="At">When it was committed, to whole seconds: the server writes no more.</param>
public readonly record struct BinlogGroup(long Start, long End, Gtid Gtid, DateTimeOffset At);

/// <summary>What a file of the log begins with.</summary>
/// <param name="CreatedAt">Seconds since 1970 in its first event.</param>
/// <param name="ServerId">Number of the server.</param>
/// <param name="Before">The last transactions before it, of each domain and server; null where the file does not tell yet.</param>
public sealed record BinlogHead(uint CreatedAt, uint ServerId, IReadOnlySet<Gtid>? Before);

/// <summary>Reads a file of a binary log from its beginning, as far as its events are whole.</summary>
/// <remarks>
/// Source: MariaDB Knowledge Base, "Replication Protocol", event header, format description, GTID and GTID list events. An event: time,
/// type
/// (1 byte), server, length, end, flags (2 bytes); the others have 4 bytes, little-endian; with a CRC-32 at its end where the format
/// description says so.
/// </remarks>
public sealed class BinlogReader : IDisposable
{
    const int HeaderBytes = 19, MagicBytes = 4, ChecksumBytes = 4, LargestChecked = 16 << 20, HeadOfEvent = 64 << 10;
    const byte Query = 2, Stop = 3, Rotate = 4, FormatDescription = 15, Xid = 16, XaPrepare = 38, GtidEvent = 162,
        GtidList = 163, QueryCompressed = 165;
    const byte StandaloneFlag = 1;

    static ReadOnlySpan<byte> Magic => [0xfe, (byte)'b', (byte)'i', (byte)'n'];

    readonly Descriptor _file;
    readonly string _name;
    long _end;
    bool _hasChecksums;
    (long Start, Gtid Gtid, DateTimeOffset At, bool Standalone)? _open;

    BinlogReader(Descriptor file, string name, long end) => (_file, _name, _end) = (file, name, end);

    internal const string Unsound = "mariadb.binlog";

    /// <summary>Bytes of the file when it was last looked at.</summary>
    public long LengthBytes => _end;

    /// <summary>The byte behind the last whole event.</summary>
    public long Position { get; private set; }

    /// <summary>What it begins with; null while that has not come.</summary>
    public BinlogHead? Head { get; private set; }

    /// <summary>Whether the last event says that the server went on in another file, or was stopped.</summary>
    public bool HasEnd { get; private set; }

    /// <summary>Opens a file.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="lengthBytes">Bytes to look at; null for all that there are.</param>
    public static BinlogReader Open(string path, long? lengthBytes = null)
    {
        var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly);
        var reader = new BinlogReader(file, Path.GetFileName(path), Math.Min(lengthBytes ?? long.MaxValue, file.Stat().SizeBytes));
        if (reader._end >= MagicBytes) reader.Begin();
        return reader;
    }

    /// <summary>When a file was begun: the time in its first event, which is in clear also where the log is encrypted. Null where it is no
    /// file of a log.</summary>
    internal static uint? CreatedAtOf(string path)
    {
        using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly);
        Span<byte> head = stackalloc byte[MagicBytes + HeaderBytes];
        return file.FillAt(0, head) == head.Length && head.StartsWith(Magic) && head[MagicBytes + 4] == FormatDescription
            ? Number4(head[MagicBytes..]) : null;
    }

    /// <summary>Looks how long the file is now: somebody writes it.</summary>
    public void Refresh()
    {
        _end = _file.Stat().SizeBytes;
        if (Position == 0 && _end >= MagicBytes) Begin();
    }

    void Begin()
    {
        Span<byte> magic = stackalloc byte[MagicBytes];
        _file.FillAt(0, magic);
        if (!magic.SequenceEqual(Magic)) throw Broken(0, "it does not begin as one");
        Position = MagicBytes;
    }

    /// <summary>Bytes of the file.</summary>
    internal byte[] Bytes(long from, int count)
    {
        var bytes = new byte[count];
        _file.FillAt(from, bytes);
        return bytes;
    }

    /// <summary>The next transaction that is whole; null where there is none (yet).</summary>
    /// <exception cref="SourceException">It is no binary log, or an event's checksum is wrong.</exception>
    public BinlogGroup? Next()
    {
        var body = new byte[HeadOfEvent];
        Span<byte> header = stackalloc byte[HeaderBytes];
        while (Position > 0 && Position + HeaderBytes <= _end)
        {
            _file.FillAt(Position, header);
            var (seconds, type, server) = (Number4(header), header[4], Number4(header[5..]));
            long length = Number4(header[9..]);
            if (length < HeaderBytes) throw Broken(Position, $"an event is {length} bytes long");
            if (Position + length > _end) return null;
            var (start, end) = (Position, Position + length);
            var read = _file.FillAt(start + HeaderBytes, body.AsSpan(0, (int)Math.Min(length - HeaderBytes, body.Length)));
            var content = body.AsSpan(0, read);
            if (type == FormatDescription) TakeFormat(content, length, seconds, server);
            CheckSum(start, length);
            Position = end;
            if (Take(type, content, length - HeaderBytes, start, end, seconds, server) is { } group) return group;
        }
        return null;
    }

    BinlogGroup? Take(byte type, ReadOnlySpan<byte> body, long bodyBytes, long start, long end, uint seconds, uint server)
    {
        HasEnd = type is Rotate or Stop;
        switch (type)
        {
            case GtidList when Head is { Before: null }:
                Head = Head with { Before = List(body, start) };
                return null;
            case GtidEvent when body.Length >= 13:
                var gtid = new Gtid(Number4(body[8..]), server, BinaryPrimitives.ReadUInt64LittleEndian(body));
                _open = (start, gtid, DateTimeOffset.FromUnixTimeSeconds(seconds), (body[12] & StandaloneFlag) != 0);
                return null;
            case Query or QueryCompressed when _open is { } open && (open.Standalone || (type == Query && Ends(body, bodyBytes))):
            case Xid or XaPrepare when _open is not null:
                var whole = _open!.Value;
                _open = null;
                return new BinlogGroup(whole.Start, end, whole.Gtid, whole.At);
            default:
                return null;
        }
    }

    // Version (2), server version (50), time (4), header length (1), one byte a type, then which checksum and its own.
    void TakeFormat(ReadOnlySpan<byte> body, long length, uint seconds, uint server)
    {
        if (body.Length < 57 + ChecksumBytes + 1) throw Broken(Position, "its format is unknown");
        _hasChecksums = body[(int)(length - HeaderBytes) - ChecksumBytes - 1] == 1;
        Head ??= new BinlogHead(seconds, server, null);
    }

    HashSet<Gtid> List(ReadOnlySpan<byte> body, long at)
    {
        var count = Number4(body) & 0x0fff_ffff;
        if (4 + count * 16L > body.Length) throw Broken(at, "its list of transactions is too long");
        var list = new HashSet<Gtid>();
        for (var entry = body[4..]; count > 0; count--, entry = entry[16..])
            list.Add(new Gtid(Number4(entry), Number4(entry[4..]), BinaryPrimitives.ReadUInt64LittleEndian(entry[8..])));
        return list;
    }

    // Thread (4), duration (4), length of the database (1), error (2), length of the status (2); status, database, zero, statement.
    bool Ends(ReadOnlySpan<byte> body, long bodyBytes)
    {
        if (body.Length < 13) return false;
        var at = 13 + BinaryPrimitives.ReadUInt16LittleEndian(body[11..]) + body[8] + 1;
        var length = bodyBytes - at - (_hasChecksums ? ChecksumBytes : 0);
        if (length is < 6 or > 8 || at + length > body.Length) return false;
        var statement = body.Slice(at, (int)length);
        return statement.SequenceEqual("COMMIT"u8) || statement.SequenceEqual("ROLLBACK"u8);
    }

    void CheckSum(long start, long length)
    {
        if (!_hasChecksums || length > LargestChecked) return;
        var bytes = new byte[length];
        _file.FillAt(start, bytes);
        // The server marks the file that it has open in the flags of the first event, after the checksum was made.
        if (bytes[4] == FormatDescription) bytes[17] &= 0xfe;
        var sum = Crc32.Append(0, bytes.AsSpan(0, (int)length - ChecksumBytes));
        if (sum != Number4(bytes.AsSpan((int)length - ChecksumBytes))) throw Broken(start, "an event's checksum is wrong");
    }

    static uint Number4(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    SourceException Broken(long at, string what) => new(Unsound, $"{_name} is no sound binary log: {what}, at byte {at}.",
        "Look at it with mariadb-binlog --verify-binlog-checksum.");

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();
}
