using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Memory;

namespace BackupDr.Engine.Garbage;

/// <summary>Copies the needed blobs of packs into new packs as they lie: authenticated, not opened, not compressed again.</summary>
/// <remarks>What a new pack holds is decoded and compared with its ids before the pack is stored, so nothing damaged is copied.</remarks>
sealed class Repacking(Repository repository, UsedBlobs used)
{
    readonly IndexWriter _index = new(repository, new BlobIndex());

    /// <summary>Copies, and makes the new packs known.</summary>
    /// <param name="chosen">The packs.</param>
    /// <param name="done">Told of each pack whose needed part is copied.</param>
    /// <param name="isOver">Whether no further pack is to be begun.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="RepositoryException">Damaged; the old packs are as they were.</exception>
    public async Task Run(IReadOnlySet<BlobId> chosen, Action<BlobId> done, Func<bool> isOver, CancellationToken ct)
    {
        await using var packs = new PackWriter(repository, _index, opensBlobs: true);
        try
        {
            await ParallelWork.Run(Chosen(chosen, isOver, ct), repository.RequestsAtOnce, async (pack, token) =>
            {
                await Copy(pack, packs, token);
                done(pack.Id);
            }, ct);
            await packs.Flush(ct);
        }
        catch (InvalidOperationException e)   // the pack writer's own verification
        {
            throw new RepositoryException(RepositoryFault.Damaged, $"A blob that was to be repacked cannot be trusted: {e.Message}",
                "Run 'backupdr check --read-data'. Nothing was removed.", e);
        }
        await _index.Flush(ct);
    }

    async IAsyncEnumerable<IndexedPack> Chosen(IReadOnlySet<BlobId> chosen, Func<bool> isOver,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var pack in IndexScan.Packs(repository, ct))
        {
            if (!chosen.Contains(pack.Id)) continue;
            if (isOver()) yield break;
            yield return pack;
        }
    }

    async Task Copy(IndexedPack pack, PackWriter packs, CancellationToken ct)
    {
        foreach (var run in PackRuns.Of(pack.Blobs.Where(entry => Examination.IsNeededHere(used, pack.Id, entry))))
            await PackRuns.Read(repository, pack.Id, run, async (entry, box) =>
            {
                Authenticate(pack.Id, entry, box.Span);
                await packs.AwaitRoom(ct);
                await packs.Add(entry.Type, entry.Id, box.Span, entry.PlainLength, ct);
            }, ct);
    }

    void Authenticate(BlobId pack, PackEntry entry, ReadOnlySpan<byte> box)
    {
        var bench = repository.RentBench();
        try
        {
            if (!bench.Box.IsAuthentic(box))
                throw RepositoryException.Damaged($"pack {pack}, offset {entry.Offset}",
                    $"{entry.Type} blob {entry.Id} does not open with the repository's key; bytes were changed. Nothing was removed.");
        }
        finally { repository.ReturnBench(bench); }
    }
}
