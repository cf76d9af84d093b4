using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>Restores of snapshots that somebody made by hand to reach out of the target: refused, listed, and everything else comes
/// back.</summary>
public sealed class HostileSnapshotTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;
    readonly FileStatus _outsideBefore;

    public HostileSnapshotTests()
    {
        _scratch.File("outside/canary", "untouched");
        _outsideBefore = Descriptor.StatOf(FilePath.FromText(_scratch.At("outside")));
    }

    public void Dispose() => _scratch.Dispose();

    static Node Entry(string name, NodeType type, BlobId? subtree = null, string linkTarget = "", params BlobId[] content) => new()
    {
        Name = FilePath.FromText(name),
        Type = type,
        Permissions = type == NodeType.Dir ? 0x1ED : 0x1A4,
        ModifiedAt = new UnixTime(1_700_000_000, 0),
        AccessedAt = new UnixTime(1_700_000_000, 0),
        ChangedAt = new UnixTime(1_700_000_000, 0),
        Uid = AccountNames.CurrentUid,
        Gid = 0,
        LinkTarget = FilePath.FromText(linkTarget),
        Subtree = subtree,
        Content = content,
        SizeBytes = content.Length == 0 ? 0 : 4UL,
    };

    /// <summary>Stores trees whatever is in them, and content "evil" and "good".</summary>
    sealed class Forge(Repository repository, CancellationToken ct)
    {
        readonly IndexWriter _index = new(repository, new BlobIndex());
        PackWriter? _packs;

        public async Task<BlobId> Blob(BlobType type, byte[] plain)
        {
            _packs ??= new PackWriter(repository, _index, opensBlobs: false);
            var id = new BlobId(SHA256.HashData(plain));
            var bench = repository.RentBench();
            try { await _packs.Add(type, id, bench.Seal(type, plain, out var plainLength), plainLength, ct); }
            finally { repository.ReturnBench(bench); }
            return id;
        }

        public Task<BlobId> Content(string four) => Blob(BlobType.Data, Encoding.UTF8.GetBytes(four));

        public Task<BlobId> Tree(params Node[] nodes) => Blob(BlobType.Tree, Encoding.UTF8.GetBytes(Text(nodes)));

        /// <summary>A tree's JSON; our writer makes none with two entries of one name, so a test changes the text.</summary>
        public static string Text(params Node[] nodes)
        {
            var json = new GoJson();
            TreeBlob.Write(nodes, json);
            return Encoding.UTF8.GetString(json.Written.Span);
        }

        public async Task<Snapshot> Publish(BlobId tree)
        {
            await _packs!.Flush(ct);
            await _index.Flush(ct);
            var snapshot = new Snapshot { Time = new UnixTime(1_700_000_000, 0), Tree = tree, Paths = ["/"], HostName = "evil" };
            await repository.WriteUnpacked(ObjectLayout.Snapshots, SnapshotFile.Write(snapshot), ct);
            return snapshot;
        }
    }

    async Task<RestoreSummary> Restore(Repository repository, Snapshot snapshot)
    {
        using var target = FileTarget.Open(FilePath.FromText(_scratch.At("target")), OverwritePolicy.Always);
        return await RestoreRun.Execute(repository, snapshot, new RestoreRequest(), target, null, _ct);
    }

    void AssertOutsideUntouched()
    {
        Assert.Equal("untouched", File.ReadAllText(_scratch.At("outside/canary")));
        Assert.Equal(["canary"], Directory.GetFileSystemEntries(_scratch.At("outside")).Select(Path.GetFileName));
        Assert.Equal(_outsideBefore.ChangedAt, Descriptor.StatOf(FilePath.FromText(_scratch.At("outside"))).ChangedAt);
    }

    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("../outside")]
    [InlineData("a/b")]
    [InlineData("/etc/evil")]
    [InlineData("")]
    public async Task A_folder_with_a_name_that_leads_elsewhere_is_refused_and_the_rest_comes_back(string name)
    {
        using var repository = await Prepared.Init(_store);
        var forge = new Forge(repository, _ct);
        var (evil, good) = (await forge.Content("evil"), await forge.Content("good"));
        var inner = await forge.Tree(Entry("evil", NodeType.File, content: evil));
        var bad = await forge.Tree(Entry(name, NodeType.Dir, inner));
        var badFile = await forge.Tree(Entry(name, NodeType.File, content: evil));
        var snapshot = await forge.Publish(await forge.Tree(Entry("bad", NodeType.Dir, bad), Entry("bad-file", NodeType.Dir, badFile),
            Entry("good", NodeType.File, content: good)));

        var summary = await Restore(repository, snapshot);

        Assert.Equal(["/bad", "/bad-file"], summary.Failed.Select(problem => problem.Path.ToString()));
        Assert.Equal("good", await File.ReadAllTextAsync(_scratch.At("target/good"), _ct));
        Assert.Empty(Directory.GetFileSystemEntries(_scratch.At("target/bad")));
        AssertOutsideUntouched();
    }

    [Fact]
    public async Task A_link_out_of_the_target_under_the_name_of_a_folder_leads_nowhere()
    {
        using var repository = await Prepared.Init(_store);
        var forge = new Forge(repository, _ct);
        var inner = await forge.Tree(Entry("evil", NodeType.File, content: await forge.Content("evil")));
        // Two entries of one name: the link first, then a folder to be filled through it.
        var text = Forge.Text(Entry("x", NodeType.Symlink, linkTarget: _scratch.At("outside")), Entry("y", NodeType.Dir, inner));
        var twice = await forge.Blob(BlobType.Tree,
            Encoding.UTF8.GetBytes(text.Replace("\"name\":\"y\"", "\"name\":\"x\"", StringComparison.Ordinal)));
        var snapshot = await forge.Publish(await forge.Tree(Entry("twice", NodeType.Dir, twice)));

        var summary = await Restore(repository, snapshot);

        Assert.Equal("/twice", Assert.Single(summary.Failed).Path.ToString());
        AssertOutsideUntouched();
    }

    [Fact]
    public async Task A_link_that_stands_where_a_folder_belongs_is_replaced_and_never_followed()
    {
        using var repository = await Prepared.Init(_store);
        var forge = new Forge(repository, _ct);
        var inner = await forge.Tree(Entry("evil", NodeType.File, content: await forge.Content("evil")));
        var snapshot = await forge.Publish(await forge.Tree(Entry("x", NodeType.Dir, inner)));
        _scratch.Folder("target");
        File.CreateSymbolicLink(_scratch.At("target/x"), _scratch.At("outside"));

        var summary = await Restore(repository, snapshot);

        Assert.Empty(summary.Failed);
        Assert.Equal("evil", await File.ReadAllTextAsync(_scratch.At("target/x/evil"), _ct));
        AssertOutsideUntouched();
    }

    [Fact]
    public async Task A_hard_link_to_a_file_that_was_swapped_for_a_link_does_not_reach_outside()
    {
        using var repository = await Prepared.Init(_store);
        var forge = new Forge(repository, _ct);
        var content = await forge.Content("evil");
        Node Linked(string name) => Entry(name, NodeType.File, content: content) with { Links = 2, Inode = 7, DeviceId = 1 };
        var snapshot = await forge.Publish(await forge.Tree(Linked("a"), Linked("b")));
        using var inner = FileTarget.Open(FilePath.FromText(_scratch.At("target")), OverwritePolicy.Always);
        using var swapping = new Swapping(inner, _scratch.At("target/a"), _scratch.At("outside/canary"));

        await RestoreRun.Execute(repository, snapshot, new RestoreRequest(), swapping, null, _ct);

        Assert.True(swapping.DidSwap);
        Assert.NotNull(File.ResolveLinkTarget(_scratch.At("target/b"), returnFinalTarget: false));   // the link itself got a second name
        AssertOutsideUntouched();
    }

    [Fact]
    public async Task Sizes_that_are_not_those_of_the_content_are_refused()
    {
        using var repository = await Prepared.Init(_store);
        var forge = new Forge(repository, _ct);
        var snapshot = await forge.Publish(await forge.Tree(
            Entry("huge", NodeType.File, content: await forge.Content("evil")) with { SizeBytes = 1UL << 62 }));

        var summary = await Restore(repository, snapshot);

        Assert.Contains("its blobs make 4", Assert.Single(summary.Failed).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_scratch.At("target/huge")));
    }

    [Fact]
    public async Task A_folder_that_holds_a_missing_tree_is_listed_and_the_rest_comes_back()
    {
        using var repository = await Prepared.Init(_store);
        var forge = new Forge(repository, _ct);
        var nowhere = new BlobId(SHA256.HashData("nowhere"u8));
        var snapshot = await forge.Publish(await forge.Tree(Entry("bad", NodeType.Dir, nowhere),
            Entry("good", NodeType.File, content: await forge.Content("good")), Entry("lost", NodeType.File, content: nowhere)));

        var summary = await Restore(repository, snapshot);

        Assert.Equal(["/bad", "/lost"], summary.Failed.Select(problem => problem.Path.ToString()));
        Assert.Equal("good", await File.ReadAllTextAsync(_scratch.At("target/good"), _ct));
    }

    /// <summary>Somebody who has the right to write in the target puts a link in a file's place before it is linked.</summary>
    sealed class Swapping(IRestoreTarget inner, string name, string linkTarget) : IRestoreTarget
    {
        public bool DidSwap { get; private set; }
        public void MakeFolder(IReadOnlyList<FilePath> path, Node folder) => inner.MakeFolder(path, folder);
        public IRestoreFile? OpenFile(IReadOnlyList<FilePath> path, Node file) => inner.OpenFile(path, file);
        public void MakeSpecial(IReadOnlyList<FilePath> path, Node node) => inner.MakeSpecial(path, node);
        public void MakeHardLink(IReadOnlyList<FilePath> path, IReadOnlyList<FilePath> existing, Node node)
        {
            File.Delete(name);
            File.CreateSymbolicLink(name, linkTarget);
            DidSwap = true;
            inner.MakeHardLink(path, existing, node);
        }
        public void FinishFolder(IReadOnlyList<FilePath> path, Node folder) => inner.FinishFolder(path, folder);
        public void Complete() => inner.Complete();
        public void Dispose() => inner.Dispose();
    }
}
