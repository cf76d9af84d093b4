using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Sources;
using BackupDr.Sources.Files;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>What a database's source asks of the engine: files that come last, chunks of its own size, a word against
/// "unchanged".</summary>
public sealed class ClosingSourceTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task What_closes_a_backup_is_read_after_everything_else()
    {
        File.WriteAllBytes(_scratch.At("a.last"), []);
        File.WriteAllBytes(_scratch.At("b"), Prepared.Noise(3 << 20, seed: 1));
        using var repository = await Prepared.Init(new MemoryStore());
        using var source = new Closing(_scratch.Path);

        var run = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, _ct);

        Assert.Equal(["read b", "closed", "opened a.last"], source.Log.Distinct());
        Assert.Equal(2, run.Files);
        var snapshot = await repository.FindSnapshot(run.SnapshotId.ToString(), SnapshotFilter.All, _ct);
        var browser = await TreeBrowser.Open(repository, _ct);
        var nodes = await browser.List(snapshot, _scratch.FilePath, _ct);
        Assert.Equal([("a.last", 4UL), ("b", 3UL << 20)], nodes.Select(node => (node.Name.ToString(), node.SizeBytes)));
        Assert.Equal(48, nodes[1].Content.Count);   // 3 MiB in chunks of 64 KiB
    }

    [Fact]
    public async Task What_the_source_does_not_trust_is_read_again_and_what_never_came_into_being_is_left_out()
    {
        File.WriteAllBytes(_scratch.At("a.last"), []);
        File.WriteAllBytes(_scratch.At("b"), [1, 2, 3]);
        using var repository = await Prepared.Init(new MemoryStore());
        async Task<(Closing, BackupSummary)> Run(bool settled)
        {
            using var source = new Closing(_scratch.Path) { Settled = settled, GivesLast = false };
            return (source, await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, _ct));
        }
        await Run(settled: true);

        var (trusting, first) = await Run(settled: true);
        var (doubting, second) = await Run(settled: false);

        Assert.Equal(["closed", "opened a.last"], trusting.Log);
        Assert.Equal(["read b", "closed", "opened a.last"], doubting.Log.Distinct());
        Assert.Equal((1, 1), (first.Files, second.Files));
    }

    [Fact]
    public async Task Where_closing_fails_nothing_is_published()
    {
        File.WriteAllBytes(_scratch.At("b"), [1]);
        using var repository = await Prepared.Init(new MemoryStore());
        using var source = new Closing(_scratch.Path) { Failure = new SourceException("postgres.session_lost", "gone") };

        await Assert.ThrowsAsync<SourceException>(()
            => BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, _ct));

        Assert.Empty(await repository.Snapshots(SnapshotFilter.All, _ct));
    }

    sealed class Closing(string folder) : IClosingSource
    {
        readonly FileSource _files = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(folder)] });

        public List<string> Log { get; } = [];
        public bool Settled { get; init; } = true;
        public bool GivesLast { get; init; } = true;
        public Exception? Failure { get; init; }
        public IReadOnlyList<FilePath> Paths => _files.Paths;

        public ISourceFolder OpenRoot(ISourceProblems problems) => new Folder(this, _files.OpenRoot(problems));
        public bool IsSettled(FilePath path, Node file) => Settled;
        public bool IsClosing(FilePath path) => path.ToString().EndsWith(".last", StringComparison.Ordinal);

        public Task Close(ISourceProblems problems, CancellationToken ct)
        {
            Log.Add("closed");
            return Failure is null ? Task.CompletedTask : Task.FromException(Failure);
        }

        public ISourceFile? OpenClosing(FilePath path, ISourceProblems problems)
        {
            Log.Add($"opened {path.Name}");
            return GivesLast ? new Last() : null;
        }

        public ISourceFolder OpenClosingFolder(FilePath path, ISourceProblems problems) => _files.OpenRoot(problems);

        public void Dispose() => _files.Dispose();

        sealed class Folder(Closing source, ISourceFolder inner) : ISourceFolder
        {
            public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct) => inner.List(problems, ct);
            public ISourceFolder? OpenFolder(Node folder, ISourceProblems problems)
                => inner.OpenFolder(folder, problems) is { } opened ? new Folder(source, opened) : null;
            public ISourceFile? OpenFile(Node file, ISourceProblems problems)
                => inner.OpenFile(file, problems) is { } opened ? new Read(source, opened) : null;
            public void Dispose() => inner.Dispose();
        }

        sealed class Read(Closing source, ISourceFile inner) : ISourceFile
        {
            public long SizeBytes => inner.SizeBytes;
            public int? ChunkBytes => 64 << 10;

            int ISourceFile.Read(long offset, Span<byte> target)
            {
                lock (source.Log) source.Log.Add("read b");
                return inner.Read(offset, target);
            }

            public Node Stat() => inner.Stat();
            public void Dispose() => inner.Dispose();
        }

        sealed class Last : ISourceFile
        {
            public long SizeBytes => 4;

            public int Read(long offset, Span<byte> target)
            {
                if (offset > 0) return 0;
                "last"u8.CopyTo(target);
                return 4;
            }

            public Node Stat() => new()
            {
                Name = FilePath.FromText("a.last"),
                Type = NodeType.File,
                Permissions = 0x180,
                ModifiedAt = default,
                AccessedAt = default,
                ChangedAt = default,
                Uid = 0,
                Gid = 0,
            };

            public void Dispose() => GC.SuppressFinalize(this);
        }
    }
}
