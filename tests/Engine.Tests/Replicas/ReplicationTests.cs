using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Replicas;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests.Replicas;

public sealed class ReplicationTests : IDisposable
{
    static readonly RepositoryOptions Options = Prepared.Options with { Clock = new ShortWaits(), PackSizeBytes = 4 << 20 };

    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _a = new() { Url = "memory:a" }, _b = new() { Url = "memory:b" };
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    async Task<BlobId> Backup(IObjectStore store, int seed)
    {
        using var repository = store.Url == _a.Url && _a.Objects.Count == 0 ? await Prepared.Init(store, Options)
            : await Prepared.Open(store, Options);
        return (await Prepared.Backup(repository, Prepared.Folder(_scratch, seed))).SnapshotId;
    }

    async Task<ReplicationSummary> Replicate(IObjectStore? b = null, bool readsData = false, bool isPreview = false, bool addsOnly = false)
    {
        using var password = Secret.FromText(Prepared.PasswordText);
        return await Replication.Execute([_a, b ?? _b], password, Options,
            new ReplicationRequest { ReadsData = readsData, IsPreview = isPreview, RefillsFirst = true, AddsOnly = addsOnly }, _ct);
    }

    async Task<ReplicationSummary> MustBecomeEqual(bool readsData = false)
    {
        var done = await Replicate(readsData: readsData);
        Assert.True(done.IsEqual, string.Join("; ", done.Damaged.Select(problem => $"{problem.Path}: {problem.Message}")
            .Concat(done.Places.Select(place => place.Problem ?? place.NotRemoved ?? "fine"))));
        Assert.Equal(Shared(_a), Shared(_b));
        foreach (var store in (IObjectStore[])[_a, _b]) await MustBeWhole(store);
        return done;
    }

    static SortedSet<string> Shared(MemoryStore store)
        => [.. store.Objects.Keys.Where(name => !name.StartsWith("x-backupdr/trash", StringComparison.Ordinal)
            && !name.StartsWith("x-backupdr/gc", StringComparison.Ordinal) && !name.StartsWith("locks", StringComparison.Ordinal))];

    static string[] Named(MemoryStore store, string folder)
        => [.. store.Objects.Keys.Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    async Task MustBeWhole(IObjectStore store)
    {
        using var repository = await Prepared.Open(store, Options);
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
    }

    async Task<IReadOnlyList<BlobId>> Snapshots(IObjectStore store)
    {
        using var repository = await Prepared.Open(store, Options);
        return [.. (await repository.Snapshots(SnapshotFilter.All, _ct)).Select(snapshot => snapshot.Id)];
    }

    async Task ForgetAndPrune(IObjectStore store, params IReadOnlyList<BlobId> ids)
    {
        using var repository = await Prepared.Open(store, Options);
        Assert.Equal(ids.Count, await Forget.Remove(repository, ids, _ct));
        Assert.True((await GarbageCollection.Execute(repository, new PruneRequest { MaximumUnusedBytes = 0 }, null, _ct)).RemovedPacks > 0);
    }

    [Fact]
    public async Task An_empty_place_becomes_a_repository_of_its_own()
    {
        var snapshot = await Backup(_a, 1);

        var preview = await Replicate(isPreview: true);
        Assert.Empty(_b.Objects);
        var done = await MustBecomeEqual();
        var again = await MustBecomeEqual();

        Assert.True(done.Places[1].WasEmpty && done.Places[1].Objects > 3 && done.Places[1].Bytes > 5 << 20);
        Assert.InRange(preview.Places[1].Objects, 4, done.Places[1].Objects + 1);
        Assert.Equal([snapshot], done.Places[1].Snapshots);
        Assert.Equal(0, again.Places[0].Objects + again.Places[1].Objects);
        Assert.Equal([snapshot], await Snapshots(_b));
    }

    [Fact, Clause("F-13.1")]
    public async Task Broken_off_anywhere_every_place_is_whole_and_the_next_run_finishes()
    {
        await Backup(_a, 1);
        var puts = 0;
        for (var last = 1; ; last++)
        {
            _b.Objects.Clear();
            var left = last;
            var breaking = new FaultyStore(_b)
            {
                Before = (verb, _, _) => verb == StoreVerb.Put && Interlocked.Decrement(ref left) < 0
                    ? new StoreException(StoreFault.Unavailable, "put: the place is gone") : null,
            };
            var broken = await Record.ExceptionAsync(() => Replicate(breaking));
            if (broken is null && left >= 0) break;
            puts++;
            if (_b.Objects.ContainsKey("config")) await MustBeWhole(_b);
            await MustBecomeEqual();
        }
        Assert.True(puts >= 8, $"only {puts} puts were broken off");
    }

    [Fact, Clause("F-13.2")]
    public async Task What_each_place_got_alone_both_have_afterwards()
    {
        var first = await Backup(_a, 1);
        await MustBecomeEqual();
        var second = await Backup(_a, 2);
        var third = await Backup(_b, 3);

        var done = await MustBecomeEqual();

        Assert.Equal(new[] { first, second, third }.Order(), (await Snapshots(_a)).Order());
        Assert.True(done.Places.All(place => place.Objects > 0 && !place.WasEmpty));
    }

    [Theory, Clause("F-13.2"), InlineData(true), InlineData(false)]
    public async Task A_place_that_was_emptied_or_rolled_back_is_refilled_and_takes_nothing_from_the_other(bool emptied)
    {
        await Backup(_a, 1);
        var before = emptied ? [] : _a.Objects.ToDictionary(one => one.Key, one => one.Value);
        await MustBecomeEqual();
        await Backup(_a, 2);
        await MustBecomeEqual();
        var all = await Snapshots(_b);
        _a.Objects.Clear();
        foreach (var (name, bytes) in before) _a.Objects[name] = bytes;

        var done = await MustBecomeEqual();

        Assert.Equal(all, await Snapshots(_a));
        Assert.Equal(emptied, done.Places[0].WasEmpty);
        Assert.True(done.Places[0].Bytes > 4 << 20);
        Assert.Equal(0, done.Places[1].Objects + done.Places[1].Removed);
    }

    [Fact, Clause("F-13.3")]
    public async Task What_was_forgotten_and_pruned_at_one_place_goes_at_the_other_and_never_comes_back()
    {
        var first = await Backup(_a, 1);
        await MustBecomeEqual();
        var second = await Backup(_a, 2);
        await ForgetAndPrune(_a, first);
        var after = Shared(_a);

        var done = await MustBecomeEqual();

        Assert.True(done.Places[1].Removed > 2);
        Assert.Equal([second], await Snapshots(_b));
        Assert.Equal(after, Shared(_a));
    }

    [Fact, Clause("F-13.3")]
    public async Task A_key_that_was_removed_opens_no_place()
    {
        await Backup(_a, 1);
        using var other = Secret.FromText("another password");
        BlobId added;
        using (var repository = await Prepared.Open(_a, Options)) added = await repository.AddKey(other, _ct);
        await MustBecomeEqual();
        using (var repository = await Prepared.Open(_a, Options)) await RepositoryKeys.Remove(repository, added.ToString(), _ct);

        await MustBecomeEqual();

        Assert.Single(Named(_b, "keys"));
        await Assert.ThrowsAsync<RepositoryException>(() => Repository.Open(_b, other, Options, _ct));
    }

    [Fact, Clause("F-13.3")]
    public async Task One_that_is_to_add_only_adds_and_leaves_what_departed_to_the_next()
    {
        var first = await Backup(_a, 1);
        await MustBecomeEqual();
        var second = await Backup(_a, 2);
        await ForgetAndPrune(_a, first);
        var before = Named(_b, "data").Concat(Named(_b, "snapshots")).ToList();

        var done = await Replicate(addsOnly: true);

        Assert.False(done.IsEqual);
        Assert.Contains("only added", done.Places[1].NotRemoved, StringComparison.Ordinal);
        Assert.Equal(0, done.Places.Sum(place => place.Removed));
        Assert.Subset(Named(_b, "data").Concat(Named(_b, "snapshots")).ToHashSet(), before.ToHashSet());
        Assert.Contains(Named(_b, "snapshots"), name => name.EndsWith(second.ToString(), StringComparison.Ordinal));
        await MustBecomeEqual();
        Assert.Single(Named(_b, "snapshots"));
    }

    [Fact, Clause("F-13.3")]
    public async Task While_somebody_works_at_a_place_nothing_is_removed_there_and_later_it_is()
    {
        var first = await Backup(_a, 1);
        await MustBecomeEqual();
        await Backup(_a, 2);
        await ForgetAndPrune(_a, first);
        using var there = await Prepared.Open(_b, Options);
        await using (await RepositoryLock.Take(there, LockKind.Shared, _ct))
        {
            var done = await Replicate();
            Assert.Contains("locked by", done.Places[1].NotRemoved, StringComparison.Ordinal);
            Assert.False(done.IsEqual);
            Assert.Contains(first, await Snapshots(_b));
        }

        await MustBecomeEqual();

        Assert.DoesNotContain(first, await Snapshots(_b));
    }

    [Fact, Clause("F-13.4")]
    public async Task A_backup_made_at_one_place_keeps_what_a_prune_at_the_other_did_not_know_it_needs()
    {
        var first = await Backup(_a, 1);
        await MustBecomeEqual();
        await Backup(_a, 2);
        var alone = await Backup(_b, 1);   // all of its data is in packs that the first backup wrote
        await ForgetAndPrune(_a, first);

        var done = await MustBecomeEqual();

        Assert.Contains(alone, await Snapshots(_a));
        Assert.True(done.Places[1].Removed > 2);
    }

    [Fact]
    public async Task Damaged_and_lost_objects_are_put_right_from_the_other_place()
    {
        await Backup(_a, 1);
        await MustBecomeEqual();
        var packs = Named(_a, "data");
        _a.Objects[packs[0]] = [.. _a.Objects[packs[0]].Select((value, at) => at == 77 ? (byte)(value ^ 1) : value)];
        _a.Objects[packs[1]] = _a.Objects[packs[1]][..^9];
        _a.Objects.Remove(Named(_b, "index")[0]);

        var quick = await Replicate();
        var thorough = await MustBecomeEqual(readsData: true);

        Assert.Equal((1L, 1L), (quick.Places[0].Healed, quick.Places[0].Objects));
        Assert.Equal((1L, 0L), (thorough.Places[0].Healed, thorough.Places[0].Objects));
        Assert.Equal(2, Named(_a, "x-backupdr/trash").Length);
    }

    [Fact]
    public async Task What_is_wrong_everywhere_is_named_and_copied_nowhere()
    {
        await Backup(_a, 1);
        var pack = Named(_a, "data")[0];
        _a.Objects[pack] = [.. _a.Objects[pack].Select((value, at) => at == 77 ? (byte)(value ^ 1) : value)];

        var done = await Replicate();

        Assert.Contains(pack, Assert.Single(done.Damaged).Path.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(pack, Named(_b, "data"));
    }

    [Fact, Clause("F-13.4")]
    public async Task Two_copies_of_a_blob_of_which_each_place_pruned_another_one_leave_one_at_both()
    {
        await Backup(_a, 1);
        await MustBecomeEqual();

        // Both places write the shared file, each into a pack of its own beside something that is forgotten there.
        var (atA, atB) = (await BackupShared(_a, "one", 5), await BackupShared(_b, "two", 6));
        await MustBecomeEqual();
        var kept = await BackupShared(_a, "three", null);
        await MustBecomeEqual();
        await ForgetAndPrune(_a, [atA]);
        await ForgetAndPrune(_b, [atB]);
        Assert.NotEqual(Named(_a, "data"), Named(_b, "data"));

        await Replicate();
        await MustBecomeEqual(readsData: true);

        Assert.Contains(kept, await Snapshots(_b));
        Assert.DoesNotContain(atA, await Snapshots(_b));
        Assert.DoesNotContain(atB, await Snapshots(_a));
    }

    /// <summary>Takes a backup of a file that is the same each time, and of one that is not.</summary>
    async Task<BlobId> BackupShared(IObjectStore store, string folder, int? own)
    {
        Directory.CreateDirectory(_scratch.At(folder));
        await File.WriteAllBytesAsync(_scratch.At($"{folder}/shared"), Prepared.Noise(600_000, 77), _ct);
        if (own is { } seed) await File.WriteAllBytesAsync(_scratch.At($"{folder}/own"), Prepared.Noise(500_000, seed), _ct);
        using var repository = await Prepared.Open(store, Options);
        return (await Prepared.Backup(repository, _scratch.At(folder))).SnapshotId;
    }

    [Theory, Clause("F-13.4"), InlineData(0), InlineData(1)]
    public async Task A_sweep_that_takes_one_of_two_departing_copies_while_a_rescue_walks_leaves_the_other_to_be_copied(int taken)
    {
        await Backup(_a, 1);
        await MustBecomeEqual();
        var before = Named(_a, "index");
        var (atA, atB) = (await BackupShared(_a, "one", 5), await BackupShared(_b, "two", 6));
        await MustBecomeEqual();
        string[] ofCopies = [.. Named(_a, "index").Except(before)];
        Assert.Equal(2, ofCopies.Length);
        var kept = await BackupShared(_a, "three", null);   // needs a blob of which both copies go, as the other place does not know of it
        await ForgetAndPrune(_b, atA, atB);
        using (var repository = await Prepared.Open(_a, Options)) await Forget.Remove(repository, [atA, atB], _ct);
        var (hasRead, listings) = (false, 0);
        var swept = new FaultyStore(_a)
        {
            Before = (verb, name, _) =>
            {
                hasRead |= verb == StoreVerb.Read && name.StartsWith("snapshots/", StringComparison.Ordinal);
                // The rescue reads the snapshots, the index to walk with, and the index of what it copies.
                if (hasRead && verb == StoreVerb.List && name == "index" && ++listings == 2) _a.Objects.Remove(ofCopies[taken]);
                return null;
            },
        };
        using var password = Secret.FromText(Prepared.PasswordText);

        await Replication.Execute([swept, _b], password, Options, new ReplicationRequest(), _ct);

        Assert.True(listings >= 2);
        Assert.Contains(kept, await Snapshots(_b));
        foreach (var store in (IObjectStore[])[_a, _b]) await MustBeWhole(store);
    }

    [Fact, Clause("F-13.3")]
    public async Task A_listing_that_fails_in_the_middle_of_a_rescue_leaves_no_index_file_without_its_packs()
    {
        var (first, second) = (await Backup(_a, 1), await Backup(_a, 2));
        await MustBecomeEqual();
        await Backup(_a, 2);   // each place needs what the other prunes
        await Backup(_b, 1);
        await ForgetAndPrune(_a, first);
        await ForgetAndPrune(_b, second);
        var (hasRescued, hasFailed) = (false, false);
        var faulty = new FaultyStore(_a)
        {
            Before = (verb, name, _) =>
            {
                hasRescued |= verb == StoreVerb.Put && name.StartsWith("index/", StringComparison.Ordinal);
                if (verb != StoreVerb.List || name != "data" || !hasRescued || hasFailed) return null;
                hasFailed = true;
                return new StoreException(StoreFault.Unavailable, "the listing failed");
            },
        };
        using var password = Secret.FromText(Prepared.PasswordText);

        var done = await Replication.Execute([faulty, _b], password, Options, new ReplicationRequest(), _ct);

        Assert.True(hasFailed);
        Assert.False(done.IsEqual);
        foreach (var store in (IObjectStore[])[_a, _b]) await MustBeWhole(store);
        await Replicate();
        await MustBecomeEqual(readsData: true);
    }

    [Fact, Clause("F-13.2")]
    public async Task A_place_that_does_not_say_whether_a_snapshot_was_forgotten_is_told_and_not_taken_for_damaged()
    {
        await Backup(_a, 1);
        await MustBecomeEqual();
        var forgotten = $"snapshots/{await Backup(_a, 2)}";
        var faulty = new FaultyStore(_a)
        {
            Before = (verb, name, _) =>
            {
                if (name != forgotten) return null;
                if (verb == StoreVerb.Read) _a.Objects.Remove(forgotten);
                return verb == StoreVerb.Head ? new StoreException(StoreFault.Unavailable, "it does not answer") : null;
            },
        };
        using var password = Secret.FromText(Prepared.PasswordText);

        var done = await Replication.Execute([faulty, _b], password, Options, new ReplicationRequest(), _ct);

        Assert.Empty(done.Damaged);
        Assert.Contains("does not answer", done.Places[0].Problem, StringComparison.Ordinal);
        Assert.False(done.IsEqual);
        await MustBecomeEqual();
    }

    [Fact]
    public async Task Another_repository_is_never_mixed_in()
    {
        await Backup(_a, 1);
        (await Prepared.Init(_b, Options)).Dispose();

        var e = await Assert.ThrowsAsync<RepositoryException>(() => Replicate());

        Assert.Equal(RepositoryFault.OtherRepository, e.Fault);
    }

    [Fact]
    public async Task A_place_that_does_not_answer_is_told_and_the_others_go_on()
    {
        await Backup(_a, 1);
        var gone = new FaultyStore(new MemoryStore()) { Before = (_, _, _) => new StoreException(StoreFault.Unavailable, "it is gone") };
        using var password = Secret.FromText(Prepared.PasswordText);

        var done = await Replication.Execute([_a, gone, _b], password, Options, new ReplicationRequest(), _ct);
        var alone = await Assert.ThrowsAsync<StoreException>(() => Replicate(gone));

        Assert.Equal("it is gone", done.Places[1].Problem);
        Assert.False(done.IsEqual);
        Assert.Single(await Snapshots(_b));
        Assert.Equal(StoreFault.Unavailable, alone.Fault);
    }
}
