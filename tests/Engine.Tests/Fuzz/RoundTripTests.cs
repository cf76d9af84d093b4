using System.Buffers;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Tests.Fuzz;

/// <summary>What was written reads back the same, for any content.</summary>
public sealed class RoundTripTests
{
    [Fact]
    public void Pack_headers_and_index_files()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            var random = new Random(seed);
            var packs = Enumerable.Range(0, random.Next(1, 6)).Select(_ => new IndexedPack(Id(random), Entries(random))).ToList();

            foreach (var pack in packs) Assert.Equal(pack.Blobs, PackHeader.Read(PackHeader.Write(pack.Blobs), "x"));
            var read = IndexFile.Read(IndexFile.Write(packs).Span, "x");
            Assert.Equal(packs.Select(pack => pack.Id), read.Select(pack => pack.Id));
            foreach (var (written, back) in packs.Zip(read)) Assert.Equal(written.Blobs, back.Blobs);
        }
    }

    [Fact]
    public void Names_of_any_bytes()
    {
        for (var seed = 0; seed < 10_000; seed++)
        {
            var random = new Random(seed);
            var raw = new byte[random.Next(1, 60)];
            random.NextBytes(raw);
            var quoted = new ArrayBufferWriter<byte>();
            GoQuote.Quote(raw, quoted);

            Assert.True(GoQuote.TryUnquote(quoted.WrittenSpan, out var back), $"seed {seed}");
            Assert.Equal(raw, back);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Chunks_of_any_input_cover_it_within_their_bounds(int kind)
    {
        IChunker chunker = kind switch { 0 => new FastCdc(), 1 => new Rabin(Polynomial.RandomIrreducible()), _ => new FixedSize(64 << 10) };
        for (var seed = 0; seed < 12; seed++)
        {
            var random = new Random(seed);
            var data = Prepared.Noise(random.Next(1, 6 << 20), seed);
            var from = random.Next(data.Length);
            data.AsSpan(from, random.Next(data.Length - from)).Fill((byte)seed);

            var cuts = Cut.Lengths(chunker, data);

            Assert.Equal(data.Length, cuts.Sum());
            Assert.All(cuts.SkipLast(1), length => Assert.InRange(length, chunker.Minimum, chunker.Maximum));
            Assert.InRange(cuts[^1], 1, chunker.Maximum);
            Assert.Equal(cuts, Cut.Lengths(chunker, data, arriving: random.Next(10_000, 1 << 20)));
        }
    }

    static BlobId Id(Random random)
    {
        var bytes = new byte[BlobId.Size];
        random.NextBytes(bytes);
        return new BlobId(bytes);
    }

    static List<PackEntry> Entries(Random random)
    {
        var (entries, offset) = (new List<PackEntry>(), 0u);
        for (var left = random.Next(1, 20); left > 0; left--)
        {
            var length = (uint)random.Next(33, 1 << 20);
            var plain = (uint)(random.Next(2) * random.Next(1, 1 << 20));
            entries.Add(new PackEntry((BlobType)random.Next(2), Id(random), offset, length, plain));
            offset += length;
        }
        return entries;
    }
}
