using BackupDr.Engine.Format;

namespace BackupDr.Engine.Indexing;

/// <summary>
/// Writes index files for packs that are durable: often enough that a crash loses little, seldom enough that there are few.
/// </summary>
/// <remarks>Source: docs/format/restic-v2.md, F-6.4. Safe for concurrent use.</remarks>
sealed class IndexWriter(Repository repository, BlobIndex index)
{
    const int MaximumBlobs = 50_000, MaximumPacks = 64;
    static readonly TimeSpan MaximumAge = TimeSpan.FromMinutes(5);

    readonly Lock _gate = new();
    List<IndexedPack> _packs = [];
    int _blobs;
    long _since;

    /// <summary>Makes a durable pack known; may write an index file.</summary>
    public async Task Add(IndexedPack pack, CancellationToken ct)
    {
        index.Add(pack.Id, pack.Blobs);
        List<IndexedPack>? due = null;
        lock (_gate)
        {
            if (_packs.Count == 0) _since = repository.Options.Clock.GetTimestamp();
            _packs.Add(pack);
            _blobs += pack.Blobs.Count;
            if (_blobs >= MaximumBlobs || _packs.Count >= MaximumPacks || repository.Options.Clock.GetElapsedTime(_since) >= MaximumAge)
                due = Take();
        }
        if (due is not null) await Write(due, ct);
    }

    /// <summary>Writes what is left.</summary>
    public async Task Flush(CancellationToken ct)
    {
        List<IndexedPack> rest;
        lock (_gate) rest = Take();
        if (rest.Count > 0) await Write(rest, ct);
    }

    List<IndexedPack> Take()
    {
        var taken = _packs;
        (_packs, _blobs) = ([], 0);
        return taken;
    }

    Task Write(List<IndexedPack> packs, CancellationToken ct) => repository.WriteUnpacked(ObjectLayout.Index, IndexFile.Write(packs), ct);
}
