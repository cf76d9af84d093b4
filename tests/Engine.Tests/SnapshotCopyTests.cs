using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

public sealed class SnapshotCopyTests : IAsyncDisposable
{
    static readonly CancellationToken None = CancellationToken.None;

    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _from = new(), _to = new();

    static RepositoryOptions Options
        => Prepared.Options with { PackSizeBytes = 256 << 10, Clock = new HurriedTime(DateTimeOffset.UtcNow) };

    public async ValueTask DisposeAsync()
    {
        _scratch.Dispose();
        await _from.DisposeAsync();
        await _to.DisposeAsync();
    }

    /// <summary>A repository with one snapshot of more than 64 packs, after which an index file is written.</summary>
    async Task<IReadOnlyList<Snapshot>> Filled()
    {
        Prepared.Folder(_scratch);
        for (var at = 0; at < 70; at++) File.WriteAllBytes(_scratch.At($"source/noise-{at}"), Prepared.Noise(400 << 10, 100 + at));
        using var repository = await Prepared.Init(_from, Options);
        await Prepared.Backup(repository, _scratch.At("source"));
        (await Prepared.Init(_to, Options)).Dispose();
        return await repository.Snapshots(SnapshotFilter.All, None);
    }

    static async Task<CopiedSnapshot> Copy(IObjectStore from, IObjectStore to, IReadOnlyList<Snapshot> snapshots)
    {
        using var source = await Prepared.Open(from, Options);
        using var target = await Prepared.Open(to, Options);
        CopiedSnapshot? copied = null;
        await SnapshotCopy.Execute(source, target, snapshots, one => copied = one, None);
        Assert.NotNull(copied);
        return copied;
    }

    [Fact, Clause("F-8.1")]
    public async Task Each_pack_is_read_once_and_the_copy_checks_clean()
    {
        var snapshots = await Filled();
        var reads = new Dictionary<string, int>();
        var counting = new FaultyStore(_from)
        {
            Before = (verb, name, _) =>
            {
                if (verb == StoreVerb.Read && name.StartsWith("data/", StringComparison.Ordinal))
                    lock (reads) reads[name] = reads.GetValueOrDefault(name) + 1;
                return null;
            },
        };
        List<string> packs;
        using (var repository = await Prepared.Open(_from, Options))
            packs = [.. (await Prepared.Packs(repository)).Where(pack => pack.Blobs[0].Type == BlobType.Data)
                .Select(pack => ObjectLayout.Of(ObjectLayout.Data, pack.Id).Value)];

        await Copy(counting, _to, snapshots);

        Assert.True(packs.Count > 64, $"{packs.Count} packs");
        Assert.All(packs, pack => Assert.Equal(1, reads.GetValueOrDefault(pack)));
        using var copy = await Prepared.Open(_to, Options);
        Assert.Empty((await RepositoryCheck.Execute(copy, readData: true, null, None)).Errors);
    }

    [Fact, Clause("F-6.4")]
    public async Task A_copy_that_broke_off_goes_on_where_an_index_was_written()
    {
        var snapshots = await Filled();
        var isIndexed = false;
        var failing = new FaultyStore(_to)
        {
            Before = (verb, name, _) => verb == StoreVerb.Put && name.StartsWith("data/", StringComparison.Ordinal)
                && Volatile.Read(ref isIndexed) ? new StoreException(StoreFault.Denied, $"put {name}") : null,
            After = (verb, name, _) =>
            {
                if (verb == StoreVerb.Put && name.StartsWith("index/", StringComparison.Ordinal)) Volatile.Write(ref isIndexed, true);
                return null;
            },
        };
        await Assert.ThrowsAsync<StoreException>(() => Copy(_from, failing, snapshots));
        long before;
        using (var repository = await Prepared.Open(_to, Options))
        {
            Assert.Empty(await repository.Snapshots(SnapshotFilter.All, None));
            before = (await Prepared.Packs(repository)).Sum(pack => pack.Blobs.Count);
        }

        var rest = await Copy(_from, _to, snapshots);

        Assert.True(before > 60, $"{before} blobs were indexed");
        using var copy = await Prepared.Open(_to, Options);
        Assert.Equal((await Prepared.Packs(copy)).Sum(pack => pack.Blobs.Count), before + rest.BlobsCopied);
        Assert.Empty((await RepositoryCheck.Execute(copy, readData: true, null, None)).Errors);
        Assert.True((await Copy(_from, _to, snapshots)).WasThere);
    }
}
