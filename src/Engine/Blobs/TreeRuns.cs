using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Memory;

namespace BackupDr.Engine.Blobs;

/// <summary>Reads many trees with few requests: neighbours in a pack together, several packs at once.</summary>
/// <remarks>On a store that answers after 50 ms, two thousand folders one by one are 100 seconds of waiting.</remarks>
static class TreeRuns
{
    const int ReadsAtOnce = 8;   // they wait for the store, not for the processor

    /// <summary>Hands each tree's JSON to <paramref name="use"/>, in no order and from several threads; the bytes are not to be used
    /// after it returns.</summary>
    /// <exception cref="RepositoryException">Damaged: one is in no index, or its bytes are not what they should be.</exception>
    public static Task Read(Repository repository, BlobIndex index, IEnumerable<BlobId> trees, Action<BlobId, ReadOnlyMemory<byte>> use,
        CancellationToken ct)
    {
        var packs = new Dictionary<BlobId, List<PackEntry>>();
        foreach (var id in trees.Distinct())
        {
            var place = BlobReader.Find(index, BlobType.Tree, id);
            if (!packs.TryGetValue(place.Pack, out var entries)) packs[place.Pack] = entries = [];
            entries.Add(place.Entry);
        }
        var runs = packs.SelectMany(pack => PackRuns.Of(pack.Value).Select(run => (Pack: pack.Key, Run: run)));
        return ParallelWork.Run(runs, ReadsAtOnce, (one, token) => PackRuns.Read(repository, one.Pack, one.Run, (entry, box) =>
        {
            Open(repository, one.Pack, entry, box, use);
            return Task.CompletedTask;
        }, token), ct);
    }

    static void Open(Repository repository, BlobId pack, PackEntry entry, Memory<byte> box, Action<BlobId, ReadOnlyMemory<byte>> use)
    {
        var plain = repository.Buffers.Rent((int)entry.DecodedLength);
        try
        {
            BlobReader.Open(repository, pack, entry, box.Span, plain);
            use(entry.Id, plain.AsMemory(0, (int)entry.DecodedLength));
        }
        finally { repository.Buffers.Return(plain); }
    }
}
