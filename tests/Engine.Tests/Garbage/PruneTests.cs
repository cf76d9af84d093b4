using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests.Garbage;

public sealed class PruneTests : IDisposable
{
    // A look at the locks takes a second; here it passes at once.
    // With the index cache, as every agent has it: marks, sweeps and the cache must agree.
    RepositoryOptions Options => Prepared.Options with
    {
        Clock = _clock,
        PackSizeBytes = 4 << 20,
        CacheFolder = FilePath.FromText(_scratch.At("cache")),
    };

    readonly ShortWaits _clock = new();
    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    async Task<Repository> WithTwoSnapshots(bool forgetFirst = true)
    {
        var repository = await Prepared.Init(_store, Options);
        var first = await Prepared.Backup(repository, Prepared.Folder(_scratch, 1));
        await Prepared.Backup(repository, Prepared.Folder(_scratch, 2));
        if (forgetFirst) await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Snapshots, first.SnapshotId), _ct);
        return repository;
    }

    async Task<PruneReport> Prune(Repository repository, PruneRequest? request = null)
        => await GarbageCollection.Execute(repository, request ?? new PruneRequest(), null, _ct);

    async Task MustBeWhole(Repository repository)
    {
        var report = await RepositoryCheck.Execute(repository, readData: true, null, _ct);
        Assert.Empty(report.Errors);
    }

    string[] Named(string folder) => [.. _store.Objects.Keys.Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal))];

    [Fact, Clause("F-12.1"), Clause("F-12.2"), Clause("F-12.6")]
    public async Task What_no_snapshot_needs_goes_and_nothing_else()
    {
        using var repository = await WithTwoSnapshots();
        var before = Named("data").Length;

        var report = await Prune(repository, new PruneRequest { MaximumUnusedBytes = 0 });

        Assert.True(report.RemovedPacks > 0 && report.Plan.UnusedBytes > 4 << 20);
        Assert.True(Named("data").Length < before);
        Assert.Empty(Named("x-backupdr"));
        Assert.Empty(Named("locks"));
        await MustBeWhole(repository);
        var again = await Prune(repository, new PruneRequest { MaximumUnusedBytes = 0 });
        Assert.Equal((0, 0L, 0), (again.RemovedPacks, again.Plan.UnusedBytes, again.Plan.RepackPacks));
    }

    [Fact]
    public async Task A_budget_of_packs_or_time_rewrites_less_and_the_next_run_goes_on()
    {
        using var repository = await WithTwoSnapshots();
        var all = (await Prune(repository, new PruneRequest { MaximumUnusedBytes = 0, IsDryRun = true })).Plan.RepackPacks;
        Assert.True(all > 0);

        var noTime = await Prune(repository, new PruneRequest { MaximumUnusedBytes = 0, MaximumRepackTime = TimeSpan.Zero });
        var none = await Prune(repository, new PruneRequest { MaximumUnusedBytes = 0, MaximumRepackPacks = 0 });
        await MustBeWhole(repository);
        var rest = await Prune(repository, new PruneRequest { MaximumUnusedBytes = 0, MaximumRepackPacks = all });

        Assert.Equal((0, true, 0, true), (noTime.RepackedPacks, noTime.IsCut, none.RepackedPacks, none.IsCut));
        Assert.Equal((all, false), (rest.RepackedPacks, rest.IsCut));
        await MustBeWhole(repository);
    }

    [Fact]
    public async Task A_dry_run_changes_nothing_and_promises_what_the_run_then_gives_back()
    {
        using var repository = await WithTwoSnapshots();
        var before = _store.Objects.Keys.Order(StringComparer.Ordinal).ToList();
        var bytes = _store.Objects.Values.Sum(content => (long)content.Length);
        var request = new PruneRequest { MaximumUnusedBytes = 0 };

        var dry = await Prune(repository, request with { IsDryRun = true });

        Assert.Equal(before, _store.Objects.Keys.Order(StringComparer.Ordinal));
        var report = await Prune(repository, request);
        Assert.Equal(dry.Plan, report.Plan);
        var came = bytes - _store.Objects.Values.Sum(content => (long)content.Length);
        Assert.InRange(came, dry.Plan.FreedBytes - 8192, dry.Plan.FreedBytes + 8192);   // headers and index files differ a little
    }

    [Fact]
    public async Task An_unused_share_may_stay_and_a_limit_bounds_what_is_rewritten()
    {
        using var repository = await WithTwoSnapshots();

        var kept = await Prune(repository, new PruneRequest { MaximumUnusedBytes = long.MaxValue, IsDryRun = true });
        var bounded = await Prune(repository, new PruneRequest { MaximumUnusedBytes = 0, MaximumRepackBytes = 1, IsDryRun = true });
        var all = await Prune(repository, new PruneRequest { MaximumUnusedBytes = 0, IsDryRun = true });

        Assert.Equal(0, kept.Plan.RepackPacks);
        Assert.Equal(0, bounded.Plan.RepackPacks);
        Assert.True(all.Plan.RepackPacks > 0 && all.Plan.LeftUnusedBytes == 0);
    }

    [Fact, Clause("F-12.3")]
    public async Task A_pack_stays_while_somebody_is_at_work_who_may_count_on_it()
    {
        using var repository = await WithTwoSnapshots();
        PruneReport report;
        await using (var writer = await RepositoryLock.Take(repository, exclusive: false, _ct))
        {
            report = await Prune(repository);
            Assert.Contains(writer.Identity, report.WaitsFor);
        }

        Assert.Equal(0, report.RemovedPacks);
        Assert.True(report.WaitingPacks > 0);
        Assert.NotEmpty(Named("x-backupdr/gc/marks"));
        var after = await Prune(repository);
        Assert.Equal(report.WaitingPacks, after.RemovedPacks);
        Assert.Empty(Named("x-backupdr"));
        await MustBeWhole(repository);
    }

    [Fact, Clause("F-12.3")]
    public async Task A_mark_whose_maker_stopped_before_it_looked_who_is_there_is_looked_at_by_the_next()
    {
        using var repository = await WithTwoSnapshots();
        var faulty = new FaultyStore(_store)
        {
            Before = (verb, name, _) => verb == StoreVerb.Put && name.StartsWith(ObjectLayout.Witnesses, StringComparison.Ordinal)
                ? new StoreException(StoreFault.Unavailable, "put") : null,
        };
        using var failing = await Prepared.Open(faulty, Options);
        await Assert.ThrowsAsync<StoreException>(() => Prune(failing));
        Assert.Single(Named("x-backupdr/gc/marks"));
        Assert.Empty(Named("x-backupdr/gc/witness"));

        var report = await Prune(repository);

        Assert.True(report.RemovedPacks > 0);
        Assert.Empty(Named("x-backupdr"));
        await MustBeWhole(repository);
    }

    [Fact, Clause("F-12.4")]
    public async Task A_writer_does_not_count_on_marked_packs_and_a_needed_one_is_rescued()
    {
        using var repository = await WithTwoSnapshots();
        await using (await RepositoryLock.Take(repository, exclusive: false, _ct)) await Prune(repository);
        var marked = (await MarkSet.Load(repository, _ct)).Packs;

        // The same data as in the snapshot that was forgotten: stored again although it is still there.
        var late = await Prepared.Backup(repository, Prepared.Folder(_scratch, 1));
        Assert.True(late.BytesNew > 4 << 20);
        // And one that counts on a marked pack all the same, as a writer may that began before the mark.
        var index = await repository.LoadIndex(_ct);
        await Prune(repository);

        Assert.All(marked, pack => Assert.False(_store.Objects.ContainsKey(ObjectLayout.Of(ObjectLayout.Data, pack).Value)));
        Assert.True(index.Count > 0);
        await MustBeWhole(repository);
    }

    [Fact, Clause("F-12.6")]
    public async Task A_marked_pack_that_a_snapshot_needs_again_stays()
    {
        using var repository = await WithTwoSnapshots(forgetFirst: false);
        var forgotten = (await repository.Snapshots(SnapshotFilter.All, _ct))[0];
        var name = ObjectLayout.Of(ObjectLayout.Snapshots, forgotten.Id);
        var stored = _store.Objects[name.Value];
        await repository.Store.Delete(name, _ct);
        await using (await RepositoryLock.Take(repository, exclusive: false, _ct))
        {
            await Prune(repository, new PruneRequest { MaximumUnusedBytes = long.MaxValue });
            // What a writer publishes that loaded the index before the mark.
            await repository.Store.Put(name, stored, _ct);
        }

        var report = await Prune(repository, new PruneRequest { MaximumUnusedBytes = long.MaxValue });

        Assert.True(report.RescuedPacks > 0);
        Assert.Empty(Named("x-backupdr"));
        await MustBeWhole(repository);
    }

    [Fact, Clause("F-12.5")]
    public async Task A_stock_lock_makes_the_sweep_wait_and_is_named()
    {
        using var repository = await WithTwoSnapshots();
        var stock = new LockFile
        {
            Time = UnixTime.From(Options.Clock.GetUtcNow()),
            IsExclusive = false,
            HostName = "there",
            UserName = "ana",
            Pid = 7
        };
        // Every other lock is gone by the time of the sweep, and this one came after the mark.
        var faulty = new FaultyStore(_store);
        using var watched = await Prepared.Open(faulty, Options);
        BlobId? put = null;
        faulty.After = (verb, name, _) =>
        {
            if (verb == StoreVerb.Put && name.StartsWith(ObjectLayout.Witnesses, StringComparison.Ordinal))
                put = repository.WriteUnpacked(ObjectLayout.Locks, stock.Write(), _ct).GetAwaiter().GetResult();
            return null;
        };

        var report = await Prune(watched);

        Assert.Equal(0, report.RemovedPacks);
        Assert.Contains(report.WaitsFor, owner => owner is { UserName: "ana", HostName: "there", Pid: 7 });
        faulty.After = (_, _, _) => null;
        await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Locks, put!.Value), _ct);
        Assert.True((await Prune(watched)).RemovedPacks > 0);
        await MustBeWhole(repository);
    }

    [Fact, Clause("F-12.5")]
    public async Task Our_own_go_on_beside_a_sweep_and_others_do_not()
    {
        using var repository = await Prepared.Init(_store, Options);
        await using var sweep = await RepositoryLock.Take(repository, LockKind.Sweep, _ct);

        await using (await RepositoryLock.Take(repository, LockKind.Shared, _ct)) { }
        await using (await RepositoryLock.Take(repository, LockKind.Upkeep, _ct)) { }
        await Assert.ThrowsAsync<RepositoryException>(() => RepositoryLock.Take(repository, LockKind.Sweep, _ct));
        await Assert.ThrowsAsync<RepositoryException>(() => RepositoryLock.Take(repository, LockKind.Exclusive, _ct));
    }

    [Fact]
    public async Task Two_prunes_do_not_run_at_once()
    {
        using var repository = await Prepared.Init(_store, Options);
        await using var other = await RepositoryLock.Take(repository, LockKind.Upkeep, _ct);

        var refused = await Assert.ThrowsAsync<RepositoryException>(() => Prune(repository));

        Assert.Equal("repository.locked", refused.Code);
    }

    [Fact]
    public async Task A_repository_that_misses_something_is_left_as_it_is()
    {
        using var repository = await WithTwoSnapshots();
        var index = await repository.LoadIndex(_ct);
        var tree = (await repository.Snapshots(SnapshotFilter.All, _ct))[0].Tree;
        Assert.True(index.TryFind(BlobType.Tree, tree, out var place));
        var pack = ObjectLayout.Of(ObjectLayout.Data, place.Pack).Value;
        var bytes = _store.Objects[pack];
        _store.Objects.Remove(pack);
        var before = _store.Objects.Keys.Order(StringComparer.Ordinal).ToList();

        await Assert.ThrowsAnyAsync<BackupDr.Contracts.BackupDrException>(() => Prune(repository));

        Assert.Equal(before, _store.Objects.Keys.Order(StringComparer.Ordinal));
        _store.Objects[pack] = bytes;
        Assert.True((await Prune(repository)).RemovedPacks > 0);
    }

    [Fact, Clause("F-12.6")]
    public async Task A_crash_at_any_call_leaves_a_whole_repository_that_the_next_prune_finishes()
    {
        using (await WithTwoSnapshots()) { }
        var start = new Dictionary<string, byte[]>(_store.Objects);
        var request = new PruneRequest { MaximumUnusedBytes = 0 };
        var crashed = 0;
        for (var at = 1; ; at++)
        {
            var store = new MemoryStore();
            foreach (var (name, content) in start) store.Objects[name] = content;
            var faulty = new FaultyStore(store);
            using var repository = await Prepared.Open(faulty, Options with { Workers = 1 });
            var dies = faulty.Calls + at;
            // From one call on nothing reaches the store any more, not even the release of the lock.
            faulty.Before = (_, name, call) => call >= dies ? new StoreException(StoreFault.Unavailable, name) : null;
            try
            {
                await Prune(repository, request);
                break;
            }
            catch (StoreException) { crashed++; }
            using var after = await Prepared.Open(store, Options);
            foreach (var name in store.Objects.Keys.Where(name => name.StartsWith("locks/", StringComparison.Ordinal)).ToList())
                store.Objects.Remove(name);
            Assert.Empty((await RepositoryCheck.Execute(after, readData: false, null, _ct)).Errors);
            await Prune(after, request);
            Assert.Empty((await RepositoryCheck.Execute(after, readData: true, null, _ct)).Errors);
            Assert.DoesNotContain(store.Objects.Keys, name => name.StartsWith("x-backupdr/", StringComparison.Ordinal));
        }
        Assert.True(crashed > 30, $"only {crashed} calls");
    }
}
