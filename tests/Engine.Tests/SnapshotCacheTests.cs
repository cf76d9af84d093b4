using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

public sealed class SnapshotCacheTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new();
    readonly FaultyStore _counted;
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;
    int _reads;

    public SnapshotCacheTests() => _counted = new FaultyStore(_store)
    {
        Before = (verb, name, _) =>
        {
            if (verb == StoreVerb.Read && name.StartsWith("snapshots/", StringComparison.Ordinal)) Interlocked.Increment(ref _reads);
            return null;
        },
    };

    RepositoryOptions Options => Prepared.Options with { CacheFolder = FilePath.FromText(_scratch.At("cache")) };

    string CacheFile(Repository repository) => Path.Combine(_scratch.At("cache"), repository.Id, "snapshots");

    static async Task<BlobId> Publish(Repository repository, int second) => await repository.WriteUnpacked(ObjectLayout.Snapshots,
        SnapshotFile.Write(new Snapshot { Time = new UnixTime(1_700_000_000 + second, 0), Tree = default, Paths = [$"/secret/{second}"] }),
        TestContext.Current.CancellationToken);

    async Task<IReadOnlyList<BlobId>> Load(Repository repository)
        => [.. (await repository.Snapshots(SnapshotFilter.All, _ct)).Select(snapshot => snapshot.Id)];

    [Fact]
    public async Task What_was_read_once_is_not_fetched_again()
    {
        using var repository = await Prepared.Init(_counted, Options);
        var first = new List<BlobId>();
        for (var i = 0; i < 12; i++) first.Add(await Publish(repository, i));
        Assert.Equal(first, await Load(repository));
        Assert.Equal(12, _reads);

        var last = await Publish(repository, 20);

        Assert.Equal([.. first, last], await Load(repository));
        Assert.Equal([.. first, last], await Load(repository));
        Assert.Equal(13, _reads);
    }

    [Fact]
    public async Task One_that_was_removed_is_gone_here_too()
    {
        using var repository = await Prepared.Init(_counted, Options);
        var (first, second) = (await Publish(repository, 1), await Publish(repository, 2));
        Assert.Equal([first, second], await Load(repository));
        var before = new FileInfo(CacheFile(repository)).Length;

        await _store.Delete(ObjectLayout.Of(ObjectLayout.Snapshots, first), _ct);

        Assert.Equal([second], await Load(repository));
        Assert.True(new FileInfo(CacheFile(repository)).Length < before);
        Assert.Equal(2, _reads);
    }

    [Fact]
    public async Task A_cache_that_was_changed_or_cannot_be_used_is_as_none()
    {
        using var repository = await Prepared.Init(_counted, Options);
        var only = await Publish(repository, 1);
        await Load(repository);
        var file = CacheFile(repository);
        var good = await File.ReadAllBytesAsync(file, _ct);
        Assert.DoesNotContain("secret", System.Text.Encoding.Latin1.GetString(good), StringComparison.Ordinal);

        for (var at = 0; at < good.Length; at += 7)
        {
            var bad = good.ToArray();
            bad[at] ^= 1;
            await File.WriteAllBytesAsync(file, bad, _ct);
            Assert.Equal([only], await Load(repository));
        }
        await File.WriteAllBytesAsync(file, good.AsMemory(0, good.Length / 2), _ct);
        Assert.Equal([only], await Load(repository));
        File.Delete(file);
        Directory.CreateDirectory(file);
        Assert.Equal([only], await Load(repository));
    }

    public void Dispose() => _scratch.Dispose();
}
