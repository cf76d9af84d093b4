using System.Globalization;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Memory;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.Files;
using BackupDr.Storage.Folder;
using BackupDr.TestKit;

namespace BackupDr.Engine.Tests;

/// <summary>A folder with so many entries that its tree is larger than any buffer that is kept.</summary>
public sealed class WideFolderTests : IDisposable
{
    static readonly int Entries = Nightly.Or(100_000, 1_000_000);

    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"entry {number:d7} with a name of usual length");

    static string Content(int number) => string.Create(CultureInfo.InvariantCulture, $"content {number % 1000}");

    /// <summary>Takes every hundredth file; in the long run all of them.</summary>
    sealed class Some : IRestoreFilter
    {
        public int Taken { get; private set; }

        public RestoreMatch Match(IReadOnlyList<FilePath> path, bool isFolder)
        {
            var isTaken = Nightly.IsOn || isFolder || path[^1].ToString().Contains("00 ", StringComparison.Ordinal);
            if (isTaken && !isFolder) Taken++;
            return new RestoreMatch(isTaken, IsEntered: true);
        }

        public IReadOnlyList<Problem> Unmatched => [];
    }

    [Fact]
    public async Task A_folder_of_a_hundred_thousand_entries_is_taken_checked_listed_and_restored()
    {
        var restic = new ResticCli(_scratch.At("repository"), Prepared.PasswordText, _scratch.At("cache"));
        using var repository = await Prepared.Init(new FolderStore(FilePath.FromText(_scratch.At("repository")), TimeProvider.System));
        using var source = new WideSource();

        var run = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, _ct);
        var again = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, _ct);
        var check = await RepositoryCheck.Execute(repository, readData: true, null, _ct);
        var snapshot = await repository.FindSnapshot(run.SnapshotId.ToString(), SnapshotFilter.All, _ct);
        using var target = FileTarget.Open(FilePath.FromText(_scratch.At("restored")), OverwritePolicy.Never, durable: false);
        var filter = new Some();
        var restored = await RestoreRun.Execute(repository, snapshot, new RestoreRequest { Filter = filter }, target, null, _ct);

        Assert.Equal((Entries, 0), (run.FilesNew, run.Missing.Count));
        Assert.Equal((Entries, 0), (again.FilesUnmodified, again.FilesChanged));
        Assert.Empty(check.Errors);
        Assert.Empty(restored.Failed);
        await AssertRestored(filter.Taken);
        await AssertContents(repository, snapshot);
        restic.Succeed("check");
        Assert.Equal(Entries, restic.Succeed("ls", run.SnapshotId.ToString()).Split('\n')
            .Count(line => line.Contains("entry ", StringComparison.Ordinal)));
    }

    async Task AssertRestored(int expected)
    {
        var files = new DirectoryInfo(_scratch.At("restored/wide")).EnumerateFiles().ToList();
        Assert.InRange(expected, Entries / 100, Entries);
        Assert.Equal(expected, files.Count);
        foreach (var file in files)
        {
            var number = int.Parse(file.Name.AsSpan(6, 7), NumberStyles.None, CultureInfo.InvariantCulture);
            Assert.Equal(Name(number), file.Name);
            Assert.Equal(Content(number), await File.ReadAllTextAsync(file.FullName, _ct));
        }
    }

    async Task AssertContents(Repository repository, Snapshot snapshot)
    {
        var ids = Enumerable.Range(0, 1000).Select(i => Cut.Ids(new Chunking.FastCdc(), Encoding.UTF8.GetBytes(Content(i)))[0]).ToList();
        var number = 0;
        await foreach (var (path, node) in (await TreeBrowser.Open(repository, _ct)).Walk(snapshot, default, _ct))
        {
            if (node.Type != NodeType.File) continue;
            Assert.Equal(Name(number), path.Name.ToString());
            Assert.Equal(ids[number++ % 1000], Assert.Single(node.Content));
        }
        Assert.Equal(Entries, number);
    }

    [Fact]
    public void What_is_longer_than_the_pool_keeps_is_handed_out_and_forgotten()
    {
        var pool = new BufferPool();
        var (large, small) = (pool.Rent((32 << 20) + 1), pool.Rent(32 << 20));

        pool.Return(large);
        pool.Return(small);

        Assert.NotSame(large, pool.Rent((32 << 20) + 1));
        Assert.Same(small, pool.Rent(32 << 20));
    }
    /// <summary>The folder, made up: as files on a disk they would be most of what the test waits for.</summary>
    sealed class WideSource : IItemSource, ISourceFolder
    {
        readonly bool _isTop;

        public WideSource(bool isTop = true) => _isTop = isTop;

        public IReadOnlyList<FilePath> Paths => [FilePath.FromText("/wide")];

        public ISourceFolder OpenRoot(ISourceProblems problems) => this;

        public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct)
            => _isTop ? [Of("wide", NodeType.Dir, 0)] : [.. Enumerable.Range(0, Entries).Select(i => Of(Name(i), NodeType.File, i))];

        static Node Of(string name, NodeType type, int number) => new()
        {
            Name = FilePath.FromText(name),
            Type = type,
            Permissions = 0x1ED,
            ModifiedAt = new UnixTime(1_700_000_000 + number, 123_456_789),
            AccessedAt = new UnixTime(1_700_000_000 + number, 123_456_789),
            ChangedAt = new UnixTime(1_700_000_000, 987_654_321),
            Uid = 0,
            Gid = 0,
            User = "root",
            Group = "root",
            Inode = (ulong)number + 1_000_000,
            DeviceId = 64_768,
            SizeBytes = type == NodeType.File ? (ulong)Content(number).Length : 0,
            Links = type == NodeType.File ? 1UL : 0,
        };

        public ISourceFolder? OpenFolder(Node folder, ISourceProblems problems) => new WideSource(isTop: false);

        public ISourceFile? OpenFile(Node file, ISourceProblems problems) => new WideFile(file);

        public void Dispose() => GC.SuppressFinalize(this);
    }

    sealed class WideFile(Node node) : ISourceFile
    {
        readonly byte[] _content = Encoding.UTF8.GetBytes(Content((int)(node.Inode - 1_000_000)));

        public long SizeBytes => _content.Length;

        public int Read(long offset, Span<byte> target)
        {
            var rest = _content.AsSpan((int)Math.Min(offset, _content.Length));
            rest = rest[..Math.Min(rest.Length, target.Length)];
            rest.CopyTo(target);
            return rest.Length;
        }

        public Node Stat() => node;

        public void Dispose() => GC.SuppressFinalize(this);
    }
}
