using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;

namespace BackupDr.Engine.Tests;

public sealed class SortedIndexTests : IDisposable
{
    const string Repository = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    readonly ScratchFolder _scratch = new();
    readonly Random _random = new(7);

    FilePath File => FilePath.FromText(_scratch.At("index"));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(85)]
    [InlineData(20_000)]
    public void What_went_in_is_found_and_nothing_else(int blobs)
    {
        var packs = Packs(blobs);

        Build(packs, files: [Id(), Id()], runRows: 700);   // several runs, merged

        var index = SortedIndex.TryOpen(File, Repository)!;
        Assert.Equal(blobs, index.Rows);
        Assert.Equal(2, index.Files.Count);
        foreach (var pack in packs)
            foreach (var blob in pack.Blobs)
            {
                Assert.True(index.TryFind(blob.Type, blob.Id, null, out var row, out var number));
                Assert.Equal(blob, row.Entry);
                Assert.Equal(pack.Id, index.Packs[row.Pack]);
                Assert.Equal(row, index[number]);
                Assert.False(index.TryFind(blob.Type == BlobType.Tree ? BlobType.Data : BlobType.Tree, blob.Id, null, out _, out _));
            }
        for (var i = 0; i < 1000; i++) Assert.False(index.TryFind(BlobType.Data, Id(), null, out _, out _));
        Assert.Single(Directory.GetFiles(_scratch.Path));
    }

    [Fact]
    public void Ids_that_begin_alike_across_blocks_are_told_apart()
    {
        var blobs = Enumerable.Range(0, 300).Select(i =>
        {
            var hash = new byte[32];
            hash[31] = (byte)(i & 255);
            hash[30] = (byte)(i >> 8);
            return new PackEntry(BlobType.Data, new BlobId(hash), (uint)i * 100, 100, 0);
        }).ToList();

        Build([new IndexedPack(Id(), blobs)], files: []);

        var index = SortedIndex.TryOpen(File, Repository)!;
        foreach (var blob in blobs)
        {
            Assert.True(index.TryFind(BlobType.Data, blob.Id, null, out var row, out _));
            Assert.Equal(blob, row.Entry);
        }
    }

    [Fact]
    public void A_blob_of_several_packs_is_found_where_it_may_be_counted_on()
    {
        var blob = new PackEntry(BlobType.Data, Id(), 0, 100, 0);
        IndexedPack[] packs = [new(Id(), [blob]), new(Id(), [blob with { Offset = 7 }]), new(Id(), [blob])];
        Build(packs, files: []);

        var index = SortedIndex.TryOpen(File, Repository)!;

        Assert.True(index.TryFind(BlobType.Data, blob.Id, new HashSet<int> { 0 }, out var row, out _));
        Assert.Equal((1, 7u), (row.Pack, row.Offset));
        Assert.False(index.TryFind(BlobType.Data, blob.Id, new HashSet<int> { 0, 1, 2 }, out _, out _));
    }

    [Fact]
    public void Additions_to_a_base_give_what_building_it_whole_gives()
    {
        var packs = Packs(5_000);
        Build(packs, files: []);
        var whole = System.IO.File.ReadAllBytes(_scratch.At("index"));
        Build(packs[..40], files: []);
        using (var folder = Descriptor.OpenFolder(FilePath.FromText(_scratch.Path)))
        using (var builder = new SortedIndexBuilder(folder, "index", runRows: 333))
        {
            builder.AddBase(SortedIndex.TryOpen(File, Repository)!);
            foreach (var pack in packs) builder.Add(pack);   // those of the base are known
            builder.Finish(Repository, []);
        }

        Assert.Equal(whole, System.IO.File.ReadAllBytes(_scratch.At("index")));
    }

    [Fact]
    public void A_file_of_another_repository_or_a_torn_one_is_not_taken()
    {
        Build(Packs(500), files: [Id()]);
        var whole = System.IO.File.ReadAllBytes(_scratch.At("index"));
        Assert.Null(SortedIndex.TryOpen(File, Repository[..^1] + "e"));

        foreach (var length in (int[])[0, 10, 4095, 4096, whole.Length / 2, whole.Length - 1])
        {
            System.IO.File.WriteAllBytes(_scratch.At("index"), whole[..length]);
            Assert.Null(SortedIndex.TryOpen(File, Repository));
        }
        Assert.Null(SortedIndex.TryOpen(FilePath.FromText(_scratch.At("nowhere")), Repository));
    }

    [Fact]
    public void A_changed_byte_never_gives_a_wrong_answer()
    {
        var packs = Packs(300);
        Build(packs, files: [Id()]);
        var whole = System.IO.File.ReadAllBytes(_scratch.At("index"));
        var noticed = 0;
        for (var round = 0; round < 100; round++)
        {
            var changed = (byte[])whole.Clone();
            changed[_random.Next(changed.Length)] ^= (byte)(1 << _random.Next(8));
            System.IO.File.WriteAllBytes(_scratch.At("index"), changed);
            var index = SortedIndex.TryOpen(File, Repository);
            if (index is null) { noticed++; continue; }
            try
            {
                foreach (var pack in packs)
                    foreach (var blob in pack.Blobs)
                    {
                        Assert.True(index.TryFind(blob.Type, blob.Id, null, out var row, out _));
                        Assert.Equal((blob, pack.Id), (row.Entry, index.Packs[row.Pack]));
                    }
            }
            catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged) { noticed++; }
        }
        Assert.InRange(noticed, 50, 100);   // the rest hit padding of the head, which says nothing
    }

    /// <summary>Prints what a large index costs; run it alone: <c>-method '*Ten_million*' -explicit only -showLiveOutput</c>.</summary>
    [Fact(Explicit = true)]
    public void Ten_million_blobs()
    {
        const int Packs = 25_000, BlobsInPack = 400;
        var hash = new byte[32];
        BlobId Made(int number)
        {
            BitConverter.TryWriteBytes(hash, number);
            return new BlobId(SHA256.HashData(hash));
        }
        using (var folder = Descriptor.OpenFolder(FilePath.FromText(_scratch.Path)))
        using (var builder = new SortedIndexBuilder(folder, "index"))
        {
            for (var pack = 0; pack < Packs; pack++)
                builder.Add(new IndexedPack(Made(-1 - pack), [.. Enumerable.Range(0, BlobsInPack).Select(i
                    => new PackEntry(BlobType.Data, Made(pack * BlobsInPack + i), (uint)i * 50_000, 50_000, 100_000))]));
            builder.Finish(Repository, []);
        }
        GC.Collect();
        var output = TestContext.Current.TestOutputHelper!;
        var begun = System.Diagnostics.Stopwatch.GetTimestamp();
        var index = SortedIndex.TryOpen(File, Repository)!;
        output.WriteLine($"{index.Rows} blobs, {new FileInfo(_scratch.At("index")).Length >> 20} MiB on disk, ready in "
            + $"{System.Diagnostics.Stopwatch.GetElapsedTime(begun).TotalMilliseconds:0} ms, resident {Environment.WorkingSet >> 20} MiB");
        begun = System.Diagnostics.Stopwatch.GetTimestamp();
        for (var i = 0; i < 1_000_000; i++)
            Assert.True(index.TryFind(BlobType.Data, Made(_random.Next(Packs * BlobsInPack)), null, out _, out _));
        output.WriteLine($"a million look-ups at random in {System.Diagnostics.Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s, "
            + $"resident {Environment.WorkingSet >> 20} MiB");
    }

    List<IndexedPack> Packs(int blobs)
    {
        var packs = new List<IndexedPack>();
        for (var left = blobs; left > 0;)
        {
            var count = Math.Min(left, 1 + _random.Next(100));
            packs.Add(new IndexedPack(Id(), [.. Enumerable.Range(0, count).Select(i => new PackEntry(
                _random.Next(5) == 0 ? BlobType.Tree : BlobType.Data, Id(), (uint)i * 1000, (uint)_random.Next(32, 1000),
                (uint)_random.Next(3000)))]));
            left -= count;
        }
        return packs;
    }

    void Build(IReadOnlyList<IndexedPack> packs, IReadOnlyCollection<BlobId> files, int runRows = SortedIndexBuilder.DefaultRunRows)
    {
        using var folder = Descriptor.OpenFolder(FilePath.FromText(_scratch.Path));
        using var builder = new SortedIndexBuilder(folder, "index", runRows);
        foreach (var pack in packs) builder.Add(pack);
        builder.Finish(Repository, files);
    }

    BlobId Id()
    {
        var bytes = new byte[32];
        _random.NextBytes(bytes);
        return new BlobId(SHA256.HashData(bytes));
    }

    public void Dispose() => _scratch.Dispose();
}
