using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.Files;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>How many requests trees cost: each may take the time of a far store to answer.</summary>
public sealed class ParentWalkTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    sealed class Counted(IObjectStore inner)
    {
        int _reads;

        public int Reads => _reads;

        public IObjectStore Store => new FaultyStore(inner)
        {
            Before = (verb, name, _) =>
            {
                if (verb == StoreVerb.Read && name.StartsWith("data/", StringComparison.Ordinal)) Interlocked.Increment(ref _reads);
                return null;
            },
        };
    }

    // 12 * 12 * 14 folders and those above them, each with a file.
    string MakeFolders()
    {
        for (var a = 0; a < 12; a++)
            for (var b = 0; b < 12; b++)
                for (var c = 0; c < 14; c++) _scratch.File($"source/{a}/{b}/{c}/file", $"{a} {b} {c}");
        return _scratch.At("source");
    }

    async Task<(BackupSummary Run, int Reads)> Again(string path)
    {
        var counted = new Counted(_store);
        using var repository = await Prepared.Open(counted.Store);
        var run = await Prepared.Backup(repository, path);
        return (run, counted.Reads);
    }

    [Fact]
    public async Task Two_thousand_unchanged_folders_cost_some_requests_and_not_one_each()
    {
        var path = MakeFolders();
        using (var repository = await Prepared.Init(_store)) await Prepared.Backup(repository, path);

        var (run, reads) = await Again(path);

        Assert.InRange(run.FoldersUnmodified, 12 + 144 + 2016, 12 + 144 + 2016 + 8);
        Assert.Equal(2016, run.FilesUnmodified);
        Assert.InRange(reads, 1, 60);
    }

    [Fact]
    public async Task A_walk_that_meets_something_else_than_the_parent_compares_as_it_did()
    {
        var path = MakeFolders();
        using (var repository = await Prepared.Init(_store)) await Prepared.Backup(repository, path);
        Directory.Delete(_scratch.At("source/1"), recursive: true);
        Directory.Delete(_scratch.At("source/10/3"), recursive: true);
        Directory.Delete(_scratch.At("source/11/0"), recursive: true);
        _scratch.File("source/11/0", "a file now");
        _scratch.File("source/000/new", "before all others");
        _scratch.File("source/5/5/55/new", "in the middle");
        _scratch.File("source/9/9/9/file", "changed");

        var (run, _) = await Again(path);

        Assert.Equal((2, 2, 2016 - 168 - 14 - 14 - 1), (run.FilesNew, run.FilesChanged, run.FilesUnmodified));
        Assert.Equal(2, run.FoldersNew);
        using var opened = await Prepared.Open(_store);
        Assert.Empty((await RepositoryCheck.Execute(opened, readData: true, null, _ct)).Errors);
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(path)] });
        var full = await BackupRun.Execute(opened, source, new BackupRequest { HostName = "here", Force = true }, null, _ct);
        Assert.Equal(await Files(opened, full.SnapshotId), await Files(opened, run.SnapshotId));
    }

    async Task<List<string>> Files(Repository repository, Blobs.BlobId id)
    {
        var snapshot = await repository.FindSnapshot(id.ToString(), SnapshotFilter.All, _ct);
        var files = new List<string>();
        await foreach (var (path, node) in (await TreeBrowser.Open(repository, _ct)).Walk(snapshot, default, _ct))
            files.Add($"{path} {string.Join(' ', node.Content)}");
        return files;
    }

    [Fact]
    public async Task Where_trees_of_the_parent_are_damaged_files_are_read_again_with_a_remark_and_nothing_is_missing()
    {
        var path = MakeFolders();
        using (var repository = await Prepared.Init(_store))
        {
            await Prepared.Backup(repository, path);
            foreach (var pack in await Prepared.Packs(repository))
                if (pack.Blobs.Any(blob => blob.Type == Blobs.BlobType.Tree)) Flip(pack);
        }

        var (run, _) = await Again(path);

        Assert.NotEmpty(run.Remarks);
        Assert.Empty(run.Missing);
        Assert.Equal(2016, run.Files);
    }

    // One bit in every third tree of a pack.
    void Flip(IndexedPack pack)
    {
        var name = ObjectLayout.Of(ObjectLayout.Data, pack.Id).Value;
        var bytes = _store.Objects[name].ToArray();
        for (var at = 0; at < pack.Blobs.Count; at += 3) bytes[pack.Blobs[at].Offset + 20] ^= 1;
        _store.Objects[name] = bytes;
    }

    [Fact]
    public async Task Copying_a_snapshot_of_two_thousand_folders_reads_its_trees_together()
    {
        var path = MakeFolders();
        using (var repository = await Prepared.Init(_store)) await Prepared.Backup(repository, path);
        var counted = new Counted(_store);
        using var from = await Prepared.Open(counted.Store);
        using var to = await Prepared.Init(new MemoryStore());

        await SnapshotCopy.Execute(from, to, await from.Snapshots(SnapshotFilter.All, _ct), _ => { }, _ct);

        Assert.InRange(counted.Reads, 1, 40);
        Assert.Empty((await RepositoryCheck.Execute(to, readData: true, null, _ct)).Errors);
    }
}
