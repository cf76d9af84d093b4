using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources;
using BackupDr.Sources.Files;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>A writer that writes while a backup reads. It acts between two reads of the backup, so the order is always the same.</summary>
public sealed class ChangingFileTests : IDisposable
{
    const int MiB = 1 << 20;

    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;
    readonly string _path;

    public ChangingFileTests()
    {
        _path = _scratch.At("source/file");
        _scratch.Folder("source");
        File.WriteAllBytes(_path, Prepared.Noise(3 * MiB, seed: 1));
        File.SetLastWriteTimeUtc(_path, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
    }

    public void Dispose() => _scratch.Dispose();

    async Task<(BackupSummary Run, Node? Node)> Backup(Action<Reads> between)
    {
        using var repository = await Prepared.Init(new MemoryStore());
        using var source = new Watched(FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(_path)] }), between);
        var run = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, _ct);
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors);
        var snapshot = await repository.FindSnapshot(run.SnapshotId.ToString(), SnapshotFilter.All, _ct);
        var browser = await TreeBrowser.Open(repository, _ct);
        Node? node = null;
        await foreach (var (_, found) in browser.Walk(snapshot, default, _ct))
            if (found.Type == NodeType.File) node = found;
        Assert.Equal(node?.SizeBytes ?? 0, (ulong)run.Bytes);
        return (run, node);
    }

    List<string> Chunks() => [.. Cut.Ids(new Chunking.FastCdc(), File.ReadAllBytes(_path)).Select(id => id.ToString())];

    static List<string> Chunks(Node? node) => [.. node!.Content.Select(id => id.ToString())];

    [Fact]
    public async Task A_file_that_changes_once_is_read_again_and_taken_as_it_is_then()
    {
        var (run, node) = await Backup(reads =>
        {
            if (reads is { Reading: 1, Offset: > 0, IsFirstThere: true }) File.WriteAllBytes(_path, Prepared.Noise(2 * MiB, seed: 2));
        });

        Assert.Equal(Chunks(), Chunks(node));
        Assert.Empty(run.Remarks);
        Assert.Equal((0, 1, 1), (run.FilesUnsettled, run.FilesNew, run.Files));
    }

    [Fact]
    public async Task A_change_of_the_same_length_shows_by_its_time()
    {
        var (run, node) = await Backup(reads =>
        {
            if (reads is not { Reading: 1, Offset: > 0, IsFirstThere: true }) return;
            File.WriteAllBytes(_path, Prepared.Noise(3 * MiB, seed: 3));
            File.SetLastWriteTimeUtc(_path, new DateTime(2020, 1, 2, 0, 0, 0, DateTimeKind.Utc));
        });

        Assert.Equal(Chunks(), Chunks(node));
        Assert.Equal(0, run.FilesUnsettled);
    }

    [Fact]
    public async Task A_file_that_never_holds_still_is_kept_as_read_and_named()
    {
        var (run, node) = await Backup(reads =>
        {
            if (reads.Offset < 3 * MiB) File.AppendAllText(_path, "one more line\n");
        });

        Assert.Equal(1, run.FilesUnsettled);
        Assert.Equal(_path, Assert.Single(run.Remarks).Path.ToString());
        Assert.True(run.IsComplete);
        Assert.InRange(node!.SizeBytes, 3UL * MiB, (ulong)new FileInfo(_path).Length);
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_again_is_kept_as_read_first()
    {
        var before = Chunks();

        var (run, node) = await Backup(reads =>
        {
            if (reads.Reading == 1) File.SetLastWriteTimeUtc(_path, new DateTime(2020, 1, 2, 0, 0, 0, DateTimeKind.Utc));
            else if (reads.Offset > MiB) throw new SourceException("source.gone", "The device is gone.");
        });

        Assert.Equal(before, Chunks(node));
        Assert.Equal(1, run.FilesUnsettled);
        Assert.Contains("The device is gone", Assert.Single(run.Remarks).Message, StringComparison.Ordinal);
        Assert.Empty(run.Missing);
    }

    [Fact]
    public async Task A_file_that_fails_at_the_first_reading_is_missing_and_none_of_it_counts()
    {
        var (run, node) = await Backup(reads =>
        {
            if (reads.Offset > MiB) throw new SourceException("source.gone", "The device is gone.");
        });

        Assert.Null(node);
        Assert.Equal(_path, Assert.Single(run.Missing).Path.ToString());
    }

    [Fact]
    public async Task A_large_file_is_not_read_again()
    {
        using (var file = File.OpenWrite(_path)) file.SetLength((1L << 30) + MiB);   // all but its start is a hole
        var readings = 0;

        var (run, _) = await Backup(reads =>
        {
            readings = reads.Reading;
            if (reads.IsFirstThere && reads.Offset == 0) File.AppendAllText(_path, "one more line\n");
        });

        Assert.Equal(1, readings);
        Assert.Equal(1, run.FilesUnsettled);
    }

    /// <summary>Where a reader is.</summary>
    /// <param name="Reading">How often it has begun at the start, counted in calls of Stat before a first read.</param>
    /// <param name="Offset">Where it reads now.</param>
    /// <param name="IsFirstThere">Whether this reading did not read there before.</param>
    readonly record struct Reads(int Reading, long Offset, bool IsFirstThere);

    sealed class Watched(IItemSource inner, Action<Reads> between) : IItemSource
    {
        public IReadOnlyList<FilePath> Paths => inner.Paths;
        public ISourceFolder OpenRoot(ISourceProblems problems) => new WatchedFolder(inner.OpenRoot(problems), between);
        public void Dispose() => inner.Dispose();
    }

    sealed class WatchedFolder(ISourceFolder inner, Action<Reads> between) : ISourceFolder
    {
        public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct) => inner.List(problems, ct);
        public ISourceFolder? OpenFolder(Node folder, ISourceProblems problems)
            => inner.OpenFolder(folder, problems) is { } opened ? new WatchedFolder(opened, between) : null;
        public ISourceFile? OpenFile(Node file, ISourceProblems problems)
            => inner.OpenFile(file, problems) is { } opened ? new WatchedFile(opened, between) : null;
        public void Dispose() => inner.Dispose();
    }

    sealed class WatchedFile(ISourceFile inner, Action<Reads> between) : ISourceFile
    {
        readonly HashSet<long> _seen = [];
        int _reading;
        bool _isRead;

        public long SizeBytes => inner.SizeBytes;

        public int Read(long offset, Span<byte> target)
        {
            _isRead = true;
            between(new Reads(_reading, offset, _seen.Add(offset)));
            return inner.Read(offset, target);
        }

        public long ZerosAt(long offset) => inner.ZerosAt(offset);

        // The pipeline asks before it reads and after: the first is the start of a reading.
        public Node Stat()
        {
            if (!_isRead) { _reading++; _seen.Clear(); }
            _isRead = false;
            return inner.Stat();
        }

        public void Dispose() => inner.Dispose();
    }
}
