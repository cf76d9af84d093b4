using System.Runtime.CompilerServices;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine.Garbage;

/// <summary>An index file with what it says.</summary>
sealed record ScannedIndex(BlobId Id, IndexContent Content);

/// <summary>Reads index files one after another, so that a pass over all packs needs the memory of one file.</summary>
static class IndexScan
{
    /// <summary>Each index file once. One that vanishes on the way was rewritten into others: they are found by listing again.</summary>
    public static async IAsyncEnumerable<ScannedIndex> Files(Repository repository, [EnumeratorCancellation] CancellationToken ct)
    {
        var seen = new HashSet<BlobId>();
        for (var again = true; again;)
        {
            again = false;
            var listed = new List<BlobId>();
            await foreach (var id in repository.IndexIds(ct))
                if (seen.Add(id)) listed.Add(id);
            foreach (var id in listed)
            {
                ReadOnlyMemory<byte> json;
                try { json = await repository.ReadUnpacked(ObjectLayout.Index, id, ct); }
                catch (StoreException e) when (e.Fault == StoreFault.Missing) { again = true; continue; }
                yield return new ScannedIndex(id, IndexFile.ReadAll(json.Span, $"index {id}"));
            }
        }
    }

    /// <summary>Each indexed pack once.</summary>
    public static async IAsyncEnumerable<IndexedPack> Packs(Repository repository, [EnumeratorCancellation] CancellationToken ct)
    {
        var seen = new HashSet<BlobId>();
        await foreach (var file in Files(repository, ct))
            foreach (var pack in file.Content.Packs)
                if (seen.Add(pack.Id)) yield return pack;
    }
}
