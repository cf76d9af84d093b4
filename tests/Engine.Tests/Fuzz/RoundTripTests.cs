using System.Buffers;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;
using BackupDr.TestKit;

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

    [Fact, Clause("F-7.2"), Clause("F-7.3")]
    public void A_tree_has_one_form_and_one_in_another_order_is_neither_written_nor_read()
    {
        for (var seed = 0; seed < 2_000; seed++)
        {
            var random = new Random(seed);
            var nodes = Enumerable.Range(0, random.Next(12)).Select(_ => RandomNode(random)).DistinctBy(node => node.Name)
                .OrderBy(node => node.Name.Bytes.ToArray(), ByteOrder).ToList();
            var (first, again) = (new GoJson(), new GoJson());
            TreeBlob.Write(nodes, first);

            TreeBlob.Write(TreeBlob.Read(first.Written.Span, "x"), again);

            Assert.True(first.Written.Span.SequenceEqual(again.Written.Span), $"seed {seed}");
            if (nodes.Count < 2) continue;
            var at = random.Next(nodes.Count - 1);
            var swapped = new List<Node>(nodes) { [at] = nodes[at + 1], [at + 1] = nodes[at] };
            Assert.Throws<InvalidOperationException>(() => TreeBlob.Write(swapped, again));
            var doubled = new List<Node>(nodes) { [at] = nodes[at + 1] };
            Assert.Throws<InvalidOperationException>(() => TreeBlob.Write(doubled, again));
            foreach (var wrong in (List<Node>[])[swapped, doubled])
                Assert.Contains("sorted and unique", Assert.Throws<RepositoryException>(
                    () => TreeBlob.Read(Unchecked(wrong), $"tree {seed}")).Message, StringComparison.Ordinal);
        }
    }

    static readonly Comparer<byte[]> ByteOrder = Comparer<byte[]>.Create((left, right) => left.AsSpan().SequenceCompareTo(right));

    /// <summary>The JSON of nodes in an order that the writer refuses: each as a tree of its own, put together by hand.</summary>
    static byte[] Unchecked(List<Node> nodes)
    {
        var all = nodes.Select(node =>
        {
            var json = new GoJson();
            TreeBlob.Write([node], json);
            return System.Text.Encoding.UTF8.GetString(json.Written.Span)["{\"nodes\":[".Length..^"]}\n".Length];
        });
        return System.Text.Encoding.UTF8.GetBytes($"{{\"nodes\":[{string.Join(',', all)}]}}\n");
    }

    static Node RandomNode(Random random)
    {
        var type = (NodeType)random.Next(7);
        var time = new UnixTime(random.NextInt64(-1L << 33, 1L << 36), random.Next(1_000_000_000));
        return new Node
        {
            Name = new FilePath(Bytes(random, 20, value => value is not (0 or (byte)'/'))),
            Type = type,
            Permissions = random.Next(1 << 12),
            ModifiedAt = time,
            AccessedAt = time with { Nanoseconds = random.Next(10) * 100_000_000 },
            ChangedAt = time with { Nanoseconds = 0 },
            Uid = (uint)random.NextInt64(1L << 32),
            Gid = (uint)random.Next(3),
            User = random.Next(2) == 0 ? "" : "us<e>r \u00e9\u2028",
            Group = random.Next(2) == 0 ? "" : "\ud83d\ude00 & co",
            Inode = (ulong)random.NextInt64(),
            DeviceId = (ulong)random.Next(3),
            SizeBytes = type == NodeType.File ? (ulong)random.NextInt64() : 0,
            Links = (ulong)random.Next(3),
            LinkTarget = type == NodeType.Symlink ? new FilePath(Bytes(random, 40, value => value != 0)) : default,
            Device = type is NodeType.Dev or NodeType.CharDev ? (ulong)random.Next() : 0,
            Xattrs = [.. Enumerable.Range(0, random.Next(3)).Select(i => new Xattr($"user.{i}", Bytes(random, 30, _ => true)))],
            Content = type == NodeType.File ? [.. Enumerable.Range(0, random.Next(4)).Select(_ => Id(random))] : [],
            Subtree = type == NodeType.Dir ? Id(random) : null,
            Error = random.Next(5) == 0 ? "it \"broke\"" : "",
        };
    }

    /// <summary>At least one byte; never the names "." and "..".</summary>
    static byte[] Bytes(Random random, int most, Func<byte, bool> isAllowed)
    {
        var bytes = new byte[random.Next(1, most)];
        random.NextBytes(bytes);
        bytes = [.. bytes.Where(isAllowed), (byte)'n'];
        return bytes;
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
