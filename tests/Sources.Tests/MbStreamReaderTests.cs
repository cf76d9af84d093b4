using System.Buffers.Binary;
using System.Text;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Sources.Tests;

/// <summary>The reader of mariadb-backup's stream, on streams of its own making: cut short, spoilt, and with every kind of chunk.</summary>
public sealed class MbStreamReaderTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    static byte[] Chunk(char type, string path, params byte[] rest)
    {
        var name = Encoding.UTF8.GetBytes(path);
        var length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, name.Length);
        return [.. "XBSTCK01"u8, 0, (byte)type, .. length, .. name, .. rest];
    }

    static byte[] Payload(string path, long offset, params byte[] bytes)
    {
        var head = new byte[20];
        BinaryPrimitives.WriteInt64LittleEndian(head, bytes.Length);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(8), offset);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(16), Crc32.Append(0, bytes));
        return Chunk('P', path, [.. head, .. bytes]);
    }

    async Task<string> Read(byte[] stream)
    {
        var reader = new MbStreamReader(new MemoryStream(stream));
        var told = new List<string>();
        while (await reader.Next(_ct) is { } chunk)
        {
            var bytes = 0;
            while (await reader.Payload(_ct) is { IsEmpty: false } piece) bytes += piece.Length;
            told.Add($"{chunk.Kind} {chunk.Path} {bytes}@{chunk.Offset}{(chunk.NewPath.IsEmpty ? "" : " " + chunk.NewPath)}");
        }
        return string.Join("; ", told);
    }

    [Fact]
    public void The_checksum_is_the_one_of_zip_files() => Assert.Equal(0xcbf43926u, Crc32.Append(Crc32.Append(0, "1234"u8), "56789"u8));

    [Fact]
    public async Task Every_kind_of_chunk_is_read()
    {
        var large = new byte[3 << 20];
        byte[] seek = [16, 0, 0, 0, 0, 0, 0, 0], rename = [3, 0, 0, 0, .. "d/c"u8];
        byte[] stream = [.. Payload("./d/a", 0, 1, 2, 3), .. Payload("b", 0, large), .. Chunk('S', "d/a", seek), .. Chunk('E', "d/a"),
            .. Chunk('R', "d/a", rename), .. Chunk('D', "b")];

        Assert.Equal("Payload d/a 3@0; Payload b 3145728@0; Seek d/a 0@16; End d/a 0@0; Rename d/a 0@0 d/c; Remove b 0@0",
            await Read(stream));
        Assert.Equal("", await Read([]));
    }

    [Fact]
    public async Task A_stream_that_breaks_off_anywhere_but_between_chunks_is_refused()
    {
        byte[] first = Payload("a", 0, 1, 2, 3), stream = [.. first, .. Chunk('E', "a")];
        for (var length = 1; length < stream.Length; length++)
        {
            if (length == first.Length) continue;
            var e = await Assert.ThrowsAsync<SourceException>(() => Read(stream[..length]));
            Assert.Equal("mariadb.stream", e.Code);
        }
    }

    [Fact]
    public async Task No_flipped_bit_gets_through_as_other_bytes()
    {
        var stream = Payload("a", 0, [.. Enumerable.Range(0, 100).Select(number => (byte)number)]);
        for (var bit = 0; bit < stream.Length * 8; bit++)
        {
            var spoilt = stream.ToArray();
            spoilt[bit / 8] ^= (byte)(1 << bit % 8);
            // Path, flags and offset are under no checksum; the source compares offsets, and a name is a name.
            if (bit / 8 is 8 or 14 or (>= 23 and < 31)) continue;
            await Assert.ThrowsAsync<SourceException>(() => Read(spoilt));
        }
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../a")]
    [InlineData("a/../../b")]
    [InlineData("a//b")]
    [InlineData("./")]
    [InlineData("a\0b")]
    public async Task A_path_that_leads_elsewhere_is_refused(string path)
        => Assert.Contains("leads elsewhere", (await Assert.ThrowsAsync<SourceException>(() => Read(Chunk('E', path)))).Message,
            StringComparison.Ordinal);
}
