using BackupDr.Engine.Format;

namespace BackupDr.Engine.Blobs;

/// <summary>Which parts of a pack are read at once: neighbours together, and short gaps along with them.</summary>
static class PackRuns
{
    const int LongestGap = 128 << 10, LongestRead = 16 << 20;

    /// <summary>Groups the wanted blobs of one pack into runs of at most 16 MiB, or one blob. They come in the order of the file.</summary>
    public static IEnumerable<List<PackEntry>> Of(IEnumerable<PackEntry> wanted)
    {
        var sorted = wanted.OrderBy(entry => entry.Offset).ToList();
        for (var from = 0; from < sorted.Count;)
        {
            var to = from + 1;
            while (to < sorted.Count && sorted[to].Offset - End(sorted[to - 1]) <= LongestGap
                && End(sorted[to]) - sorted[from].Offset <= LongestRead) to++;
            yield return sorted[from..to];
            from = to;
        }
    }

    static long End(PackEntry entry) => entry.Offset + (long)entry.Length;

    /// <summary>Reads a run with one request and hands out its sealed blobs one after another. The bytes may be changed, and are not to
    /// be used after the task that got them.</summary>
    /// <remarks>Where <paramref name="use"/> finds a blob damaged and the repository has further places, the pack is put right and the
    /// blob handed out once more.</remarks>
    /// <exception cref="Storage.StoreException">The pack is not there, or shorter than its index says.</exception>
    public static async Task Read(Repository repository, BlobId pack, List<PackEntry> run, Func<PackEntry, Memory<byte>, Task> use,
        CancellationToken ct)
    {
        var done = 0;
        try { await ReadOnce(repository, pack, run, Counting, ct); }
        catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged && repository.Replicas is { } replicas)
        {
            if (!await replicas.Heal(ObjectLayout.Of(ObjectLayout.Data, pack), ct)) throw;
            await ReadOnce(repository, pack, run[done..], use, ct);
        }

        async Task Counting(PackEntry entry, Memory<byte> box)
        {
            await use(entry, box);
            done++;
        }
    }

    static async Task ReadOnce(Repository repository, BlobId pack, List<PackEntry> run, Func<PackEntry, Memory<byte>, Task> use,
        CancellationToken ct)
    {
        var (begin, length) = (run[0].Offset, (int)(End(run[^1]) - run[0].Offset));
        var bytes = repository.Buffers.Rent(length);
        try
        {
            await repository.Store.Read(ObjectLayout.Of(ObjectLayout.Data, pack), begin, bytes.AsMemory(0, length), ct);
            foreach (var entry in run) await use(entry, bytes.AsMemory((int)(entry.Offset - begin), (int)entry.Length));
        }
        finally { repository.Buffers.Return(bytes); }
    }
}
