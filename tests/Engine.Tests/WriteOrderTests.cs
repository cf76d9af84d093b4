using BackupDr.Engine.Blobs;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>What is written when, and what a crash leaves behind.</summary>
public sealed class WriteOrderTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    [Fact, Clause("F-2.4")]
    public async Task A_repository_is_made_key_first_and_config_last_and_only_once()
    {
        var puts = new List<string>();
        var recording = new FaultyStore(_store) { After = (verb, name, _) => { if (verb == StoreVerb.Put) puts.Add(name); return null; } };
        using var made = await Prepared.Init(recording);

        var again = await Assert.ThrowsAsync<RepositoryException>(() => Prepared.Init(_store));

        Assert.Equal(["keys", "config"], puts.Select(name => name.Split('/')[0]));
        Assert.Equal("repository.exists", again.Code);
    }

    [Fact, Clause("F-1.3"), Clause("F-1.4"), Clause("F-6.4"), Clause("F-8.1")]
    public async Task Packs_come_before_their_index_and_the_index_before_the_snapshot_and_no_name_is_written_twice()
    {
        var puts = new List<string>();
        var recording = new FaultyStore(_store)
        {
            After = (verb, name, _)
            =>
            { if (verb == StoreVerb.Put) lock (puts) puts.Add(name); return null; }
        };
        using var repository = await Prepared.Init(recording);

        await Prepared.Backup(repository, Prepared.Folder(_scratch));

        var kinds = puts.Select(name => name.Split('/')[0]).ToList();
        Assert.True(kinds.LastIndexOf("data") < kinds.IndexOf("index"));
        Assert.True(kinds.LastIndexOf("index") < kinds.IndexOf("snapshots"));
        Assert.Equal(puts.Distinct(), puts);
        Assert.All(puts.Where(name => name != "config"), name => Assert.True(BlobId.TryParse(new ObjectName(name).LastSegment, out _)));
    }

    [Fact, Clause("F-8.1")]
    public async Task A_crash_at_any_write_leaves_a_repository_that_checks_clean_and_can_be_continued()
    {
        var folder = Prepared.Folder(_scratch);
        var options = Prepared.Options with { PackSizeBytes = 1 << 20 };
        for (var survived = 0; ; survived++)
        {
            var store = new MemoryStore();
            using (await Prepared.Init(store, options)) { }
            var faulty = new FaultyStore(store);
            var left = survived;
            var dead = false;
            faulty.Before = (verb, name, _) =>
            {
                dead = dead || (verb == StoreVerb.Put && Interlocked.Decrement(ref left) < 0);
                return dead ? new StoreException(StoreFault.Denied, $"{verb} {name} after the crash") : null;
            };
            var ended = false;
            using (var crashing = await Prepared.Open(faulty, options))
            {
                try { ended = (await Prepared.Backup(crashing, folder)).IsComplete; }
                catch (StoreException) { Assert.True(dead); }
            }
            using var next = await Prepared.Open(store, options);
            Assert.Empty((await RepositoryCheck.Execute(next, readData: true, null, _ct)).Errors);
            Assert.True((await Prepared.Backup(next, folder)).IsComplete);
            Assert.Empty((await RepositoryCheck.Execute(next, readData: true, null, _ct)).Errors);
            if (ended) { Assert.True(survived > 6, $"only {survived} writes were tried"); return; }
        }
    }

    [Fact, Clause("F-8.3")]
    public async Task A_lock_is_held_from_the_first_index_until_after_the_snapshot()
    {
        var unlocked = new List<string>();
        var watching = new FaultyStore(_store);
        using var repository = await Prepared.Init(watching);
        await Prepared.Backup(repository, Prepared.Folder(_scratch));
        watching.Before = watching.After = (verb, name, _) =>
        {
            var isWork = name.Split('/')[0] is "index" or "data" or "snapshots";
            if (isWork && !_store.Objects.Keys.Any(key => key.StartsWith("locks/", StringComparison.Ordinal)))
                unlocked.Add($"{verb} {name}");
            return null;
        };

        await Prepared.Backup(repository, Prepared.Folder(_scratch, seed: 2));

        Assert.Empty(unlocked);
        Assert.DoesNotContain(_store.Objects.Keys, key => key.StartsWith("locks/", StringComparison.Ordinal));
    }

    [Theory, Clause("F-8.3")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_backup_whose_lock_was_taken_away_publishes_nothing(bool beforeTheSnapshot)
    {
        var watching = new FaultyStore(_store);
        using var repository = await Prepared.Init(watching);
        Exception? Unlock(StoreVerb verb, string name, string when)
        {
            if (verb == StoreVerb.Put && name.StartsWith(when, StringComparison.Ordinal))
                foreach (var key in _store.Objects.Keys.Where(key => key.StartsWith("locks/", StringComparison.Ordinal)).ToList())
                    _store.Objects.Remove(key);
            return null;
        }
        watching.After = (verb, name, _) => Unlock(verb, name, beforeTheSnapshot ? "index/" : "snapshots/");

        var lost = await Assert.ThrowsAsync<RepositoryException>(() => Prepared.Backup(repository, Prepared.Folder(_scratch)));

        Assert.Equal("repository.lock_lost", lost.Code);
        Assert.Empty(await repository.Snapshots(SnapshotFilter.All, _ct));
    }

    [Fact, Clause("F-1.3")]
    public async Task Objects_with_other_names_are_ignored()
    {
        using var repository = await Prepared.Init(_store);
        await Prepared.Backup(repository, Prepared.Folder(_scratch));
        foreach (var name in new[] { "snapshots/README", "index/note.txt", "data/00/partial-tmp-1", "locks/x", "keys/old",
            "x-backupdr/marks/1" })
            _store.Objects[name] = [1, 2, 3];

        using var opened = await Prepared.Open(_store);

        Assert.Single(await opened.Snapshots(SnapshotFilter.All, _ct));
        Assert.Empty((await RepositoryCheck.Execute(opened, readData: true, null, _ct)).Errors);
        Assert.True((await Prepared.Backup(opened, _scratch.At("source"))).IsComplete);
    }
}
