using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.Tiers;

/// <summary>What is to be moved where.</summary>
/// <param name="Class">The store's word for the class.</param>
/// <param name="OlderThan">Least time since a pack was stored, or moved last.</param>
/// <param name="IsDryRun">Plans only.</param>
public sealed record TierRequest(string Class, TimeSpan OlderThan, bool IsDryRun = false);

/// <summary>What was moved, and what stayed and why. Bytes are stored bytes.</summary>
public sealed record TierReport
{
    /// <summary>Packs moved, or in a dry run to be moved.</summary>
    public int Moved { get; init; }
    /// <summary>Their bytes.</summary>
    public long MovedBytes { get; init; }
    /// <summary>Packs that lie in the class already.</summary>
    public int There { get; init; }
    /// <summary>Packs that are younger than was asked for.</summary>
    public int Young { get; init; }
    /// <summary>Packs that stay because the days that their class charges at least are not over.</summary>
    public int Early { get; init; }
    /// <summary>Packs that stay because they would have to be thawed first.</summary>
    public int Archived { get; init; }
    /// <summary>Packs with folders in them, which every command reads: they are never moved.</summary>
    public int WithFolders { get; init; }
    /// <summary>Packs that no index names, or that are about to be removed.</summary>
    public int Garbage { get; init; }
}

/// <summary>How far it is.</summary>
/// <param name="Done">Packs moved.</param>
/// <param name="Total">Packs to move.</param>
/// <param name="BytesDone">Their bytes moved.</param>
/// <param name="BytesTotal">Their bytes to move.</param>
public readonly record struct TierProgress(int Done, int Total, long BytesDone, long BytesTotal);

/// <summary>Moves packs that hold nothing but content of files into another class, by age. What every command needs stays where it
/// is.</summary>
/// <remarks>It holds nothing but a shared lock. One that was stopped is continued by running it again: what is moved lies there.</remarks>
public static class TierRun
{
    const int AtOnce = 8;

    /// <summary>Moves.</summary>
    /// <exception cref="StoreException">Unusable: the store has no classes, or not this one.</exception>
    /// <exception cref="RepositoryException">Locked exclusively; an index file is damaged.</exception>
    public static async Task<TierReport> Execute(Repository repository, TierRequest request, IProgress<TierProgress>? progress,
        CancellationToken ct)
    {
        var store = repository.Store;
        if (store.Tiers is not { } tiers)
            throw new StoreException(StoreFault.Unusable, $"{store.Url} has no storage classes.", "Buckets and containers have.");
        if (store.Locks?.Rule is not null)
            throw new StoreException(StoreFault.Unusable,
                $"Objects in {store.Url} are locked: a move would leave the old version in its class until its retention is over.",
                "Let a lifecycle rule of the bucket move what begins with data/: it moves in place.");
        await using var held = await RepositoryLock.Take(repository, LockKind.Shared, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, held.Lost);
        var (report, chosen) = await Plan(repository, tiers, request, stop.Token);
        if (request.IsDryRun) return report;
        var (done, bytes) = (0, 0L);
        await ParallelWork.Run(chosen, AtOnce, async (pack, token) =>
        {
            try { await tiers.Move(pack.Name, request.Class, token); }
            catch (StoreException e) when (e.Fault == StoreFault.Missing) { /* A prune was quicker. */ }
            progress?.Report(new TierProgress(Interlocked.Increment(ref done), chosen.Count, Interlocked.Add(ref bytes, pack.SizeBytes),
                report.MovedBytes));
        }, stop.Token);
        return report;
    }

    static async Task<(TierReport Report, List<StoredObject> Chosen)> Plan(Repository repository, IObjectTiers tiers, TierRequest request,
        CancellationToken ct)
    {
        var marks = await MarkSet.Load(repository, ct);
        var (data, mixed) = (new HashSet<BlobId>(), new HashSet<BlobId>());
        await foreach (var pack in IndexScan.Packs(repository, ct))
            (pack.Blobs.All(blob => blob.Type == BlobType.Data) ? data : mixed).Add(pack.Id);
        var now = repository.Options.Clock.GetUtcNow() + (repository.Store.ClockDifference ?? TimeSpan.Zero);
        var (report, chosen) = (new TierReport(), new List<StoredObject>());
        await foreach (var listed in tiers.List(ObjectLayout.Data, ct))
        {
            if (!ObjectLayout.TryId(listed.Object, out var id)) continue;
            if (mixed.Contains(id)) report = report with { WithFolders = report.WithFolders + 1 };
            else if (!data.Contains(id) || marks.Packs.Contains(id)) report = report with { Garbage = report.Garbage + 1 };
            else if (listed.Class == request.Class) report = report with { There = report.There + 1 };
            else if (listed.IsArchived) report = report with { Archived = report.Archived + 1 };
            else if (Age(listed) < request.OlderThan) report = report with { Young = report.Young + 1 };
            else if (ClassTerms.Of(listed.Class)?.DaysLeft(listed.Since, now) > 0) report = report with { Early = report.Early + 1 };
            else
            {
                chosen.Add(listed.Object);
                report = report with { Moved = report.Moved + 1, MovedBytes = report.MovedBytes + listed.Object.SizeBytes };
            }
        }
        return (report, chosen);

        // The store tells its time in whole seconds, and so what was stored a moment ago may lie in the future.
        TimeSpan Age(TieredObject pack) => pack.Since < now ? now - pack.Since : TimeSpan.Zero;
    }
}
