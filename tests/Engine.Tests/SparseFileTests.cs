using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>Holes are not read, and what comes of it is what reading them gives.</summary>
public sealed class SparseFileTests : IDisposable
{
    const int MiB = 1 << 20;

    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    public static TheoryData<int> Layouts => [.. Enumerable.Range(0, 6)];

    // Data as (offset, length), and the length of the file. Some borders lie within blocks and within chunks.
    static (List<(long At, int Length)> Data, long Size) Layout(int number) => number switch
    {
        0 => ([], 21 * MiB + 5),                                                              // only a hole
        1 => ([(9 * MiB + 7, 3 * MiB)], 12 * MiB + 7),                                        // at the start
        2 => ([(0, 700_000), (20 * MiB, 2 * MiB)], 22 * MiB),                                 // in the middle
        3 => ([(0, 3 * MiB)], 40 * MiB + 123_457),                                            // at the end
        4 => ([(65_536, 4096), (16 * MiB - 3, 6), (24 * MiB, 1), (25 * MiB, 65_536)], 33 * MiB),   // many short pieces
        _ => ([.. Enumerable.Range(0, 300).Select(i => (i * 131_072L, 4096))], 300 * 131_072L),    // a page in each 128 KiB
    };

    string MakeFile(string name, int layout, bool isSparse)
    {
        var (data, size) = Layout(layout);
        var path = _scratch.At(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var file = File.Create(path);
        if (isSparse) file.SetLength(size);
        else file.Write(new byte[size]);
        foreach (var (at, length) in data)
        {
            file.Position = at;
            file.Write(Prepared.Noise(length, seed: (int)(at % 1009)));
        }
        return path;
    }

    async Task<Node> Taken(Repository repository, string path, ChunkerKind chunker)
    {
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(path)] });
        var run = await BackupRun.Execute(repository, source,
            new BackupRequest { HostName = "here", Chunker = new ChunkerChoice(chunker), Force = true }, null, _ct);
        Assert.Empty(run.Missing);
        Assert.Empty(run.Remarks);
        var node = await Only(repository, run.SnapshotId);
        Assert.Equal((ulong)run.Bytes, node.SizeBytes);
        return node;
    }

    static async Task<Node> Only(Repository repository, BlobId id)
    {
        var ct = TestContext.Current.CancellationToken;
        var snapshot = await repository.FindSnapshot(id.ToString(), SnapshotFilter.All, ct);
        await foreach (var (_, node) in (await TreeBrowser.Open(repository, ct)).Walk(snapshot, default, ct))
            if (node.Type == NodeType.File) return node;
        throw new InvalidOperationException("The snapshot holds no file.");
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Holes_give_the_blobs_that_the_same_zeros_give(int layout)
    {
        var (sparse, dense) = (MakeFile("sparse/file", layout, isSparse: true), MakeFile("dense/file", layout, isSparse: false));
        var status = Descriptor.StatOf(FilePath.FromText(sparse));
        Assert.True(status.AllocatedBytes < status.SizeBytes / 2, "The file system of the test keeps no holes.");
        using var repository = await Prepared.Init(new MemoryStore());
        foreach (var chunker in (ChunkerKind[])[ChunkerKind.FastCdc, ChunkerKind.Rabin, ChunkerKind.Fixed])
        {
            var plain = Cut.Ids(Chunker(chunker, repository), await File.ReadAllBytesAsync(dense, _ct));

            Assert.Equal(plain, (await Taken(repository, dense, chunker)).Content);
            Assert.Equal(plain, (await Taken(repository, sparse, chunker)).Content);
        }
    }

    static IChunker Chunker(ChunkerKind kind, Repository repository) => kind switch
    {
        ChunkerKind.FastCdc => new FastCdc(),
        ChunkerKind.Rabin => new Rabin(repository.ChunkerPolynomial),
        _ => new FixedSize(FixedSize.DefaultBytes),
    };

    [Fact]
    public void A_run_of_zeros_is_cut_where_each_chunker_says()
    {
        IChunker[] chunkers = [new FastCdc(), new Rabin(0x3DA3358B4DC173), new Rabin(0x2482734cacca49), new FixedSize(64 << 10)];
        foreach (var chunker in chunkers)
        {
            Assert.Equal(chunker.ZeroChunk, Cut.Lengths(chunker, new byte[chunker.Maximum * 2])[0]);
            byte[] followed = [.. new byte[chunker.ZeroChunk], .. Prepared.Noise(chunker.Maximum, seed: 3)];
            Assert.Equal(chunker.ZeroChunk, Cut.Lengths(chunker, followed)[0]);
        }
    }

    [Fact]
    public async Task Sparse_files_have_the_blobs_that_stock_restic_gives_them()
    {
        for (var layout = 0; layout < Layouts.Count; layout++) MakeFile($"source/{layout}", layout, isSparse: true);
        var restic = new ResticCli(_scratch.At("repo"), Prepared.PasswordText, _scratch.At("cache"));
        restic.Succeed("init");
        restic.Backup(_scratch.At("source"));
        using var repository = await Prepared.Open(new FolderStore(FilePath.FromText(_scratch.At("repo")), TimeProvider.System));
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(_scratch.At("source"))] });

        await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here", Force = true }, null, _ct);

        var snapshots = await repository.Snapshots(SnapshotFilter.All, _ct);
        var (theirs, ours) = (await Contents(repository, snapshots[0]), await Contents(repository, snapshots[1]));
        Assert.Equal(Layouts.Count, theirs.Count);
        Assert.Equal(theirs, ours);
    }

    static async Task<List<string>> Contents(Repository repository, Snapshot snapshot)
    {
        var contents = new List<string>();
        var browser = await TreeBrowser.Open(repository, TestContext.Current.CancellationToken);
        await foreach (var (path, node) in browser.Walk(snapshot, default, TestContext.Current.CancellationToken))
            if (node.Type == NodeType.File) contents.Add($"{path} {node.SizeBytes} {string.Join(' ', node.Content)}");
        return contents;
    }

    [Fact]
    public async Task A_file_of_gibibytes_with_data_behind_four_of_them_is_taken_and_restored_with_its_holes()
    {
        const long size = (6L << 30) + 12_345, at = (4L << 30) + 99_999;
        var path = _scratch.At("source/large");
        _scratch.Folder("source");
        var data = Prepared.Noise(2 * MiB, seed: 5);
        await using (var file = File.Create(path))
        {
            file.SetLength(size);
            file.Position = at;
            await file.WriteAsync(data, _ct);
        }
        using var repository = await Prepared.Init(new MemoryStore());

        var node = await Taken(repository, path, ChunkerKind.FastCdc);
        var snapshot = Assert.Single(await repository.Snapshots(SnapshotFilter.All, _ct));
        using var target = FileTarget.Open(FilePath.FromText(_scratch.At("restored")), OverwritePolicy.Never);
        var restored = await RestoreRun.Execute(repository, snapshot, new RestoreRequest(), target, null, _ct);

        Assert.Equal((ulong)size, node.SizeBytes);
        Assert.InRange(node.Content.Count, size / (8 * MiB), size / (8 * MiB) + 16);
        Assert.Empty(restored.Failed);
        var copy = FilePath.FromText(_scratch.At("restored") + path);
        Assert.InRange(Descriptor.StatOf(copy).AllocatedBytes, data.Length, data.Length + 2 * MiB);
        using var opened = Descriptor.Open(copy, OpenFlags.ReadOnly);
        Assert.Equal(size, opened.Stat().SizeBytes);
        Assert.InRange(opened.NextData(0) ?? 0, at - 4096, at);
        var read = new byte[data.Length];
        Assert.Equal(read.Length, opened.FillAt(at, read));
        Assert.Equal(data, read);
        Assert.Null(opened.NextData((at + data.Length + 4095) / 4096 * 4096));
    }
}
