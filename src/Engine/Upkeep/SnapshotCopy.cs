using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Memory;

namespace BackupDr.Engine.Upkeep;

/// <summary>One snapshot's copy.</summary>
/// <param name="Source">The snapshot that was to be copied.</param>
/// <param name="Copy">Its copy's id; the id of the one that was there already where nothing was written.</param>
/// <param name="WasThere">Whether the other repository had it already.</param>
/// <param name="BlobsCopied">Blobs that the other repository did not have.</param>
/// <param name="BytesCopied">Plain bytes of these blobs.</param>
public sealed record CopiedSnapshot(Snapshot Source, BlobId Copy, bool WasThere, long BlobsCopied, long BytesCopied);

/// <summary>Copies snapshots into another repository: sealed anew with its key, only the blobs that it lacks.</summary>
/// <remarks>
/// Source: docs/format/restic-v2.md, F-8. A snapshot appears when all its blobs are stored and indexed, so a copy that was cut off goes on
/// where it stopped: what an index of the other repository names is not read again. Packs are read in order, each part once and at
/// most 16 MiB at a time for each worker. Every blob is authenticated and hashed on the way.
/// </remarks>
public static class SnapshotCopy
{
    /// <summary>Copies snapshots in the given order.</summary>
    /// <param name="from">Read with a shared lock.</param>
    /// <param name="to">Written with a shared lock.</param>
    /// <param name="snapshots">Snapshots of <paramref name="from"/>.</param>
    /// <param name="done">Called after each.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="BadInputException">Both are the same repository.</exception>
    /// <exception cref="RepositoryException">Locked, LockLost or Damaged; snapshots reported so far are complete.</exception>
    public static async Task Execute(Repository from, Repository to, IReadOnlyList<Snapshot> snapshots, Action<CopiedSnapshot> done,
        CancellationToken ct)
    {
        if (from.Id == to.Id)
            throw new BadInputException("--from-repo", $"Both addresses lead to repository {to.Id[..8]}.", "Name two repositories.");
        await using var reading = await RepositoryLock.Take(from, exclusive: false, ct);
        await using var writing = await RepositoryLock.Take(to, exclusive: false, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, reading.Lost, writing.Lost);
        try
        {
            var there = await to.Snapshots(SnapshotFilter.All, stop.Token);
            var source = new BlobReader(from, await from.LoadIndex(stop.Token));
            var index = await to.LoadIndex(stop.Token);
            foreach (var snapshot in snapshots)
            {
                if (there.FirstOrDefault(other => IsCopy(other, snapshot)) is { } known)
                {
                    done(new CopiedSnapshot(snapshot, known.Id, WasThere: true, 0, 0));
                    continue;
                }
                var counters = new BackupCounters(null, to.Options.Clock);
                await CopyBlobs(from, source, to, index, snapshot.Tree, counters, stop.Token);
                var copy = snapshot with { Parent = null, Original = snapshot.Original ?? snapshot.Id };
                var id = await SnapshotPublication.Write(to, writing, copy, stop.Token) ?? throw LockLost();
                done(new CopiedSnapshot(snapshot, id, WasThere: false, counters.DataBlobs + counters.TreeBlobs, counters.BytesNew));
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested) { throw LockLost(); }
    }

    /// <summary>The same moment of the same tree under the same first id; tags and the parent may differ.</summary>
    static bool IsCopy(Snapshot there, Snapshot source)
        => (there.Original ?? there.Id) == (source.Original ?? source.Id) && there.Tree == source.Tree
        && there.Time == source.Time && there.HostName == source.HostName;

    static async Task CopyBlobs(Repository from, BlobReader source, Repository to, BlobIndex index, BlobId tree,
        BackupCounters counters, CancellationToken ct)
    {
        var wanted = new HashSet<(BlobType Type, BlobId Id)>();
        await BlobSets.Collect(source, tree, wanted, ct);
        var missing = new SortedDictionary<BlobId, List<PackEntry>>();
        foreach (var (type, id) in wanted)
        {
            if (index.Contains(type, id)) continue;
            var place = BlobReader.Find(source.Index, type, id);
            if (!missing.TryGetValue(place.Pack, out var entries)) missing[place.Pack] = entries = [];
            entries.Add(place.Entry);
        }
        var writer = new IndexWriter(to, index);
        await using var packs = new PackWriter(to, writer, opensBlobs: false);
        var stage = new BlobStage(to, index, packs, counters);
        await ParallelWork.Run(missing, from.RequestsAtOnce, async (pack, one) =>
        {
            foreach (var run in PackRuns.Of(pack.Value))
                await PackRuns.Read(from, pack.Key, run, (entry, box) => Copy(from, pack.Key, entry, box, stage, one), one);
        }, ct);
        await packs.Flush(ct);
        await writer.Flush(ct);
    }

    static async Task Copy(Repository from, BlobId pack, PackEntry entry, Memory<byte> box, BlobStage stage, CancellationToken ct)
    {
        var length = (int)entry.DecodedLength;
        var plain = from.Buffers.Rent(length);
        try
        {
            BlobReader.Open(from, pack, entry, box.Span, plain);
            await stage.Store(entry.Type, plain.AsMemory(0, length), ct);
        }
        finally { from.Buffers.Return(plain); }
    }

    static RepositoryException LockLost()
        => new(RepositoryFault.LockLost, "A repository lock was lost while snapshots were copied; the last one was not published.",
            "Run the copy again; what was stored is reused.");
}
