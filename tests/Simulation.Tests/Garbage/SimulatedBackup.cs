using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Locks;

namespace BackupDr.Simulation.Tests.Garbage;

/// <summary>A backup by the engine's own parts, of a few of a dozen contents that all writers share.</summary>
static class SimulatedBackup
{
    const int Contents = 12;
    static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Writes what is not there yet, and the snapshot; its id, or null where it was not published.</summary>
    /// <param name="repository">Where to.</param>
    /// <param name="ours">Our lock; null for the stock program, which knows nothing of marks.</param>
    /// <param name="random">All chance.</param>
    /// <param name="clock">The world's.</param>
    /// <param name="needs">Gets what the new snapshot needs, by its tree.</param>
    public static async Task<BlobId?> Write(Repository repository, RepositoryLock? ours, Random random, WorldClock clock,
        Dictionary<BlobId, HashSet<BlobId>> needs)
    {
        Task Pause(int mostSeconds) => Task.Delay(TimeSpan.FromSeconds(random.Next(1, mostSeconds)), clock);
        var marks = ours is null ? null : await MarkSet.Load(repository, None);
        await repository.Snapshots(SnapshotFilter.All, None);
        var index = marks is null ? await repository.LoadIndex(None) : await marks.LoadTrusted(repository, None);
        if (ours is not null) await ours.Settle(None);
        var indexWriter = new IndexWriter(repository, index);
        await using var packs = new PackWriter(repository, indexWriter, opensBlobs: false);
        var stage = new BlobStage(repository, index, packs, new BackupCounters(null, clock));
        var content = new List<BlobId>();
        foreach (var number in Enumerable.Range(0, Contents).OrderBy(_ => random.Next()).Take(5).Order())
            content.Add(await stage.Store(BlobType.Data, Enumerable.Repeat((byte)(number + 1), 64 + number).ToArray(), None));
        if (random.Next(3) == 0) await Pause(random.Next(8) == 0 ? 2_000 : 15);
        var tree = await stage.Store(BlobType.Tree, Tree(content), None);
        await packs.Flush(None);
        await indexWriter.Flush(None);
        needs[tree] = [.. content, tree];
        if (random.Next(3) == 0) await Pause(15);
        var snapshot = new Snapshot { Time = UnixTime.From(clock.GetUtcNow()), Tree = tree, Paths = ["/a"] };
        // Or the lock was lost.
        if (ours is not null) return await SnapshotPublication.Write(repository, ours, snapshot, None);
        return await repository.WriteUnpacked(ObjectLayout.Snapshots, SnapshotFile.Write(snapshot), None);
    }

    static ReadOnlyMemory<byte> Tree(List<BlobId> content)
    {
        var json = new GoJson();
        TreeBlob.Write([new Node
        {
            Name = FilePath.FromText("file"),
            Type = NodeType.File,
            Permissions = 0x1A4,
            ModifiedAt = default,
            AccessedAt = default,
            ChangedAt = default,
            Uid = 0,
            Gid = 0,
            Content = content,
        }], json);
        return json.Written.ToArray();
    }
}
