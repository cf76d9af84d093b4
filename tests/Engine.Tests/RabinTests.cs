using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;
using BackupDr.TestKit;

namespace BackupDr.Engine.Tests;

public sealed class RabinTests
{
    /// <summary>The cases whose input can be made here; the third is a file of a vector repository.</summary>
    [Theory, Clause("F-10.4")]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Cuts_are_those_of_stock_restic(int number)
    {
        var vector = Vector.Of("chunker").GetProperty("cases")[number];
        var data = vector.Text("input").StartsWith("synthetic", StringComparison.Ordinal) ? Synthetic(6 << 20) : new byte[3 << 20];
        var chunker = new Rabin(ulong.Parse(vector.Text("polynomial"), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        var expected = vector.GetProperty("lengths").EnumerateArray().Select(length => length.GetInt32());

        Assert.Equal(expected, Cut.Lengths(chunker, data));
        Assert.Equal(expected, Cut.Lengths(chunker, data, arriving: 65_521));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(63)]
    public void Cuts_do_not_depend_on_how_the_bytes_arrive_around_the_smallest_chunk(int step)
    {
        var chunker = new Rabin(Polynomial.RandomIrreducible());
        var data = Prepared.Noise((512 << 10) + 200, seed: 21);
        ulong whole = 0, pieces = 0;

        var cut = chunker.FindCut(data, 0, ref whole);
        var (seen, last) = ((512 << 10) - 130, 0);
        for (; last == 0 && seen < data.Length; seen += step)
            last = chunker.FindCut(data.AsSpan(0, Math.Min(seen + step, data.Length)), seen, ref pieces);

        Assert.Equal((cut, whole), (last, cut == 0 ? pieces : whole));
    }

    static byte[] Synthetic(int length)
    {
        var data = new byte[length];
        Span<byte> seed = stackalloc byte[20];
        "chunk-vector"u8.CopyTo(seed);
        for (var i = 0; i < length / 32; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(seed[12..], i);
            SHA256.HashData(seed, data.AsSpan(i * 32, 32));
        }
        return data;
    }
}

/// <summary>Cuts a whole input as the backup does.</summary>
static class Cut
{
    public static List<int> Lengths(IChunker chunker, byte[] data, int arriving = int.MaxValue)
    {
        var cuts = new List<int>();
        for (var start = 0; start < data.Length; start += cuts[^1])
        {
            var (cut, seen, state) = (0, 0, 0UL);
            var most = Math.Min(chunker.Maximum, data.Length - start);
            while (cut == 0 && seen < most)
            {
                var available = (int)Math.Min(most, (long)seen + arriving);
                cut = chunker.FindCut(data.AsSpan(start, available), seen, ref state);
                seen = available;
            }
            cuts.Add(cut == 0 ? most : cut);
        }
        return cuts;
    }
    /// <summary>The blobs of the chunks, each read and hashed by itself.</summary>
    public static List<BlobId> Ids(IChunker chunker, byte[] data)
    {
        var (ids, start) = (new List<BlobId>(), 0);
        foreach (var length in Lengths(chunker, data))
        {
            ids.Add(new BlobId(SHA256.HashData(data.AsSpan(start, length))));
            start += length;
        }
        return ids;
    }
}
