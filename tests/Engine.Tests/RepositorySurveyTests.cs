using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>A look through somebody else's repository: what it tells, and that it writes nothing.</summary>
public sealed class RepositorySurveyTests
{
    static readonly CancellationToken Ct = TestContext.Current.CancellationToken;

    /// <summary>Refuses what a credential that may only read refuses.</summary>
    static FaultyStore ReadOnly(IObjectStore store) => new(store)
    {
        Before = (verb, name, _) => verb is StoreVerb.Put or StoreVerb.Delete
            ? new StoreException(StoreFault.Denied, $"{verb} {name}: not allowed.") : null,
    };

    static async Task<(MemoryStore Store, ScratchFolder Scratch)> Made(int backups)
    {
        var (store, scratch) = (new MemoryStore(), new ScratchFolder());
        using var repository = await Prepared.Init(store);
        for (var i = 0; i < backups; i++) await Prepared.Backup(repository, Prepared.Folder(scratch, seed: i));
        return (store, scratch);
    }

    static async Task<SurveyReport> Look(IObjectStore store)
    {
        using var repository = await Prepared.Open(store);
        return await RepositorySurvey.Execute(repository, null, Ct);
    }

    [Fact]
    public async Task It_tells_all_snapshots_the_newest_first_and_needs_no_right_to_write()
    {
        var (store, scratch) = await Made(backups: 3);
        using (scratch)
        {
            var before = store.Objects.ToDictionary(pair => pair.Key, pair => pair.Value.ToArray());

            var report = await Look(ReadOnly(store));

            Assert.Equal((3, 3, 0), (report.Snapshots.Count, report.Trees, report.Problems.Count));
            Assert.Equal(report.Snapshots.OrderByDescending(snapshot => snapshot.Time).Select(snapshot => snapshot.Id),
                report.Snapshots.Select(snapshot => snapshot.Id));
            Assert.True(report.Blobs > 3);
            Assert.Equal(before.Keys.Order(StringComparer.Ordinal), store.Objects.Keys.Order(StringComparer.Ordinal));
            Assert.All(before, pair => Assert.Equal(pair.Value, store.Objects[pair.Key]));
        }
    }

    [Fact]
    public async Task A_folder_that_is_looked_at_stays_as_it_is_to_the_byte_and_the_second()
    {
        using var scratch = new ScratchFolder();
        var restic = new ResticCli(scratch.At("repository"), Prepared.PasswordText, scratch.At("cache"));
        restic.Succeed("init");
        restic.Backup(Prepared.Folder(scratch));
        restic.Backup(Prepared.Folder(scratch, seed: 2));
        var before = Listing(scratch.At("repository"));

        var report = await Look(StoreFactory.Open(scratch.At("repository")));

        Assert.Equal(2, report.Snapshots.Count);
        Assert.All(report.Snapshots, snapshot => Assert.Equal(Environment.MachineName, snapshot.HostName));
        Assert.Equal(before, Listing(scratch.At("repository")));
    }

    static List<string> Listing(string folder) => [.. Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
        .Append(folder).Order(StringComparer.Ordinal).Select(path => $"{path} {File.GetLastWriteTimeUtc(path):O} "
            + (File.Exists(path) ? Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path))) : "folder"))];

    [Fact]
    public async Task A_damaged_snapshot_and_a_lost_tree_are_named_and_the_others_told()
    {
        var (store, scratch) = await Made(backups: 3);
        using (scratch)
        {
            var all = (await Look(store)).Snapshots;
            var broken = $"snapshots/{all[0].Id}";
            var bytes = (byte[])store.Objects[broken].Clone();
            bytes[20] ^= 1;
            store.Objects[broken] = bytes;
            await LosePackOf(store, all[1].Tree);

            var report = await Look(ReadOnly(store));

            Assert.Equal([all[2].Id], report.Snapshots.Select(snapshot => snapshot.Id));
            Assert.Equal(new[] { all[0].Id, all[1].Id }.Order(), report.Problems.Select(problem => problem.Snapshot).Order());
            Assert.Contains("do not match", report.Problems.Single(problem => problem.Snapshot == all[0].Id).Problem,
                StringComparison.Ordinal);
        }
    }

    static async Task LosePackOf(MemoryStore store, Blobs.BlobId tree)
    {
        using var repository = await Prepared.Open(store);
        var index = await repository.LoadIndex(Ct);
        Assert.True(index.TryFind(Blobs.BlobType.Tree, tree, out var place));
        store.Objects.Remove(ObjectLayout.Of(ObjectLayout.Data, place.Pack).Value);
    }

    [Fact]
    public async Task A_damaged_index_is_no_repository_to_adopt()
    {
        var (store, scratch) = await Made(backups: 1);
        using (scratch)
        {
            var name = store.Objects.Keys.First(key => key.StartsWith("index/", StringComparison.Ordinal));
            store.Objects[name] = store.Objects[name][..^1];

            var damaged = await Assert.ThrowsAsync<RepositoryException>(() => Look(store));

            Assert.Equal(RepositoryFault.Damaged, damaged.Fault);
            Assert.Contains("index", damaged.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_somebody_forgets_and_prunes_meanwhile_is_no_damage()
    {
        var (store, scratch) = await Made(backups: 2);
        using (scratch)
        {
            var all = (await Look(store)).Snapshots;
            var watched = ReadOnly(store);
            var isForgotten = false;
            watched.After = (verb, name, _) =>
            {
                // The snapshots were read and the index is being listed: now a forget and prune comes in between.
                if (verb == StoreVerb.List && name == "index" && !isForgotten)
                {
                    isForgotten = true;
                    store.Objects.Remove($"snapshots/{all[1].Id}");
                    LosePackOf(store, all[1].Tree).GetAwaiter().GetResult();
                }
                return null;
            };

            var report = await Look(watched);

            Assert.True(isForgotten);
            Assert.Equal([all[0].Id], report.Snapshots.Select(snapshot => snapshot.Id));
            Assert.Empty(report.Problems);
        }
    }

    [Fact]
    public async Task Numbers_of_a_snapshot_are_those_that_its_writer_counted()
    {
        var (store, scratch) = await Made(backups: 1);
        using (scratch)
        {
            var snapshot = Assert.Single((await Look(store)).Snapshots);

            var (files, bytes, added) = snapshot.Numbers();

            Assert.Equal(4, files);
            Assert.True(bytes > 5 << 20);
            Assert.True(added > 0);
            Assert.Equal((null, null, null), (snapshot with { Summary = null }).Numbers());
        }
    }
}
