using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Tiers;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.Files;
using BackupDr.Storage;
using BackupDr.Storage.Azure;
using BackupDr.Storage.S3;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Stores;
using BackupDr.TestKit.Trees;

[assembly: AssemblyFixture(typeof(AzuriteServer))]

namespace BackupDr.Engine.Tests.Tiers;

/// <summary>Packs move to cooler classes, and what lies in an archive is thawed before it is read.</summary>
public sealed class TierTests(S3Server s3, AzuriteServer azurite) : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    async Task<S3Store> Bucket(params string[] options) => new(await s3.NewBucket("p"), S3Server.Options(options));

    async Task<AzureStore> Container() => new(await azurite.NewContainer("p"), azurite.Options());

    async Task<Repository> Filled(IObjectStore store)
    {
        var repository = await Prepared.Init(store, Prepared.Options with { PackSizeBytes = 4 << 20 });
        await Prepared.Backup(repository, Prepared.Folder(_scratch));
        return repository;
    }

    Task<TierReport> Move(Repository repository, string named, TimeSpan olderThan = default, bool isDryRun = false)
        => TierRun.Execute(repository, new TierRequest(named, olderThan, isDryRun), null, _ct);

    /// <summary>The class of each object, by whether it is a pack of nothing but content.</summary>
    async Task<(string[] Data, string[] Others)> Classes(Repository repository)
    {
        var packs = (await Prepared.Packs(repository)).Where(pack => pack.Blobs.All(blob => blob.Type == BlobType.Data))
            .Select(pack => ObjectLayout.Of(ObjectLayout.Data, pack.Id)).ToHashSet();
        var all = await repository.Store.Tiers!.List("", _ct).ToListAsync(_ct);
        string[] Of(bool isData) => [.. all.Where(one => packs.Contains(one.Object.Name) == isData).Select(one => one.Class).Distinct()];
        return (Of(true), Of(false));
    }

    async Task<RestoreSummary> Restore(Repository repository, ThawRequest? thaw = null)
    {
        var snapshot = (await repository.Snapshots(SnapshotFilter.All, _ct))[^1];
        using var target = FileTarget.Open(FilePath.FromText(_scratch.At("restored")), new FileTargetOptions());
        return await RestoreRun.Execute(repository, snapshot,
            new RestoreRequest { From = FilePath.FromText(_scratch.At("source")), Thaw = thaw ?? new ThawRequest() }, target, null, _ct);
    }

    void MustBeRestored()
        => Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("source")), FilePath.FromText(_scratch.At("restored")),
            new FsDiffOptions { CompareRoots = false }));

    static async Task<RepositoryException> Refused(Func<Task> attempt, RepositoryFault fault)
    {
        var refused = await Assert.ThrowsAsync<RepositoryException>(attempt);
        Assert.Equal(fault, refused.Fault);
        return refused;
    }

    [Fact]
    public async Task Packs_of_content_move_and_all_else_stays()
    {
        await using var store = await Bucket();
        using var repository = await Filled(store);

        var dry = await Move(repository, "COLD", isDryRun: true);
        Assert.Equal(["STANDARD"], (await Classes(repository)).Data);
        var report = await Move(repository, "COLD");

        Assert.True(report.Moved >= 2 && report.MovedBytes > 5 << 20 && report.WithFolders > 0, $"{report}");
        Assert.Equal(dry, report);
        var (data, others) = await Classes(repository);
        Assert.Equal(["COLD"], data);
        Assert.Equal(["STANDARD"], others);
        var again = await Move(repository, "COLD");
        Assert.Equal((0, report.Moved), (again.Moved, again.There));
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
        await Restore(repository);
        MustBeRestored();
    }

    [Fact]
    public async Task What_is_too_young_or_would_be_charged_all_the_same_stays()
    {
        await using var store = await Bucket();
        using var repository = await Filled(store);

        Assert.Equal(0, (await Move(repository, "STANDARD_IA", TimeSpan.FromDays(1))).Moved);
        var moved = await Move(repository, "STANDARD_IA");
        var early = await Move(repository, "COLD");

        Assert.True(moved.Moved > 0);
        Assert.Equal((0, moved.Moved), (early.Moved, early.Early));
    }

    [Fact]
    public async Task A_class_that_the_store_does_not_have_is_refused()
    {
        await using var store = await Bucket();
        using var repository = await Filled(store);

        Assert.Equal(StoreFault.Unusable, (await Assert.ThrowsAsync<StoreException>(() => Move(repository, "NO_SUCH"))).Fault);
        using var folder = await Prepared.Init(new MemoryStore());
        Assert.Equal(StoreFault.Unusable, (await Assert.ThrowsAsync<StoreException>(() => Move(folder, "COLD"))).Fault);
    }

    [Fact]
    public async Task With_versions_no_older_copy_stays_and_with_object_lock_nothing_moves()
    {
        var address = await s3.NewLockedBucket();
        await using var store = new S3Store(address, S3Server.Options());
        using var repository = await Filled(store);
        await using var locked = new S3Store(address, S3Server.Options("s3.retention-days=1"));
        using var opened = await Prepared.Open(locked);

        var refused = await Assert.ThrowsAsync<StoreException>(() => Move(opened, "COLD"));
        var report = await Move(repository, "COLD");

        Assert.Contains("lifecycle", refused.Hint, StringComparison.Ordinal);
        Assert.True(report.Moved > 0);
        Assert.Equal(await store.List("data", _ct).CountAsync(_ct), await store.Versions.List("data", _ct).CountAsync(_ct));
    }

    [Fact]
    public async Task A_prune_says_what_is_removed_before_its_time_and_rewrites_nothing_of_that_class()
    {
        await using var store = await Bucket();
        using var repository = await Filled(store);
        await Prepared.Backup(repository, Prepared.Folder(_scratch, 2));
        await Move(repository, "STANDARD_IA");
        var first = (await repository.Snapshots(SnapshotFilter.All, _ct))[0];
        await Forget.Remove(repository, [first.Id], _ct);

        var report = await GarbageCollection.Execute(repository, new PruneRequest { MaximumUnusedBytes = 0 }, null, _ct);

        Assert.True(report.Plan.EarlyPacks > 0 && report.Plan.EarlyBytes > 0 && report.Plan.EarlyCost > 0, $"{report.Plan}");
        Assert.True(report.RemovedPacks > 0);
        // The words, which both snapshots need, lie beside noise that none needs any more.
        Assert.True(report.Plan.ColdPacks > 0, $"{report.Plan}");
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
    }

    [Fact]
    public async Task A_restore_from_an_archive_says_what_it_takes_thaws_and_goes_on()
    {
        await using var store = await Container();
        using var repository = await Filled(store);
        var moved = await Move(repository, "Archive");
        Assert.Equal(["Archive"], (await Classes(repository)).Data);
        Assert.Equal((0, moved.Moved), ((await Move(repository, "Cool")).Moved, (await Move(repository, "Cool")).Archived));

        var refused = await Refused(() => Restore(repository), RepositoryFault.Archived);
        var snapshot = (await repository.Snapshots(SnapshotFilter.All, _ct))[^1];
        var preview = await RestoreRun.Preview(repository, snapshot, new RestoreRequest(), new EmptyTarget(), _ct);

        Assert.Contains($"{moved.Moved} packs", refused.Message, StringComparison.Ordinal);
        Assert.Contains("up to 15 hours and costs about 0.00 USD", refused.Message, StringComparison.Ordinal);
        Assert.Equal((moved.Moved, moved.MovedBytes), (preview.Archived.Packs, preview.Archived.Bytes));
        Assert.Equal(["Archive"], (await Classes(repository)).Data);
        Assert.Empty(Directory.GetFileSystemEntries(_scratch.At("restored")));

        await Restore(repository, new ThawRequest { Thaws = true });

        MustBeRestored();
        Assert.Equal(["Hot"], (await Classes(repository)).Data);
    }

    [Fact]
    public async Task While_a_thaw_is_under_way_a_restore_waits_as_long_as_it_may()
    {
        await using var store = await Container();
        using (var repository = await Filled(store)) await Move(repository, "Archive");
        var slow = new SlowThaw(store);
        using var waiting = await Prepared.Open(slow, Prepared.Options with { Clock = new ShortWaits() });
        var told = new List<ArchivedSpace>();

        var refused = await Refused(() => Restore(waiting, new ThawRequest { Thaws = true }), RepositoryFault.Thawing);
        var asked = slow.Asked;
        await Restore(waiting, new ThawRequest { Thaws = true, Patience = TimeSpan.FromMinutes(1), Progress = new Each(told) });

        Assert.Contains("all asked for already", refused.Message, StringComparison.Ordinal);
        Assert.Equal(asked, slow.Asked);   // what is under way is not asked for again
        Assert.NotEmpty(told);
        MustBeRestored();
    }

    [Fact]
    public async Task A_dump_a_check_and_a_prune_know_of_archives()
    {
        await using var store = await Container();
        using var repository = await Filled(store);
        await Prepared.Backup(repository, Prepared.Folder(_scratch, 2));
        var moved = await Move(repository, "Archive");
        var snapshots = await repository.Snapshots(SnapshotFilter.All, _ct);
        await Forget.Remove(repository, [snapshots[0].Id], _ct);
        var dump = new SnapshotDump(new BlobReader(repository, await repository.LoadIndex(_ct)));
        var packs = await dump.Packs(snapshots[1], FilePath.FromText(_scratch.At("source")), null, _ct);

        await Refused(() => Thawing.Need(repository, packs, new ThawRequest(), _ct), RepositoryFault.Archived);
        var check = await RepositoryCheck.Execute(repository, readData: true, null, _ct);
        var prune = await GarbageCollection.Execute(repository, new PruneRequest { MaximumUnusedBytes = 0 }, null, _ct);

        Assert.Empty(check.Errors);
        Assert.Equal((moved.Moved, moved.MovedBytes), (check.ArchivedPacks, check.ArchivedBytes));
        Assert.True(prune.Plan.ColdPacks > 0 && prune.Plan.EarlyPacks > 0, $"{prune.Plan}");
        await Restore(repository, new ThawRequest { Thaws = true });
        MustBeRestored();
    }

    [Theory]
    [InlineData("GLACIER", 90, null, "3 to 5 hours", 0.01005)]
    [InlineData("DEEP_ARCHIVE", 180, null, "up to 12 hours", 0.0201)]
    [InlineData("DEEP_ARCHIVE", 180, 5.0, "up to 12 hours", 5.0)]
    [InlineData("UNHEARD_OF", 0, null, null, null)]
    public void The_estimate_is_the_list_price_or_the_one_that_was_given(string named, int days, double? price, string? time, double? cost)
    {
        ArchivedPack[] packs = [new(new ObjectName("data/p"), 1 << 30, named, false), new(new ObjectName("data/q"), 1 << 30, named, true)];

        var space = ArchivedSpace.Of(packs, price);

        Assert.Equal(days, ClassTerms.Of(named)?.MinimumDays ?? 0);
        Assert.Equal((2, 1, 2L << 30, time), (space.Packs, space.Thawing, space.Bytes, space.Time));
        Assert.Equal(cost is null, space.Cost is null);
        Assert.Equal(cost ?? 0, space.Cost ?? 0, 0.00001);
    }

    [Fact]
    public void The_page_about_classes_has_the_figures_of_the_code()
    {
        var page = Path.Combine(Service.Checkout(), "docs/operate/tiers.md");
        var rows = File.ReadLines(page).Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries)[1..^1]).Where(cells => cells.Length == 6).ToList();

        Assert.Equal(8, rows.Count);
        Assert.All(rows, cells =>
        {
            var terms = ClassTerms.Of(cells[0].Trim('`'))!;
            Assert.Equal($"{terms.MonthlyPrice} {terms.MinimumDays} days {terms.Thaw?.PriceOfGiB} {terms.Thaw?.PriceOfThousand:0.00}",
                $"{cells[1]} {cells[2]} {cells[4]} {cells[5]}");
            Assert.StartsWith(terms.Thaw?.Time ?? "", cells[3], StringComparison.Ordinal);
            Assert.Equal(terms.Thaw is null, cells[3].Length == 0);
        });
    }

    sealed class Each(List<ArchivedSpace> told) : IProgress<ArchivedSpace>
    {
        public void Report(ArchivedSpace value) => told.Add(value);
    }

    /// <summary>The emulator thaws at once. Here a thaw stays under way for the first few looks at each pack.</summary>
    sealed class SlowThaw(IObjectStore inner) : IObjectStore, IObjectTiers
    {
        const int Looks = 6;

        readonly Dictionary<ObjectName, int> _looks = [];
        readonly Lock _gate = new();

        public int Asked { get; private set; }
        public string Url => inner.Url;
        public StoreAbilities Abilities => inner.Abilities;
        public IObjectTiers Tiers => this;

        public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct) => inner.Put(name, content, ct);
        public Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct) => inner.Read(name, offset, target, ct);
        public Task<StoredObject?> Head(ObjectName name, CancellationToken ct) => inner.Head(name, ct);
        public IAsyncEnumerable<StoredObject> List(string folder, CancellationToken ct) => inner.List(folder, ct);
        public Task<bool> Delete(ObjectName name, CancellationToken ct) => inner.Delete(name, ct);
        public ValueTask DisposeAsync() => inner.DisposeAsync();

        IAsyncEnumerable<TieredObject> IObjectTiers.List(string folder, CancellationToken ct) => inner.Tiers!.List(folder, ct);
        public Task Move(ObjectName name, string storageClass, CancellationToken ct) => inner.Tiers!.Move(name, storageClass, ct);

        public async Task<ObjectTier> Of(ObjectName name, CancellationToken ct)
        {
            bool isOver;
            lock (_gate)
            {
                if (!_looks.TryGetValue(name, out var looks)) return new ObjectTier("Archive", ThawState.Archived);
                _looks[name] = looks + 1;
                isOver = looks >= Looks;
            }
            if (!isOver) return new ObjectTier("Archive", ThawState.Thawing);
            await inner.Tiers!.Thaw(name, 1, ct);
            return await inner.Tiers!.Of(name, ct);
        }

        public Task Thaw(ObjectName name, int days, CancellationToken ct)
        {
            lock (_gate)
            {
                Asked++;
                _looks.TryAdd(name, 0);
            }
            return Task.CompletedTask;
        }
    }
}
