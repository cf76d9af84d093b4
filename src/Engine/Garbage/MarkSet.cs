using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Locks;
using BackupDr.Storage;

namespace BackupDr.Engine.Garbage;

/// <summary>The marks of a repository and their witnesses.</summary>
/// <remarks>Source: docs/format/restic-v2.md, section 12.</remarks>
sealed class MarkSet
{
    /// <summary>Between two looks at the locks: a listing that runs while a lock is refreshed may show neither the old nor the new
    /// one.</summary>
    public static readonly TimeSpan SecondLook = TimeSpan.FromSeconds(1);

    readonly List<Mark> _marks = [];
    readonly List<Witnesses> _witnesses = [];
    readonly HashSet<BlobId> _packs = [];

    /// <summary>The marks.</summary>
    public IReadOnlyList<Mark> Marks => _marks;
    /// <summary>All marked packs: not to be counted on, and gone before long.</summary>
    public IReadOnlySet<BlobId> Packs => _packs;

    /// <summary>Reads all marks.</summary>
    /// <exception cref="RepositoryException">One is damaged.</exception>
    public static async Task<MarkSet> Load(Repository repository, CancellationToken ct)
    {
        var found = new MarkSet();
        await foreach (var (id, json) in Read(repository, ObjectLayout.Marks, ct))
        {
            var mark = Mark.Read(json.Span, id);
            found._marks.Add(mark);
            foreach (var pack in mark.Packs) found._packs.Add(pack.Id);
        }
        return found;
    }

    /// <summary>Reads all marks with their witnesses.</summary>
    /// <exception cref="RepositoryException">One is damaged.</exception>
    public static async Task<MarkSet> LoadWithWitnesses(Repository repository, CancellationToken ct)
    {
        // Witnesses first: one whose mark is not there is then a left-over, never the witness of a mark that is being made.
        var witnesses = new List<Witnesses>();
        await foreach (var (id, json) in Read(repository, ObjectLayout.Witnesses, ct)) witnesses.Add(Witnesses.Read(json.Span, id));
        var found = await Load(repository, ct);
        found._witnesses.AddRange(witnesses);
        return found;
    }

    static async IAsyncEnumerable<(BlobId Id, ReadOnlyMemory<byte> Json)> Read(Repository repository, string folder,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var listed in repository.Store.List(folder, ct))
        {
            if (!ObjectLayout.TryId(listed, out var id)) continue;
            ReadOnlyMemory<byte> json;
            try { json = await repository.ReadUnpacked(folder, id, ct, listed.SizeBytes); }
            catch (StoreException e) when (e.Fault == StoreFault.Missing) { continue; }   // swept meanwhile
            yield return (id, json);
        }
    }

    /// <summary>Who was at work when a mark was made; null where its maker stopped before it had looked.</summary>
    public Witnesses? WitnessesOf(Mark mark) => _witnesses.Find(witnesses => witnesses.Mark == mark.Id);

    /// <summary>The index that a writer may count on: blobs that only marked packs have are not in it.</summary>
    public Task<BlobIndex> LoadTrusted(Repository repository, CancellationToken ct)
        => repository.LoadIndex(repository.Options.GarbageRules.WritersHeedMarks ? Packs : new HashSet<BlobId>(), withMarked: false, ct);

    /// <summary>Stores a mark.</summary>
    public static async Task<Mark> Put(Repository repository, IReadOnlyList<MarkedPack> packs, CancellationToken ct)
    {
        var mark = new Mark(default, UnixTime.From(repository.Options.Clock.GetUtcNow()), packs);
        return mark with { Id = await repository.WriteUnpacked(ObjectLayout.Marks, mark.Write(), ct) };
    }

    /// <summary>Looks who is at work, and stores that beside the mark, which must be durable.</summary>
    public static async Task<Witnesses> PutWitnesses(Repository repository, Mark mark, LockIdentity self, CancellationToken ct)
    {
        var witnesses = new Witnesses(default, mark.Id, await Present(repository, self, ct));
        return witnesses with { Id = await repository.WriteUnpacked(ObjectLayout.Witnesses, witnesses.Write(), ct) };
    }

    /// <summary>All owners of locks but ourselves.</summary>
    public static async Task<IReadOnlyList<LockIdentity>> Present(Repository repository, LockIdentity self, CancellationToken ct)
    {
        var present = new HashSet<LockIdentity>();
        foreach (var (_, held) in await RepositoryLock.List(repository, ct)) present.Add(LockIdentity.Of(held));
        await Task.Delay(SecondLook, repository.Options.Clock, ct);
        foreach (var (_, held) in await RepositoryLock.List(repository, ct)) present.Add(LockIdentity.Of(held));
        present.Remove(self);
        return [.. present];
    }

    /// <summary>Removes a mark, then its witnesses.</summary>
    public async Task Remove(Repository repository, Mark mark, CancellationToken ct)
    {
        await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Marks, mark.Id), ct);
        foreach (var witnesses in _witnesses.Where(witnesses => witnesses.Mark == mark.Id))
            await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Witnesses, witnesses.Id), ct);
    }

    /// <summary>Removes witnesses whose mark is gone: somebody stopped between the two.</summary>
    public async Task RemoveLeftovers(Repository repository, CancellationToken ct)
    {
        foreach (var witnesses in _witnesses.Where(witnesses => _marks.All(mark => mark.Id != witnesses.Mark)))
            await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Witnesses, witnesses.Id), ct);
    }
}
