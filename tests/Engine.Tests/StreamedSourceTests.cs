using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>A source that hands its files over as they come, instead of being walked.</summary>
public sealed class StreamedSourceTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    static Node Meta(NodeType type) => new()
    {
        Name = FilePath.FromText("x"),
        Type = type,
        Permissions = 0x1C0,   // 0700
        ModifiedAt = UnixTime.From(DateTimeOffset.UnixEpoch),
        AccessedAt = UnixTime.From(DateTimeOffset.UnixEpoch),
        ChangedAt = UnixTime.From(DateTimeOffset.UnixEpoch),
        Uid = 0,
        Gid = 0,
    };

    sealed class Streamed(Func<IStreamTarget, CancellationToken, Task> body) : IStreamedSource
    {
        public IReadOnlyList<FilePath> Paths { get; } = [FilePath.FromText("/stream")];
        public Task Stream(IStreamTarget target, ISourceProblems problems, CancellationToken ct) => body(target, ct);
        public void Dispose() => GC.SuppressFinalize(this);
    }

    async Task<BackupSummary> Run(Repository repository, Func<IStreamTarget, CancellationToken, Task> body)
    {
        using var source = new Streamed(body);
        return await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, _ct);
    }

    [Fact]
    public async Task Files_that_come_mixed_are_put_together_and_found_equal_the_next_time()
    {
        var (one, other) = (Prepared.Noise(100_000, seed: 1), Prepared.Noise(3 << 20, seed: 2));
        using var repository = await Prepared.Init(new MemoryStore());
        async Task Body(IStreamTarget target, CancellationToken ct)
        {
            target.AddFolder(FilePath.FromText("/d"), Meta(NodeType.Dir));
            target.AddFolder(FilePath.FromText("/d/e"), Meta(NodeType.Dir));
            var first = target.Begin(FilePath.FromText("/d/e/one"), 16 << 10);
            var second = target.Begin(FilePath.FromText("/d/other"), null);
            for (var at = 0; at < other.Length; at += 70_000)
            {
                if (at < one.Length) await first.Append(one.AsMemory(at, Math.Min(70_000, one.Length - at)), ct);
                await second.Append(other.AsMemory(at, Math.Min(70_000, other.Length - at)), ct);
            }
            await first.AppendZeros(50_000, ct);
            await first.Append(new byte[] { 1 }, ct);
            Assert.Equal(150_001, first.LengthBytes);
            await first.End(Meta(NodeType.File), ct);
            await second.End(Meta(NodeType.File), ct);
            await target.Begin(FilePath.FromText("/d/empty"), 16 << 10).End(Meta(NodeType.File), ct);
            foreach (var name in (string[])["/d/gone", "/d/before"])
            {
                var file = target.Begin(FilePath.FromText(name), 1 << 20);
                await file.Append(one, ct);
                await file.End(Meta(NodeType.File), ct);
            }
            Assert.True(target.Remove(FilePath.FromText("/d/gone")));
            Assert.False(target.Remove(FilePath.FromText("/d/gone")));
            Assert.True(target.Rename(FilePath.FromText("/d/before"), FilePath.FromText("/d/e/after")));
            await target.Begin(FilePath.FromText("/d/unfinished"), 16 << 10).Append(one, ct);
        }

        var run = await Run(repository, Body);
        var again = await Run(repository, Body);

        Assert.Equal((4, 4, run.TreeId), (run.FilesNew, again.FilesUnmodified, again.TreeId));
        Assert.Equal(0, again.BytesNew);
        var snapshot = await repository.FindSnapshot(run.SnapshotId.ToString(), SnapshotFilter.All, _ct);
        var browser = await TreeBrowser.Open(repository, _ct);
        Assert.Equal(["e", "empty", "other"], (await browser.List(snapshot, FilePath.FromText("/d"), _ct)).Select(node => $"{node.Name}"));
        var below = await browser.List(snapshot, FilePath.FromText("/d/e"), _ct);
        Assert.Equal([("after", 100_000UL, 1), ("one", 150_001UL, 10)],
            below.Select(node => (node.Name.ToString(), node.SizeBytes, node.Content.Count)));
        byte[] whole = [.. one, .. new byte[50_000], 1];
        Assert.Equal(whole, await Content(repository, below[1]));
        Assert.Equal(other, await Content(repository, (await browser.List(snapshot, FilePath.FromText("/d"), _ct))[2]));
    }

    async Task<byte[]> Content(Repository repository, Node node)
    {
        var reader = new Blobs.BlobReader(repository, await repository.LoadIndex(_ct));
        var bytes = new List<byte>();
        foreach (var id in node.Content) bytes.AddRange(await reader.Read(Blobs.BlobType.Data, id, _ct));
        return [.. bytes];
    }

    [Fact]
    public async Task A_stream_that_fails_publishes_nothing()
    {
        using var repository = await Prepared.Init(new MemoryStore());

        var e = await Assert.ThrowsAsync<InvalidDataException>(() => Run(repository, async (target, ct) =>
        {
            var file = target.Begin(FilePath.FromText("/a"), 16 << 10);
            await file.Append(Prepared.Noise(200_000, seed: 3), ct);
            throw new InvalidDataException("it broke off");
        }));

        Assert.Equal("it broke off", e.Message);
        Assert.Empty(await repository.Snapshots(SnapshotFilter.All, _ct));
    }
}
