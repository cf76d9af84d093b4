using System.Diagnostics;
using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;
using BackupDr.Storage.S3;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

[assembly: AssemblyFixture(typeof(S3Server))]

namespace BackupDr.Engine.Tests.ObjectLocks;

/// <summary>A repository in a bucket with object lock: what a prune may take, what it extends, and when space comes back.</summary>
public sealed class ObjectLockTests(S3Server server) : IDisposable
{
    static readonly TimeSpan Day = TimeSpan.FromDays(1), Patience = TimeSpan.FromSeconds(120);
    static readonly PruneRequest All = new() { MaximumUnusedBytes = 0 };

    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    RepositoryOptions Options => Prepared.Options with { PackSizeBytes = 4 << 20, CacheFolder = FilePath.FromText(_scratch.At("cache")) };

    public void Dispose() => _scratch.Dispose();

    async Task<S3Store> Open(TimeSpan period, S3Address? address = null)
        => new(address ?? await server.NewLockedBucket(), S3Server.Options("s3.retention-mode=compliance"), retention: period);

    async Task<Repository> WithTwoSnapshots(IObjectStore store)
    {
        var repository = await Prepared.Init(store, Options);
        await Prepared.Backup(repository, Prepared.Folder(_scratch, 1));
        await Prepared.Backup(repository, Prepared.Folder(_scratch, 2));
        return repository;
    }

    async Task<Snapshot> ForgetFirst(Repository repository)
    {
        var first = (await repository.Snapshots(SnapshotFilter.All, _ct))[0];
        Assert.Equal(1, await Forget.Remove(repository, [first.Id], _ct));
        return first;
    }

    Task<PruneReport> Prune(Repository repository, PruneRequest? request = null)
        => GarbageCollection.Execute(repository, request ?? All, null, _ct);

    /// <summary>Stock restic takes its lock, checks every byte and removes its lock.</summary>
    async Task MustBeWhole(S3Store store)
    {
        var restic = new ResticCli(store.Url, Prepared.PasswordText, _scratch.At("restic-cache"));
        var checkedBy = restic.Run(S3Server.Keys, "check", "--read-data");
        Assert.True(checkedBy.ExitCode == 0, checkedBy.Output + checkedBy.Errors);
        Assert.Empty(await store.List("locks", _ct).ToListAsync(_ct));
    }

    async Task<Dictionary<ObjectName, DateTimeOffset?>> Retentions(S3Store store)
    {
        var found = new Dictionary<ObjectName, DateTimeOffset?>();
        await foreach (var listed in store.List("", _ct)) found[listed.Name] = (await store.Locks.Of(listed.Name, _ct))?.Until;
        return found;
    }

    async Task<long> BytesOfVersions(S3Store store, string folder = "data")
        => await store.Versions.List(folder, _ct).Select(version => version.Object.SizeBytes).SumAsync(_ct);

    static bool IsPack(ObjectName name) => name.Value.StartsWith("data/", StringComparison.Ordinal);

    [Fact, Clause("F-12.8")]
    public async Task What_is_locked_survives_a_prune_which_says_until_when()
    {
        await using var store = await Open(Day);
        using var repository = await WithTwoSnapshots(store);
        await ForgetFirst(repository);
        var before = (await Retentions(store)).Where(one => IsPack(one.Key)).ToDictionary();

        var dry = await Prune(repository, All with { IsDryRun = true });
        var report = await Prune(repository);

        Assert.True(report.Plan.DeadPacks + report.Plan.RepackPacks > 0);
        Assert.Equal(0, report.RemovedPacks);
        Assert.True(report.WaitingPacks > 0);
        Assert.Equal(dry.Plan.DeadPacks + dry.Plan.RepackPacks, report.WaitingPacks);
        foreach (var told in (PruneReport[])[dry, report])
        {
            Assert.True(told.Locked.Bytes > 4 << 20);
            Assert.InRange(told.Locked.Last!.Value, before.Values.Min()!.Value, before.Values.Max()!.Value + TimeSpan.FromSeconds(1));
        }
        var there = await store.List("data", _ct).Select(one => one.Name).ToListAsync(_ct);
        Assert.All(before.Keys, pack => Assert.Contains(pack, there));
        await MustBeWhole(store);
        Assert.Empty(report.WaitsFor);
        // It waits for nobody but the store, so that waiting for writers does not wait for the store either.
        Assert.True((await Prune(repository, All with { Waits = true })).WaitingPacks > 0);
    }

    [Fact, Clause("F-12.8")]
    public async Task A_prune_extends_what_snapshots_need_and_nothing_else_and_asks_no_second_time()
    {
        await using var store = await Open(Day);
        using var repository = await WithTwoSnapshots(store);
        await ForgetFirst(repository);
        var before = await Retentions(store);
        var begun = TimeProvider.System.GetUtcNow();

        var report = await Prune(repository, new PruneRequest { MaximumUnusedBytes = long.MaxValue });

        var marked = (await MarkSet.Load(repository, _ct)).Packs.Select(id => ObjectLayout.Of(ObjectLayout.Data, id)).ToHashSet();
        var after = await Retentions(store);
        Assert.NotEmpty(marked);
        foreach (var (name, until) in after)
        {
            if (name.Value.StartsWith("x-backupdr/", StringComparison.Ordinal)) Assert.Null(until);
            else if (marked.Contains(name)) Assert.Equal(before[name], until);
            else Assert.True(until >= begun + Day + Day / 4 - TimeSpan.FromSeconds(2), $"{name} is locked until {until}");
        }
        Assert.Equal(after.Count(one => one.Value is not null) - marked.Count, report.ExtendedLocks);
        Assert.Equal(0, (await Prune(repository, new PruneRequest { MaximumUnusedBytes = long.MaxValue })).ExtendedLocks);
        using var elsewhere = await Prepared.Open(store, Options with { CacheFolder = null });
        Assert.Equal(0, (await Prune(elsewhere, new PruneRequest { MaximumUnusedBytes = long.MaxValue })).ExtendedLocks);
    }

    [Fact]
    public async Task When_retentions_are_over_space_returns_to_the_last_byte()
    {
        await using var store = await Open(TimeSpan.FromSeconds(5));
        using var repository = await WithTwoSnapshots(store);
        var garbage = await ForgetFirst(repository);
        var before = await BytesOfVersions(store);

        PruneReport report;
        var removed = 0L;
        var begun = Stopwatch.GetTimestamp();
        do
        {
            report = await Prune(repository);
            removed += report.RemovedBytes;
            await MustBeWhole(store);
            Assert.True(Stopwatch.GetElapsedTime(begun) < Patience, $"{report.Locked} after {Patience}");
        }
        while (report.Locked.Objects > 0);

        Assert.True(removed > 4 << 20);
        var seen = await store.List("", _ct).ToListAsync(_ct);
        // What the bucket stores, and is paid for, is what a listing shows: no version hides behind it, but the locks that were released
        // since the prune looked.
        var versions = await store.Versions.List("", _ct)
            .Where(version => !version.Object.Name.Value.StartsWith("locks/", StringComparison.Ordinal)).ToListAsync(_ct);
        Assert.Equal(seen.Select(one => $"{one}").Order(), versions.Select(version => $"{version.Object}").Order());
        Assert.True(await BytesOfVersions(store) < before - (4 << 20));
        Assert.DoesNotContain(await repository.Snapshots(SnapshotFilter.All, _ct), snapshot => snapshot.Id == garbage.Id);
    }

    [Fact]
    public async Task A_forgotten_snapshot_that_is_locked_is_hidden_and_comes_back_whole()
    {
        await using var store = await Open(Day);
        using var repository = await WithTwoSnapshots(store);
        var first = (await repository.Snapshots(SnapshotFilter.All, _ct))[0];
        var retained = await Forget.Retained(repository, [first.Id], _ct);
        await ForgetFirst(repository);
        await Prune(repository);
        Assert.Single(await repository.Snapshots(SnapshotFilter.All, _ct));

        var name = ObjectLayout.Of(ObjectLayout.Snapshots, first.Id);
        var mark = (await store.Versions.Of(name, _ct)).Single(version => version.IsDeletion);
        await store.Versions.Remove(name, mark.Id, _ct);

        Assert.Equal(1, retained.Objects);
        Assert.InRange(retained.Last!.Value, TimeProvider.System.GetUtcNow() + Day / 2, TimeProvider.System.GetUtcNow() + Day);
        Assert.Equal(2, (await repository.Snapshots(SnapshotFilter.All, _ct)).Count);
        await MustBeWhole(store);
        var report = await Prune(repository, new PruneRequest { MaximumUnusedBytes = long.MaxValue });
        Assert.Equal(0, report.RemovedPacks);
        await MustBeWhole(store);
    }

    [Fact]
    public async Task What_somebody_holds_stays_without_a_date_and_goes_when_the_hold_is_lifted()
    {
        await using var store = await Open(TimeSpan.FromSeconds(3));
        using var repository = await WithTwoSnapshots(store);
        var first = (await repository.Snapshots(SnapshotFilter.All, _ct))[0];
        var name = ObjectLayout.Of(ObjectLayout.Snapshots, first.Id);
        await store.Locks.Hold(name, true, _ct);
        var held = Assert.Single(await store.Versions.Of(name, _ct)).Id;
        await ForgetFirst(repository);
        PruneReport report;
        var begun = Stopwatch.GetTimestamp();
        do
        {
            report = await Prune(repository);
            Assert.True(Stopwatch.GetElapsedTime(begun) < Patience, $"{report.Locked} after {Patience}");
        }
        while (report.Locked.First is not null);

        Assert.Equal((1, 1), (report.Locked.Objects, report.Locked.Held));
        Assert.Contains(await store.Versions.Of(name, _ct), version => version.Id == held);

        // The hold is of a version that only its mark hides.
        await store.Versions.Remove(name, (await store.Versions.Of(name, _ct)).Single(version => version.IsDeletion).Id, _ct);
        await store.Locks.Hold(name, false, _ct);
        await store.Delete(name, _ct);
        await Prune(repository);
        Assert.Empty(await store.Versions.Of(name, _ct));
        await MustBeWhole(store);
    }

    [Fact]
    public async Task Of_the_packs_of_one_mark_those_go_that_are_free_and_the_others_stay_marked()
    {
        var address = await server.NewLockedBucket();
        await using (var unlocked = new S3Store(address, S3Server.Options()))
        using (var made = await Prepared.Init(unlocked, Options)) await Prepared.Backup(made, Prepared.Folder(_scratch, 1));
        await using var store = await Open(Day, address);
        using var repository = await Prepared.Open(store, Options);
        await Prepared.Backup(repository, Prepared.Folder(_scratch, 2));
        await Prepared.Backup(repository, Prepared.Folder(_scratch, 3));
        foreach (var snapshot in (await repository.Snapshots(SnapshotFilter.All, _ct)).Take(2))
            await Forget.Remove(repository, [snapshot.Id], _ct);

        var report = await Prune(repository);

        Assert.True(report.RemovedPacks > 0 && report.WaitingPacks > 0, $"{report}");
        var marked = (await MarkSet.Load(repository, _ct)).Packs.Select(id => ObjectLayout.Of(ObjectLayout.Data, id)).ToHashSet();
        var there = await store.List("data", _ct).Select(one => one.Name).ToListAsync(_ct);
        Assert.Equal(report.WaitingPacks, there.Count(marked.Contains));
        await MustBeWhole(store);
        var again = await Prune(repository);
        Assert.Equal((0, report.WaitingPacks), (again.RemovedPacks, again.WaitingPacks));
        // A writer does not count on what waits: the same data is stored anew.
        Assert.True((await Prepared.Backup(repository, Prepared.Folder(_scratch, 2))).BytesNew > 4 << 20);
        await MustBeWhole(store);
    }

    [Fact]
    public async Task A_check_tells_of_objects_without_the_retention_that_is_asked_for()
    {
        var address = await server.NewLockedBucket();
        await using (var unlocked = new S3Store(address, S3Server.Options()))
        using (var made = await Prepared.Init(unlocked, Options)) await Prepared.Backup(made, Prepared.Folder(_scratch));
        await using var store = await Open(Day, address);
        using var repository = await Prepared.Open(store, Options);
        async Task<IReadOnlyList<string>> Remarks(Repository one)
        {
            var report = await RepositoryCheck.Execute(one, readData: false, null, _ct);
            Assert.Empty(report.Errors);
            return [.. report.Remarks.Where(remark => remark.Contains("locked", StringComparison.Ordinal))];
        }

        Assert.Contains("are not locked by the store", Assert.Single(await Remarks(repository)), StringComparison.Ordinal);
        await Prune(repository);
        Assert.Empty(await Remarks(repository));

        await using var longer = await Open(20 * Day, address);
        using var asked = await Prepared.Open(longer, Options);
        Assert.Contains("for less than the time", Assert.Single(await Remarks(asked)), StringComparison.Ordinal);
    }
}
