using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>What the blobs and packs of our own backups look like.</summary>
public sealed class BlobTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    [Fact, Clause("F-5.1"), Clause("F-5.5"), Clause("F-5.6"), Clause("F-5.7")]
    public async Task Blobs_are_named_by_their_bytes_compressed_where_it_helps_and_sorted_by_kind()
    {
        using var repository = await Prepared.Init(_store);
        var backup = await Prepared.Backup(repository, Prepared.Folder(_scratch));

        var packs = await Prepared.Packs(repository);

        var reader = new BlobReader(repository, await repository.LoadIndex(_ct));
        foreach (var pack in packs)
        {
            Assert.Single(pack.Blobs.Select(blob => blob.Type).Distinct());
            foreach (var blob in pack.Blobs)
            {
                var plain = await reader.Read(blob.Type, blob.Id, _ct);
                Assert.Equal(blob.Id, new BlobId(SHA256.HashData(plain)));
                Assert.InRange(plain.Length, 1, 8 << 20);
                if (blob.Type == BlobType.Tree) Assert.NotEqual(0u, blob.PlainLength);
            }
        }
        var files = await Files(repository, backup);
        Assert.Empty(files["empty"].Content);
        Assert.All(files["noise.bin"].Content, id => Assert.Equal(0u, Entry(packs, id).PlainLength));
        Assert.All(files["words.txt"].Content, id => Assert.NotEqual(0u, Entry(packs, id).PlainLength));
    }

    [Fact, Clause("F-5.8")]
    public async Task A_blob_that_exists_twice_is_read_from_either_place()
    {
        using var repository = await Prepared.Init(_store);
        var folder = Prepared.Folder(_scratch);
        await Prepared.Backup(repository, folder);
        var hidden = _store.Objects.Where(found => found.Key.StartsWith("index/", StringComparison.Ordinal)).ToList();
        foreach (var index in hidden) _store.Objects.Remove(index.Key);
        foreach (var snapshot in _store.Objects.Keys.Where(key => key.StartsWith("snapshots/", StringComparison.Ordinal)).ToList())
            _store.Objects.Remove(snapshot);
        var backup = await Prepared.Backup(repository, folder);
        foreach (var index in hidden) _store.Objects.Add(index);

        var packs = await Prepared.Packs(repository);

        Assert.Contains(packs.SelectMany(pack => pack.Blobs).GroupBy(blob => blob.Id), group => group.Count() == 2);
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
        Assert.Equal(5 << 20, (int)(await Files(repository, backup))["noise.bin"].SizeBytes);
    }

    [Fact, Clause("F-7.10")]
    public async Task Hard_links_are_whole_nodes_of_one_inode()
    {
        using var repository = await Prepared.Init(_store);
        Prepared.Folder(_scratch);
        Tool.Succeed("ln", _scratch.At("source/words.txt"), _scratch.At("source/inner/linked.txt"));

        var files = await Files(repository, await Prepared.Backup(repository, _scratch.At("source")));

        Assert.Equal(files["words.txt"].Content, files["linked.txt"].Content);
        Assert.Equal((files["words.txt"].Inode, files["words.txt"].DeviceId, 2UL),
            (files["linked.txt"].Inode, files["linked.txt"].DeviceId, files["linked.txt"].Links));
    }

    [Theory, Clause("F-11.2")]
    [InlineData(1_000, true)]
    [InlineData(4_200, false)]
    public async Task Folders_that_nest_too_deep_are_refused_on_reading(int depth, bool isFine)
    {
        using var repository = await Prepared.Init(_store);
        using var source = new NestedFolders(depth);
        var backup = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, _ct);
        var snapshot = await repository.FindSnapshot(backup.SnapshotId.ToString(), SnapshotFilter.All, _ct);
        var browser = await TreeBrowser.Open(repository, _ct);
        var walked = 0;

        var refused = await Record.ExceptionAsync(async () => { await foreach (var _ in browser.Walk(snapshot, default, _ct)) walked++; });

        if (isFine) Assert.Equal((null, depth), (refused, walked));
        else Assert.Equal("repository.damaged", Assert.IsType<RepositoryException>(refused).Code);
    }

    async Task<Dictionary<string, Node>> Files(Repository repository, BackupSummary backup)
    {
        var snapshot = await repository.FindSnapshot(backup.SnapshotId.ToString(), SnapshotFilter.All, _ct);
        var files = new Dictionary<string, Node>();
        await foreach (var (path, node) in (await TreeBrowser.Open(repository, _ct)).Walk(snapshot, default, _ct))
            if (node.Type == NodeType.File) files.Add(path.Name.ToString(), node);
        return files;
    }

    static PackEntry Entry(IReadOnlyList<IndexedPack> packs, BlobId id)
        => packs.SelectMany(pack => pack.Blobs).First(blob => blob.Id == id);

    /// <summary>One folder in another, as deep as asked: deeper than a test could make on a disk.</summary>
    sealed class NestedFolders(int depth) : IItemSource, ISourceFolder
    {
        public IReadOnlyList<FilePath> Paths => [FilePath.FromText("/")];

        public ISourceFolder OpenRoot(ISourceProblems problems) => this;

        public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct) => depth == 0 ? [] :
        [
            new Node
            {
                Name = FilePath.FromText("d"), Type = NodeType.Dir, Permissions = 0x1ED, Uid = 0, Gid = 0, Links = 2,
                ModifiedAt = default, AccessedAt = default, ChangedAt = default,
            },
        ];

        public ISourceFolder? OpenFolder(Node folder, ISourceProblems problems) => new NestedFolders(depth - 1);

        public ISourceFile? OpenFile(Node file, ISourceProblems problems) => null;

        public void Dispose() => GC.SuppressFinalize(this);
    }
}
