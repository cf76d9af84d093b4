using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

public sealed class IndexCacheTests : IDisposable
{
    static readonly CancellationToken None = CancellationToken.None;
    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new();
    int _made;

    string CacheFile(Repository repository) => Path.Combine(_scratch.At("cache"), repository.Id, "index");

    [Fact]
    public async Task What_the_cache_holds_is_not_fetched_again()
    {
        using var repository = await Open();
        var first = await Put(repository, 3);
        await Load(repository, first);

        var second = await Put(repository, 2);
        await _store.Delete(ObjectLayout.Of(ObjectLayout.Index, first.File), None);
        await _store.Put(ObjectLayout.Of(ObjectLayout.Index, first.File), new byte[100], None);   // reading it would fail

        await Load(repository, first, second);
        Assert.True(File.Exists(CacheFile(repository)));
    }

    [Fact]
    public async Task Many_new_index_files_are_taken_into_it()
    {
        using var repository = await Open();
        var all = new List<Indexed> { await Put(repository, 1) };
        await Load(repository, [.. all]);
        var before = new FileInfo(CacheFile(repository)).Length;

        for (var i = 0; i < 20; i++) all.Add(await Put(repository, 2));
        await Load(repository, [.. all]);

        Assert.True(new FileInfo(CacheFile(repository)).Length > before);
        await Load(repository, [.. all]);
    }

    [Fact]
    public async Task An_index_file_that_vanished_takes_its_blobs_with_it()
    {
        using var repository = await Open();
        var (first, second) = (await Put(repository, 3), await Put(repository, 3));
        await Load(repository, first, second);

        await _store.Delete(ObjectLayout.Of(ObjectLayout.Index, first.File), None);

        var index = await Load(repository, second);
        Assert.All(first.Pack.Blobs, blob => Assert.False(index.Contains(blob.Type, blob.Id)));
    }

    [Fact]
    public async Task Files_that_vanish_many_times_in_a_row_only_make_it_list_again()
    {
        using (var repository = await Open()) await Put(repository, 3);
        var left = 20;
        var busy = new FaultyStore(_store)
        {
            Before = (verb, name, _) => verb == StoreVerb.Read && name.StartsWith("index/", StringComparison.Ordinal)
                && Interlocked.Decrement(ref left) >= 0 ? new StoreException(StoreFault.Missing, "read: it was rewritten just now") : null,
        };

        using var opened = await Repository.Open(busy, Secret.FromText("a password for tests"), new RepositoryOptions(), None);
        var index = await opened.LoadIndex(None);

        Assert.True(left < 0);
        Assert.Equal(3, index.Rows);
    }

    [Fact]
    public async Task A_marked_pack_does_not_count_or_counts_last()
    {
        using var repository = await Open();
        var doubled = Blob();
        var (marked, other) = (await Put(repository, 1, doubled), await Put(repository, 1, doubled));
        var packs = new HashSet<BlobId> { marked.Pack.Id };
        await repository.LoadIndex(None);   // makes the cache

        var without = await repository.LoadIndex(packs, withMarked: false, None);
        var last = await repository.LoadIndex(packs, withMarked: true, None);

        var alone = marked.Pack.Blobs[1];
        Assert.False(without.Contains(alone.Type, alone.Id));
        Assert.Equal(-1, without.RowOf(alone.Type, alone.Id));
        Assert.True(last.TryFind(alone.Type, alone.Id, out var place));
        Assert.Equal(marked.Pack.Id, place.Pack);
        Assert.True(last.TryFind(doubled.Type, doubled.Id, out place));
        Assert.Equal(other.Pack.Id, place.Pack);
        Assert.Equal((alone.Type, alone.Id), last.BlobOf(last.RowOf(alone.Type, alone.Id)));
    }

    [Fact]
    public async Task A_changed_cache_ends_the_run_is_removed_and_made_again()
    {
        using var repository = await Open();
        var put = await Put(repository, 50);
        await Load(repository, put);
        var bytes = File.ReadAllBytes(CacheFile(repository));
        bytes[4096 + 40] ^= 1;   // the first row
        File.WriteAllBytes(CacheFile(repository), bytes);

        var index = await repository.LoadIndex(None);
        var e = Assert.Throws<RepositoryException>(() => put.Pack.Blobs.All(blob => index.Contains(blob.Type, blob.Id)));

        Assert.Equal(RepositoryFault.Damaged, e.Fault);
        Assert.False(File.Exists(CacheFile(repository)));
        await Load(repository, put);
    }

    [Fact]
    public async Task Where_no_cache_can_be_written_the_index_is_loaded_without()
    {
        File.WriteAllText(_scratch.At("cache"), "a file stands in the folder's place");
        using var repository = await Open();

        await Load(repository, await Put(repository, 3));
    }

    sealed record Indexed(BlobId File, IndexedPack Pack);

    async Task<Repository> Open() => await Repository.Init(_store, Secret.FromText("a password for tests"), new RepositoryOptions
    {
        Kdf = new KdfCost(1024, 8, 1),
        CacheFolder = FilePath.FromText(_scratch.At("cache")),
    }, None);

    PackEntry Blob() => new(BlobType.Data, Id(), 0, 100, 0);

    BlobId Id() => new(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(_made++)));

    async Task<Indexed> Put(Repository repository, int blobs, PackEntry? more = null)
    {
        var entries = Enumerable.Range(0, blobs).Select(_ => Blob()).ToList();
        if (more is { } one) entries.Insert(0, one);
        var pack = new IndexedPack(Id(), entries);
        return new Indexed(await repository.WriteUnpacked(ObjectLayout.Index, IndexFile.Write([pack]), None), pack);
    }

    static async Task<BlobIndex> Load(Repository repository, params Indexed[] expected)
    {
        var index = await repository.LoadIndex(None);
        Assert.All(expected, put => Assert.All(put.Pack.Blobs, blob =>
        {
            Assert.True(index.TryFind(blob.Type, blob.Id, out var place));
            Assert.Equal(put.Pack.Id, place.Pack);
        }));
        return index;
    }

    public void Dispose() => _scratch.Dispose();
}
