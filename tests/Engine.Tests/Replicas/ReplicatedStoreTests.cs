using BackupDr.Contracts;
using BackupDr.Engine.Replicas;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;
using BackupDr.TestKit.Trees;

namespace BackupDr.Engine.Tests.Replicas;

public sealed class ReplicatedStoreTests : IDisposable
{
    static readonly RepositoryOptions Options = Prepared.Options with { Clock = new ShortWaits(), PackSizeBytes = 4 << 20 };

    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _a = new() { Url = "memory:a" }, _b = new() { Url = "memory:b" };
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    async Task Prepare()
    {
        using (var repository = await Prepared.Init(_a, Options)) await Prepared.Backup(repository, Prepared.Folder(_scratch));
        using var password = Secret.FromText(Prepared.PasswordText);
        Assert.True((await Replication.Execute([_a, _b], password, Options, new ReplicationRequest(), _ct)).IsEqual);
    }

    Task<ReplicatedStore> Open(IObjectStore? a = null, ReplicaUse use = ReplicaUse.Read, TimeProvider? clock = null)
        => ReplicatedStore.Open([a ?? _a, _b], use, clock ?? new ShortWaits(), _ct);

    async Task MustRestore(ReplicatedStore places)
    {
        using var repository = await Prepared.Open(places, Options);
        var snapshot = Assert.Single(await repository.Snapshots(SnapshotFilter.All, _ct));
        var folder = _scratch.At($"back-{Guid.NewGuid():N}");
        using (var target = FileTarget.Open(FilePath.FromText(folder), new FileTargetOptions()))
        {
            var done = await RestoreRun.Execute(repository, snapshot, default, [], target, null, _ct);
            Assert.Empty(done.Failed);
        }
        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("source")), FilePath.FromText(folder + _scratch.At("source"))));
    }

    static string[] Named(MemoryStore store, string folder)
        => [.. store.Objects.Keys.Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    static void Flip(MemoryStore store, string name, int at)
        => store.Objects[name] = [.. store.Objects[name].Select((value, i) => i == at ? (byte)(value ^ 4) : value)];

    [Fact, Clause("F-13.5")]
    public async Task Every_wrong_cut_or_lost_object_is_answered_by_the_next_place_and_put_right()
    {
        await Prepare();
        var good = _a.Objects.ToDictionary(one => one.Key, one => one.Value);
        var packs = Named(_a, "data");
        foreach (var pack in packs) Flip(_a, pack, 40);
        _a.Objects[packs[0]] = _a.Objects[packs[0]][..50];
        _a.Objects.Remove(packs[1]);
        Flip(_a, Named(_a, "index")[0], 40);
        Flip(_a, Named(_a, "snapshots")[0], 40);
        await using var places = await Open();

        await MustRestore(places);

        Assert.True(places.Healed.Count >= packs.Length + 2, $"{places.Healed.Count} healed");
        Assert.All(places.Healed, one => Assert.Equal(("memory:a", "memory:b"), (one.Place, one.From)));
        foreach (var (name, bytes) in good) Assert.True(bytes.AsSpan().SequenceEqual(_a.Objects[name]), name);
        Assert.NotEmpty(Named(_a, "x-backupdr/trash"));
    }

    [Fact, Clause("F-13.5")]
    public async Task A_place_that_died_costs_one_request_and_not_one_for_each_object()
    {
        await Prepare();
        var asked = 0;
        var dead = new FaultyStore(_a)
        {
            Before = (_, _, _) => ++asked > 2 ? new StoreException(StoreFault.Unavailable, "the region is gone") : null,
        };
        var clock = new SteppedTime();
        await using var places = await Open(dead, clock: clock);

        await MustRestore(places);

        Assert.Equal(3, asked);
        Assert.Equal("the region is gone", Assert.Single(places.Absent).Problem);
    }

    [Fact, Clause("F-13.5")]
    public async Task A_place_that_was_emptied_is_not_asked_at_all()
    {
        await Prepare();
        _a.Objects.Clear();
        await using var places = await Open();

        await MustRestore(places);

        Assert.Empty(_a.Objects);
        Assert.Contains("no repository", Assert.Single(places.Absent).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_may_only_read_gets_the_bytes_and_is_told_that_the_copy_stays_bad()
    {
        await Prepare();
        foreach (var pack in Named(_a, "data")) Flip(_a, pack, 40);
        var readOnly = new FaultyStore(_a)
        {
            Before = (verb, name, _) => verb is StoreVerb.Put or StoreVerb.Delete && !name.StartsWith("locks", StringComparison.Ordinal)
                ? new StoreException(StoreFault.Denied, "put: not allowed") : null,
        };
        await using var places = await Open(readOnly);

        await MustRestore(places);

        Assert.All(places.Healed, one => Assert.Contains("could not be replaced", one.Problem, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_writer_counts_only_on_what_the_first_place_holds()
    {
        await Prepare();
        using (var alone = await Prepared.Open(_b, Options)) await Prepared.Backup(alone, Prepared.Folder(_scratch, 2));
        await using var places = await Open(use: ReplicaUse.Write);
        using var repository = await Prepared.Open(places, Options);

        Assert.Single(await repository.Snapshots(SnapshotFilter.All, _ct));
        var again = await Prepared.Backup(repository, _scratch.At("source"));

        Assert.True(again.BytesStored > 4 << 20);
        using var first = await Prepared.Open(_a, Options);
        Assert.Empty((await Upkeep.RepositoryCheck.Execute(first, readData: true, null, _ct)).Errors);
    }
}
