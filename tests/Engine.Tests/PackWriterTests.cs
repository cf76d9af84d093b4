using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

public sealed class PackWriterTests : IDisposable
{
    const int AtOnce = 5;
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new() { RequestsAtOnce = AtOnce };
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    static readonly RepositoryOptions SmallPacks = Prepared.Options with { PackSizeBytes = 1 << 20, Workers = 1 };

    string Source(int files = 24)
    {
        Directory.CreateDirectory(_scratch.At("source"));
        for (var i = 0; i < files; i++) File.WriteAllBytes(_scratch.At($"source/{i}"), Prepared.Noise(400_000, i));
        return _scratch.At("source");
    }

    static bool IsPack(StoreVerb verb, string name) => verb == StoreVerb.Put && name.StartsWith("data/", StringComparison.Ordinal);

    IEnumerable<string> Stored(string folder) => _store.Objects.Keys.Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal));

    [Fact]
    public async Task As_many_packs_are_on_their_way_as_the_store_is_worth()
    {
        using (await Prepared.Init(_store, SmallPacks)) { }
        var (waiting, all) = (0, new TaskCompletionSource());
        var meeting = new FaultyStore(_store)
        {
            Until = (verb, name, _) =>
            {
                if (!IsPack(verb, name)) return Task.CompletedTask;
                if (Interlocked.Increment(ref waiting) == AtOnce) all.SetResult();
                return all.Task;   // none arrives before all have set out
            },
        };
        using var repository = await Prepared.Open(meeting, SmallPacks);

        await Prepared.Backup(repository, Source()).WaitAsync(Patience, _ct);

        Assert.True(waiting > AtOnce);
        Assert.Empty((await Engine.Upkeep.RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
    }

    [Theory]
    [InlineData(24, 1)]
    [InlineData(24, 4)]
    [InlineData(1, 1)]   // all packs are stored at the end, and no blob comes after them
    [InlineData(1, 2)]
    public async Task A_pack_that_fails_on_its_way_fails_the_run(int files, int which)
    {
        var source = Source(files);
        using (await Prepared.Init(_store, SmallPacks)) { }
        var puts = 0;
        var failing = new FaultyStore(_store)
        {
            Before = (verb, name, _) => IsPack(verb, name) && Interlocked.Increment(ref puts) == which
                ? new StoreException(StoreFault.Denied, "put: no.") : null,
        };
        using var repository = await Prepared.Open(failing, SmallPacks);

        var refused = await Assert.ThrowsAsync<StoreException>(() => Prepared.Backup(repository, source));

        Assert.Equal("put: no.", refused.Message);
        Assert.Empty(Stored("snapshots"));
        Assert.Empty(Stored("locks"));
    }

    [Fact]
    public async Task Nothing_is_on_its_way_any_more_when_a_run_has_failed()
    {
        var (under, puts) = (0, 0);
        using (await Prepared.Init(_store, SmallPacks)) { }
        var hanging = new FaultyStore(_store)
        {
            Before = (verb, name, _) => IsPack(verb, name) && Interlocked.Increment(ref puts) == 3
                ? new StoreException(StoreFault.Denied, "put: no.") : null,
            Until = async (verb, name, ct) =>
            {
                if (!IsPack(verb, name)) return;
                Interlocked.Increment(ref under);
                try { await Task.Delay(Timeout.Infinite, ct); }
                finally { Interlocked.Decrement(ref under); }
            },
        };
        using var repository = await Prepared.Open(hanging, SmallPacks);

        await Assert.ThrowsAsync<StoreException>(() => Prepared.Backup(repository, Source())).WaitAsync(Patience, _ct);

        Assert.Equal(0, under);
        Assert.True(puts >= 3);
        Assert.Empty(Stored("locks"));
    }

    public void Dispose() => _scratch.Dispose();
}
