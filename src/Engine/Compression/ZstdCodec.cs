namespace BackupDr.Engine.Compression;

/// <summary>The codec over the system's libzstd, with contexts that are reused.</summary>
public sealed unsafe class ZstdCodec : IBlobCodec
{
    /// <summary>Level that gives restic's size.</summary>
    public const int DefaultLevel = 2;
    /// <summary>Shorter blobs are compressed one level higher: they hold little to refer to, and it costs little.</summary>
    const int SmallBytes = 128 << 10;

    readonly int _level;
    int _set;
    IntPtr _compress, _decompress;

    /// <param name="level">-5 to 19.</param>
    public ZstdCodec(int level = DefaultLevel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(level, -5);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, 19);
        _level = level;
    }

    /// <inheritdoc/>
    public int Bound(int plainLength) => checked((int)Zstd.ZSTD_compressBound((nuint)plainLength));

    /// <inheritdoc/>
    public int Compress(ReadOnlySpan<byte> plain, Span<byte> target)
    {
        if (_compress == IntPtr.Zero)
        {
            _compress = Zstd.ZSTD_createCCtx();
            Zstd.Must(Zstd.ZSTD_CCtx_setParameter(_compress, Zstd.ContentSizeFlag, 1), "content size");
            Zstd.Must(Zstd.ZSTD_CCtx_setParameter(_compress, Zstd.ChecksumFlag, 0), "checksum");
        }
        var level = plain.Length < SmallBytes && _level is > 0 and < 19 ? _level + 1 : _level;
        if (level != _set) Zstd.Must(Zstd.ZSTD_CCtx_setParameter(_compress, Zstd.CompressionLevel, level), "level");
        _set = level;
        byte none = 0;
        fixed (byte* from = plain, to = target)
            return (int)Zstd.Must(Zstd.ZSTD_compress2(_compress, to, (nuint)target.Length, plain.IsEmpty ? &none : from,
                (nuint)plain.Length), "compress");
    }

    /// <inheritdoc/>
    public bool TryDecompress(ReadOnlySpan<byte> frame, Span<byte> plain)
    {
        if (_decompress == IntPtr.Zero) _decompress = Zstd.ZSTD_createDCtx();
        byte none = 0;
        fixed (byte* from = frame, to = plain)
        {
            var length = Zstd.ZSTD_decompressDCtx(_decompress, plain.IsEmpty ? &none : to, (nuint)plain.Length, frame.IsEmpty ? &none
                : from, (nuint)frame.Length);
            return Zstd.ZSTD_isError(length) == 0 && length == (nuint)plain.Length;
        }
    }

    /// <inheritdoc/>
    public int? ContentLength(ReadOnlySpan<byte> frame, int limit)
    {
        byte none = 0;
        ulong length;
        fixed (byte* from = frame) length = Zstd.ZSTD_getFrameContentSize(frame.IsEmpty ? &none : from, (nuint)frame.Length);
        return length is Zstd.UnknownLength or Zstd.BadFrame || length > (ulong)limit ? null : (int)length;
    }

    /// <summary>Frees the contexts.</summary>
    public void Dispose()
    {
        if (_compress != IntPtr.Zero) Zstd.ZSTD_freeCCtx(_compress);
        if (_decompress != IntPtr.Zero) Zstd.ZSTD_freeDCtx(_decompress);
        (_compress, _decompress) = (IntPtr.Zero, IntPtr.Zero);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what a lost codec left.</summary>
    ~ZstdCodec() => Dispose();
}
