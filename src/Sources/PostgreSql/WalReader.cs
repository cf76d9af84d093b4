using System.Buffers.Binary;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>A record of the log that a recovery may stop at.</summary>
/// <param name="At">Where it begins.</param>
/// <param name="End">The position behind it.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Time">The server's clock when it was written.</param>
/// <param name="Xid">The transaction; 0 for a restore point.</param>
/// <param name="Name">Name of a restore point; else "".</param>
public readonly record struct WalMark(Lsn At, Lsn End, WalMarkKind Kind, DateTimeOffset Time, uint Xid, string Name);

/// <summary>Kinds of records that a recovery may stop at.</summary>
public enum WalMarkKind
{
    /// <summary>A transaction ended and stands.</summary>
    Commit,
    /// <summary>A transaction ended and is undone.</summary>
    Abort,
    /// <summary>pg_create_restore_point.</summary>
    RestorePoint,
}

/// <summary>Reads records from log segments in a folder, to find when what was committed.</summary>
/// <remarks>
/// Source: PostgreSQL's access/xlogrecord.h and access/xlog_internal.h, equal in versions 12 to 18 in what is used here. A record is
/// believed where its page names its place and it names the record before it; what fits neither is the end of the log.
/// </remarks>
/// <param name="segmentBytes">Bytes of a segment.</param>
/// <param name="pathOf">The file that holds a position; null where there is none.</param>
public sealed class WalReader(int segmentBytes, Func<Lsn, string?> pathOf) : IDisposable
{
    const int PageBytes = 8192, ShortHeader = 24, LongHeader = 40, RecordHeader = 24, LongestRecord = 1 << 30;
    const byte XlogManager = 0, TransactionManager = 1, Switch = 0x40, RestorePoint = 0x70;
    const byte ShortData = 255, LongData = 254, Origin = 253, TopLevel = 252;
    const int NameBytes = 64;

    static readonly DateTimeOffset Epoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    readonly byte[] _page = new byte[PageBytes];
    Lsn _pageAt = new(ulong.MaxValue);
    Descriptor? _file;
    string? _path;

    /// <summary>The position behind the last record that was read.</summary>
    public Lsn End { get; private set; }

    /// <summary>The marks from a position on, up to the end of the log.</summary>
    /// <param name="from">Where a record begins, for example a base backup's start.</param>
    /// <param name="ct">Cancels.</param>
    public IEnumerable<WalMark> Read(Lsn from, CancellationToken ct)
    {
        var (at, before) = (from, new Lsn(0));
        while (ReadRecord(ref at, before, out var begin) is { } record)
        {
            ct.ThrowIfCancellationRequested();
            before = begin;
            End = at;
            var (info, manager) = ((byte)(record[16] & 0xF0), record[17]);
            if (manager == XlogManager && info == Switch)
            {
                if (at.Value % (ulong)segmentBytes != 0) at = new Lsn((at.Value / (ulong)segmentBytes + 1) * (ulong)segmentBytes);
                End = at;
            }
            if (MarkOf(record, info, manager, begin, at) is { } mark) yield return mark;
        }
    }

    /// <summary>The next record; null at the end of the log. Only the records that can be marks are read whole.</summary>
    byte[]? ReadRecord(ref Lsn at, Lsn before, out Lsn begin)
    {
        begin = at = Aligned(at);
        var position = at;
        Span<byte> head = stackalloc byte[RecordHeader];
        if (!Gather(ref position, head)) return null;
        begin = at = SkipHeader(at);
        var length = BinaryPrimitives.ReadUInt32LittleEndian(head);
        if (length is < RecordHeader or > LongestRecord) return null;
        if (before.Value != 0 && BinaryPrimitives.ReadUInt64LittleEndian(head[8..]) != before.Value) return null;
        var manager = head[17];
        var isSmall = manager is XlogManager or TransactionManager && length < 1 << 20;
        var record = new byte[isSmall ? (int)length : RecordHeader];
        head.CopyTo(record);
        if (isSmall ? !Gather(ref position, record.AsSpan(RecordHeader)) : !Skip(ref position, length - RecordHeader)) return null;
        at = position;
        return record;
    }

    static Lsn Aligned(Lsn at) => new((at.Value + 7) & ~7UL);

    // A position at a page's beginning means the first byte behind the page's header.
    Lsn SkipHeader(Lsn at) => at.Value % PageBytes == 0 ? new Lsn(at.Value + (ulong)HeaderBytes(at)) : at;

    int HeaderBytes(Lsn page) => page.Value % (ulong)segmentBytes == 0 ? LongHeader : ShortHeader;

    bool Gather(ref Lsn at, Span<byte> target)
    {
        while (target.Length > 0)
        {
            at = SkipHeader(at);
            if (!Load(new Lsn(at.Value / PageBytes * PageBytes))) return false;
            var inPage = (int)(at.Value % PageBytes);
            var taken = Math.Min(target.Length, PageBytes - inPage);
            _page.AsSpan(inPage, taken).CopyTo(target);
            target = target[taken..];
            at = new Lsn(at.Value + (ulong)taken);
        }
        return true;
    }

    bool Skip(ref Lsn at, long bytes)
    {
        while (bytes > 0)
        {
            at = SkipHeader(at);
            if (!Load(new Lsn(at.Value / PageBytes * PageBytes))) return false;
            var taken = Math.Min(bytes, PageBytes - (long)(at.Value % PageBytes));
            bytes -= taken;
            at = new Lsn(at.Value + (ulong)taken);
        }
        return true;
    }

    bool Load(Lsn page)
    {
        if (_pageAt == page) return true;
        _pageAt = new Lsn(ulong.MaxValue);
        var path = pathOf(page);
        if (path is null) return false;
        if (path != _path)
        {
            _file?.Dispose();
            (_file, _path) = (Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly), path);
        }
        if (_file!.FillAt((long)(page.Value % (ulong)segmentBytes), _page) < PageBytes) return false;
        if (BinaryPrimitives.ReadUInt64LittleEndian(_page.AsSpan(8)) != page.Value) return false;
        _pageAt = page;
        return true;
    }

    static WalMark? MarkOf(byte[] record, byte info, byte manager, Lsn at, Lsn end)
    {
        if (manager == XlogManager && info == RestorePoint && Main(record) is { Length: >= 8 + NameBytes } point)
        {
            var name = point.Span.Slice(8, NameBytes);
            var length = name.IndexOf((byte)0);
            return new WalMark(at, end, WalMarkKind.RestorePoint, TimeOf(point.Span), 0,
                System.Text.Encoding.UTF8.GetString(length < 0 ? name : name[..length]));
        }
        if (manager != TransactionManager || Main(record) is not { Length: >= 8 } main) return null;
        WalMarkKind? kind = (info & 0x70) switch
        {
            0x00 or 0x30 => WalMarkKind.Commit,   // plain, or of a prepared transaction
            0x20 or 0x40 => WalMarkKind.Abort,
            _ => null,
        };
        return kind is null ? null
            : new WalMark(at, end, kind.Value, TimeOf(main.Span), BinaryPrimitives.ReadUInt32LittleEndian(record.AsSpan(4)), "");
    }

    static DateTimeOffset TimeOf(ReadOnlySpan<byte> data)
        => Epoch.AddTicks(BinaryPrimitives.ReadInt64LittleEndian(data) * TimeSpan.TicksPerMicrosecond);

    /// <summary>The record's own data, which stand at its end; empty where pages come before them, as in no record that is looked for.
    /// </summary>
    static ReadOnlyMemory<byte> Main(byte[] record)
    {
        var at = RecordHeader;
        while (at + 5 <= record.Length)
        {
            switch (record[at])
            {
                case Origin: at += 3; break;
                case TopLevel: at += 5; break;
                case ShortData: return Last(record, record[at + 1], at + 2);
                case LongData: return Last(record, BinaryPrimitives.ReadUInt32LittleEndian(record.AsSpan(at + 1)), at + 5);
                default: return default;
            }
        }
        return default;
    }

    static ReadOnlyMemory<byte> Last(byte[] record, uint length, int headers)
        => length <= record.Length - headers ? record.AsMemory(record.Length - (int)length) : default;

    /// <summary>Closes the segment that is open.</summary>
    public void Dispose() => _file?.Dispose();
}
