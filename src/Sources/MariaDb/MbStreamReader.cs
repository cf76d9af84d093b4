using System.Buffers.Binary;
using BackupDr.Contracts;

namespace BackupDr.Sources.MariaDb;

/// <summary>What a chunk of a stream does.</summary>
enum MbChunkKind
{
    /// <summary>Bytes of a file, behind those that came before.</summary>
    Payload,
    /// <summary>The file is whole.</summary>
    End,
    /// <summary>The next bytes are written at an offset; what was left out is zeros.</summary>
    Seek,
    /// <summary>A file that has ended gets another name.</summary>
    Rename,
    /// <summary>A file that has ended goes away.</summary>
    Remove,
}

/// <summary>A chunk.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Path">Of which file, relative.</param>
/// <param name="LengthBytes">Bytes of its payload.</param>
/// <param name="Offset">Where they belong, or where the next ones do.</param>
/// <param name="NewPath">The other name; of Rename only.</param>
/// <param name="IsRewrite">Whether it begins the file anew.</param>
readonly record struct MbChunk(MbChunkKind Kind, FilePath Path, long LengthBytes, long Offset, FilePath NewPath, bool IsRewrite);

/// <summary>Reads the stream that mariadb-backup writes with <c>--stream=mbstream</c>. Nothing is kept: a payload is read in
/// pieces.</summary>
/// <remarks>
/// Source: MariaDB, extra/mariabackup/xbstream.h. A chunk: "XBSTCK01", flags, type, path (length in 4 bytes); a payload's has length and
/// offset (8 bytes each) and a CRC-32; integers are little-endian. The stream ends between two chunks.
/// </remarks>
sealed class MbStreamReader(Stream stream)
{
    const int LongestPath = 4096, BufferBytes = 1 << 20;
    const byte Ignorable = 1, Rewrite = 2;

    static ReadOnlySpan<byte> Magic => "XBSTCK01"u8;

    readonly byte[] _buffer = new byte[BufferBytes];
    int _from, _to;
    long _position, _left;
    uint _checksum, _wanted;

    /// <summary>The next chunk; null at the end of the stream. The payload of the one before has been read.</summary>
    /// <exception cref="SourceException">The stream breaks off, or is none.</exception>
    public async ValueTask<MbChunk?> Next(CancellationToken ct)
    {
        if (_left > 0) throw new InvalidOperationException($"{_left} bytes of the payload were not read.");
        while (true)
        {
            if (!await Fill(14, ct)) return _from == _to ? null : throw Broken("it breaks off in a header");
            var (flags, type) = (_buffer[_from + 8], (char)_buffer[_from + 9]);
            if (!_buffer.AsSpan(_from, 8).SequenceEqual(Magic)) throw Broken("there is no chunk");
            var pathBytes = Number4(10);
            Skip(14);
            var path = await Path(pathBytes, ct);
            switch (type)
            {
                case 'P':
                    await Need(20, ct);
                    (_left, var offset, _wanted, _checksum) = (Number8(0), Number8(8), Number4(16), 0);
                    Skip(20);
                    if (_left < 0 || offset < 0) throw Broken("a length is impossible");
                    return new MbChunk(MbChunkKind.Payload, path, _left, offset, default, (flags & Rewrite) != 0);
                case 'E':
                    return new MbChunk(MbChunkKind.End, path, 0, 0, default, false);
                case 'S':
                    await Need(8, ct);
                    var seek = Number8(0);
                    Skip(8);
                    return new MbChunk(MbChunkKind.Seek, path, 0, seek, default, false);
                case 'R':
                    await Need(4, ct);
                    var newBytes = Number4(0);
                    Skip(4);
                    return new MbChunk(MbChunkKind.Rename, path, 0, 0, await Path(newBytes, ct), false);
                case 'D':
                    return new MbChunk(MbChunkKind.Remove, path, 0, 0, default, false);
                default:
                    if ((flags & Ignorable) == 0) throw Broken($"a chunk has the unknown type {(int)type}");
                    await Need(20, ct);
                    (_left, _wanted, _checksum) = (Number8(0), Number4(16), 0);
                    Skip(20);
                    while (!(await Payload(ct)).IsEmpty) { }
                    break;
            }
        }
    }

    /// <summary>The next piece of the chunk's payload, valid until the next call; empty at its end, where its checksum was right.</summary>
    /// <exception cref="SourceException">The stream breaks off, or the checksum is wrong.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> Payload(CancellationToken ct)
    {
        if (_left == 0) return default;
        if (_from == _to) await Need(1, ct);
        var piece = _buffer.AsMemory(_from, (int)Math.Min(_to - _from, _left));
        _checksum = Crc32.Append(_checksum, piece.Span);
        _left -= piece.Length;
        Skip(piece.Length);
        if (_left == 0 && _checksum != _wanted) throw Broken("a checksum is wrong");
        return piece;
    }

    async ValueTask<FilePath> Path(uint bytes, CancellationToken ct)
    {
        if (bytes is 0 or > LongestPath) throw Broken($"a path is {bytes} bytes long");
        await Need((int)bytes, ct);
        if (_buffer.AsSpan(_from, (int)bytes).Contains((byte)0)) throw Broken("a path leads elsewhere: it holds a zero byte");
        var path = new FilePath(_buffer[_from..(_from + (int)bytes)]);
        Skip((int)bytes);
        return Below(path);
    }

    /// <summary>A path as it goes on below the data folder: nothing leads out of it.</summary>
    FilePath Below(FilePath path)
    {
        var parts = path.ToString().Split('/').ToList();
        if (parts[0] == ".") parts.RemoveAt(0);
        if (parts.Count == 0 || parts.Any(part => part is "" or "." or ".."))
            throw Broken($"the path '{path}' leads elsewhere");
        return path.Bytes.StartsWith("./"u8) ? new FilePath(path.Bytes[2..].ToArray()) : path;
    }

    uint Number4(int at) => BinaryPrimitives.ReadUInt32LittleEndian(_buffer.AsSpan(_from + at));
    long Number8(int at) => BinaryPrimitives.ReadInt64LittleEndian(_buffer.AsSpan(_from + at));

    void Skip(int bytes) => (_from, _position) = (_from + bytes, _position + bytes);

    async ValueTask Need(int bytes, CancellationToken ct)
    {
        if (!await Fill(bytes, ct)) throw Broken("it breaks off");
    }

    /// <summary>Has at least so many bytes at hand; false where the stream ends before.</summary>
    async ValueTask<bool> Fill(int bytes, CancellationToken ct)
    {
        if (_to - _from >= bytes) return true;
        _buffer.AsSpan(_from, _to - _from).CopyTo(_buffer);
        (_from, _to) = (0, _to - _from);
        while (_to < bytes)
        {
            var read = await stream.ReadAsync(_buffer.AsMemory(_to), ct);
            if (read == 0) return false;
            _to += read;
        }
        return true;
    }

    SourceException Broken(string what) => new("mariadb.stream", $"The stream of mariadb-backup is not whole: {what}, at byte {_position}.",
        "Nothing was published. Run the backup again.");
}
