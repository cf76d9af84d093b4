using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Replicas;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests.Replicas;

/// <summary>Replications of places that are each pruned, at the moments at which simulation found that a snapshot lost a blob.</summary>
public sealed class PrunesElsewhereTests : IDisposable
{
    static readonly RepositoryOptions Options = Prepared.Options with { Clock = new ShortWaits(), PackSizeBytes = 4 << 20 };
    static readonly byte[] Shared = Prepared.Noise(600_000, 77);

    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _a = new() { Url = "memory:a" }, _b = new() { Url = "memory:b" };
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    /// <summary>Backs up a folder with the shared file and, where a seed is given, one of its own; also gives the packs.</summary>
    async Task<(BlobId Snapshot, IReadOnlyList<BlobId> Packs)> Backup(MemoryStore store, string folder, int? own = null)
    {
        Directory.CreateDirectory(_scratch.At(folder));
        await File.WriteAllBytesAsync(_scratch.At($"{folder}/shared"), Shared, _ct);
        if (own is { } seed) await File.WriteAllBytesAsync(_scratch.At($"{folder}/own"), Prepared.Noise(500_000, seed), _ct);
        using var repository = store.Objects.Count == 0 ? await Prepared.Init(store, Options) : await Prepared.Open(store, Options);
        var before = (await Prepared.Packs(repository)).Select(pack => pack.Id).ToHashSet();
        var made = await Prepared.Backup(repository, _scratch.At(folder));
        return (made.SnapshotId, [.. (await Prepared.Packs(repository)).Select(pack => pack.Id).Where(id => !before.Contains(id))]);
    }

    async Task<ReplicationSummary> Replicate(IObjectStore? a = null)
    {
        using var password = Secret.FromText(Prepared.PasswordText);
        return await Replication.Execute([a ?? _a, _b], password, Options,
            new ReplicationRequest { RefillsFirst = true, ReadsData = true }, _ct);
    }

    async Task MustBecomeEqual()
    {
        var done = await Replicate();
        Assert.True(done.IsEqual, string.Join("; ", done.Damaged.Select(problem => $"{problem.Path}: {problem.Message}")
            .Concat(done.Places.Select(place => place.Problem ?? place.NotRemoved ?? "fine"))));
    }

    async Task MustHold(MemoryStore store, params BlobId[] snapshots)
    {
        using var repository = await Prepared.Open(store, Options);
        Assert.Equal(snapshots.Order(), (await repository.Snapshots(SnapshotFilter.All, _ct)).Select(one => one.Id).Order());
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
    }

    async Task Forget(MemoryStore store, BlobId snapshot)
    {
        using var repository = await Prepared.Open(store, Options);
        Assert.Equal(1, await Engine.Upkeep.Forget.Remove(repository, [snapshot], _ct));
    }

    /// <summary>A prune that finds just these packs to be garbage, so that a test says which copy of a blob stays.</summary>
    async Task Prune(MemoryStore store, IReadOnlyList<BlobId> packs)
    {
        using var repository = await Prepared.Open(store, Options);
        await MarkSet.Put(repository, [.. packs.Select(id => new MarkedPack(id, MarkReason.Unused))], _ct);
        var done = await GarbageCollection.Execute(repository, new PruneRequest { MaximumUnusedBytes = long.MaxValue }, null, _ct);
        Assert.Equal(packs.Count, done.RemovedPacks);
    }

    [Fact, Clause("F-13.4")]
    public async Task A_prune_that_ends_just_before_what_departed_is_removed_keeps_the_copy_that_it_counted_on()
    {
        (await Prepared.Init(_a, Options)).Dispose();
        await MustBecomeEqual();
        // Each place writes the shared file into a pack of its own, and gets the other's.
        var (first, second) = (await Backup(_a, "one", 5), await Backup(_b, "two", 6));
        await MustBecomeEqual();
        var kept = await Backup(_a, "three");
        await MustBecomeEqual();
        await Forget(_b, first.Snapshot);
        await Prune(_b, first.Packs);
        await Forget(_a, second.Snapshot);
        var locks = 0;
        var watched = new FaultyStore(_a)
        {
            // The second lock is the one under which the first's packs would be removed.
            Until = (verb, name, _) => verb == StoreVerb.Put && name.StartsWith("locks/", StringComparison.Ordinal) && ++locks == 2
                ? Prune(_a, second.Packs) : Task.CompletedTask,
        };

        var done = await Replicate(watched);

        Assert.Contains("came or went", done.Places[0].NotRemoved, StringComparison.Ordinal);
        await MustHold(_a, first.Snapshot, kept.Snapshot);
        await Replicate();
        await MustBecomeEqual();
        await MustHold(_a, kept.Snapshot);
        await MustHold(_b, kept.Snapshot);
    }

    [Fact, Clause("F-13.3")]
    public async Task A_place_that_burns_when_only_its_list_of_departures_had_come_takes_nothing_from_the_other()
    {
        var first = await Backup(_a, "one");
        File.SetLastWriteTimeUtc(_scratch.At("one/shared"), new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        var second = await Backup(_a, "one");   // its contents stand in the index file of the first, beside trees that only that needs
        await MustBecomeEqual();
        await Forget(_b, first.Snapshot);
        using (var there = await Prepared.Open(_b, Options))
            Assert.True((await GarbageCollection.Execute(there, new PruneRequest { MaximumUnusedBytes = 0 }, null, _ct)).RemovedPacks > 0);
        foreach (var (name, list) in _b.Objects.Where(found => found.Key.StartsWith("x-backupdr/gone/", StringComparison.Ordinal)))
            _a.Objects.TryAdd(name, list);
        _b.Objects.Clear();

        await MustBecomeEqual();

        await MustHold(_a, second.Snapshot);
        await MustHold(_b, second.Snapshot);
    }
}
