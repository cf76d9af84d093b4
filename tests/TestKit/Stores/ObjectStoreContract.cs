using System.Text;
using BackupDr.Storage;
using BackupDr.Storage.Layers;
using Xunit;

namespace BackupDr.TestKit.Stores;

/// <summary>What every store promises, as tests. A store passes by deriving from this in its test project.</summary>
public abstract class ObjectStoreContract : IAsyncLifetime
{
    static readonly CancellationToken None = CancellationToken.None;

    /// <summary>The store under test: empty, writable.</summary>
    protected IObjectStore Store { get; private set; } = null!;

    /// <summary>Makes the store under test.</summary>
    protected abstract IObjectStore Make();

    /// <summary>Prepares what <see cref="Make"/> needs, such as a server.</summary>
    protected virtual ValueTask Prepare() => ValueTask.CompletedTask;

    /// <summary>Number of objects for the paging test.</summary>
    protected virtual int ManyObjects => Nightly.Or(2_200, 10_000);

    public async ValueTask InitializeAsync()
    {
        await Prepare();
        Store = Make();
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (Store is not null) await Store.DisposeAsync();   // a test that is skipped never had one
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task What_was_put_is_read_back_whole_and_in_ranges()
    {
        var content = Bytes(100_000, seed: 1);
        await Store.Put(Name("data/ab/ab01"), content, None);

        Assert.Equal(content, await Read("data/ab/ab01", 0, content.Length));
        Assert.Equal(content[..1], await Read("data/ab/ab01", 0, 1));
        Assert.Equal(content[70_000..70_100], await Read("data/ab/ab01", 70_000, 100));
        Assert.Equal(content[^1..], await Read("data/ab/ab01", content.Length - 1, 1));
    }

    [Fact]
    public async Task An_empty_object_exists_and_has_no_bytes()
    {
        await Store.Put(Name("locks/empty"), ReadOnlyMemory<byte>.Empty, None);

        Assert.Equal(0, (await Store.Head(Name("locks/empty"), None))!.Value.SizeBytes);
        Assert.Empty(await Read("locks/empty", 0, 0));
    }

    [Fact]
    public async Task Nothing_is_ever_overwritten()
    {
        await Store.Put(Name("config"), Bytes(10, seed: 1), None);

        var e = await Assert.ThrowsAsync<StoreException>(() => Store.Put(Name("config"), Bytes(20, seed: 2), None));

        Assert.Equal(StoreFault.Exists, e.Fault);
        Assert.Equal(Bytes(10, seed: 1), await Read("config", 0, 10));
    }

    [Fact]
    public async Task Of_many_writers_of_one_name_exactly_one_wins_and_its_bytes_stay()
    {
        for (var round = 0; round < 20; round++)
        {
            var name = Name($"index/race-{round}");
            var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(async writer =>
            {
                await Task.Yield();
                try { await Store.Put(name, Bytes(5_000, seed: writer), None); return writer; }
                catch (StoreException e) when (e.Fault == StoreFault.Exists) { return -1; }
            }));

            var winner = Assert.Single(outcomes, outcome => outcome >= 0);
            Assert.Equal(Bytes(5_000, seed: winner), await Read(name.Value, 0, 5_000));
        }
    }

    [Theory]
    [InlineData(0, 11)]
    [InlineData(5, 6)]
    [InlineData(10, 1)]
    [InlineData(11, 1)]
    public async Task A_range_past_the_end_is_a_short_read_and_never_a_short_answer(long offset, int length)
    {
        await Store.Put(Name("snapshots/s"), Bytes(10, seed: 1), None);

        var e = await Assert.ThrowsAsync<StoreException>(() => Store.Read(Name("snapshots/s"), offset, new byte[length], None));

        Assert.Equal(StoreFault.ShortRead, e.Fault);
    }

    [Fact]
    public async Task What_is_not_there_is_missing_for_read_and_an_ordinary_answer_for_head_delete_and_list()
    {
        await Store.Put(Name("config"), Bytes(1, seed: 1), None);

        var e = await Assert.ThrowsAsync<StoreException>(() => Store.Read(Name("data/ff/none"), 0, new byte[1], None));

        Assert.Equal(StoreFault.Missing, e.Fault);
        Assert.False(e.IsTransient);
        Assert.Null(await Store.Head(Name("data/ff/none"), None));
        Assert.Null(await Store.Head(Name("config/below"), None));
        Assert.False(await Store.Delete(Name("data/ff/none"), None));
        Assert.Empty(await List("data"));
    }

    [Fact]
    public async Task Deleted_means_gone_and_the_name_is_free_again()
    {
        await Store.Put(Name("locks/l1"), Bytes(3, seed: 1), None);

        Assert.True(await Store.Delete(Name("locks/l1"), None));
        Assert.False(await Store.Delete(Name("locks/l1"), None));
        Assert.Null(await Store.Head(Name("locks/l1"), None));
        await Store.Put(Name("locks/l1"), Bytes(4, seed: 2), None);

        Assert.Equal(Bytes(4, seed: 2), await Read("locks/l1", 0, 4));
    }

    [Fact]
    public async Task A_folder_lists_all_below_it_at_any_depth_and_nothing_beside_it()
    {
        foreach (var name in (string[])["config", "data/ab/1", "data/cd/2", "data/cd/e/3", "data-not/4", "database", "index/5"])
            await Store.Put(Name(name), Bytes(name.Length, seed: 1), None);

        var data = await List("data");

        Assert.Equal(["data/ab/1", "data/cd/2", "data/cd/e/3"], data.Select(o => o.Name.Value).Order(StringComparer.Ordinal));
        Assert.All(data, o => Assert.Equal(o.Name.Value.Length, o.SizeBytes));
        Assert.Equal(7, (await List("")).Count);
        Assert.Equal(["data/cd/e/3"], (await List("data/cd/e")).Select(o => o.Name.Value));
    }

    [Fact]
    public async Task A_listing_of_very_many_objects_is_complete_and_names_each_once()
    {
        var names = Enumerable.Range(0, ManyObjects).Select(i => $"data/{i % 16:x2}/{i:x8}").ToList();
        await Parallel.ForEachAsync(names, async (name, ct) => await Store.Put(Name(name), Encoding.ASCII.GetBytes(name), ct));

        var listed = await List("data");

        Assert.Equal(names.Order(StringComparer.Ordinal), listed.Select(o => o.Name.Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_cancelled_put_shows_nothing()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.Put(Name("data/aa/x"), Bytes(1000, seed: 1), cancelled.Token));

        Assert.Null(await Store.Head(Name("data/aa/x"), None));
        Assert.Empty(await List(""));
    }

    [Fact]
    public async Task A_put_that_is_cancelled_on_the_way_shows_all_or_nothing_and_frees_what_it_held()
    {
        var content = Bytes(16 << 20, seed: 3);
        for (var round = 0; round < 8; round++)
        {
            var name = Name($"data/ab/cancelled-{round}");
            using var cancel = new CancellationTokenSource();
            var put = Store.Put(name, content, cancel.Token);
            await Task.Yield();
            await cancel.CancelAsync();
            try { await put; }
            catch (OperationCanceledException) { /* or it was quicker: both are right, half an object is not */ }

            if (await Store.Head(name, None) is { } found) Assert.Equal(content.Length, found.SizeBytes);
        }
        await Store.Put(Name("data/ab/after"), content, None);
        Assert.All(await List("data"), o => Assert.Equal(content.Length, o.SizeBytes));
    }

    [Fact]
    public async Task A_cancelled_read_and_a_cancelled_listing_end_and_the_next_ones_work()
    {
        await Store.Put(Name("data/ab/x"), Bytes(1000, seed: 1), None);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        for (var round = 0; round < 40; round++)   // more than a pool of connections holds
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.Read(Name("data/ab/x"), 0, new byte[9], cancelled.Token));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (var _ in Store.List("data", cancelled.Token)) { }
            });
        }

        Assert.Equal(Bytes(1000, seed: 1), await Read("data/ab/x", 0, 1000));
        Assert.Single(await List("data"));
    }

    [Fact]
    public async Task A_listing_that_its_reader_leaves_early_holds_nothing()
    {
        for (var i = 0; i < 3; i++) await Store.Put(Name($"data/ab/{i}"), Bytes(1, seed: i), None);

        for (var round = 0; round < 40; round++)
            await foreach (var _ in Store.List("data", None)) break;

        Assert.Equal(3, (await List("data")).Count);
    }

    [Fact]
    public async Task An_object_of_64_MiB_comes_back_as_it_was()
    {
        var content = Bytes(64 << 20, seed: 9);
        await Store.Put(Name("data/ab/large"), content, None);

        Assert.Equal(content.Length, (await Store.Head(Name("data/ab/large"), None))!.Value.SizeBytes);
        var back = await Read("data/ab/large", 0, content.Length);
        Assert.True(content.AsSpan().SequenceEqual(back));
    }

    [Fact]
    public async Task What_was_put_is_at_once_in_listings_and_what_was_deleted_is_not()
    {
        for (var i = 0; i < 30; i++)
        {
            await Store.Put(Name($"locks/{i}"), Bytes(i, seed: i), None);
            Assert.Equal([$"locks/{i}"], (await List("locks")).Select(o => o.Name.Value));
            await Store.Delete(Name($"locks/{i}"), None);
            Assert.Empty(await List("locks"));
        }
    }

    [Fact]
    public async Task A_put_whose_answer_was_lost_counts_as_done_and_somebody_elses_object_does_not()
    {
        var faulty = new FaultyStore(Store)
        {
            After = (verb, what, call) => call == 1 ? new StoreException(StoreFault.Unavailable, $"{what}: the answer was lost") : null,
        };
        var retrying = new RetryingStore(faulty, new RetryOptions(), new HurriedTime());

        await retrying.Put(Name("snapshots/s1"), Bytes(100, seed: 1), None);
        var e = await Assert.ThrowsAsync<StoreException>(() => retrying.Put(Name("snapshots/s1"), Bytes(100, seed: 2), None));

        Assert.Equal(StoreFault.Exists, e.Fault);
        Assert.Equal(Bytes(100, seed: 1), await Read("snapshots/s1", 0, 100));
    }

    [Fact]
    public void The_store_names_itself_and_says_what_it_can()
    {
        Assert.NotEmpty(Store.Url);
        Assert.True(Store.Abilities.HasFlag(StoreAbilities.ConditionalPut));
        Assert.Equal(Store.Locks is not null, Store.Abilities.HasFlag(StoreAbilities.ObjectLock));
        Assert.Equal(Store.Tiers is not null, Store.Abilities.HasFlag(StoreAbilities.StorageClasses));
    }

    [Theory]
    [InlineData("x-backupdr/gc/marks/01")]
    [InlineData("data/ab/README.txt")]
    [InlineData(".hidden")]
    [InlineData("a-b_c.d/..e/f..g")]
    public async Task Every_legal_name_can_be_used(string name)
    {
        await Store.Put(Name(name), Bytes(5, seed: 1), None);

        Assert.Equal(Bytes(5, seed: 1), await Read(name, 0, 5));
        Assert.Equal([name], (await List("")).Select(o => o.Name.Value));
    }

    static ObjectName Name(string value) => new(value);

    async Task<byte[]> Read(string name, long offset, int length)
    {
        var target = new byte[length];
        await Store.Read(Name(name), offset, target, None);
        return target;
    }

    async Task<List<StoredObject>> List(string folder)
    {
        var found = new List<StoredObject>();
        await foreach (var o in Store.List(folder, None)) found.Add(o);
        return found;
    }

    static byte[] Bytes(int count, int seed)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
