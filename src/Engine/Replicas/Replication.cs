using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;

namespace BackupDr.Engine.Replicas;

/// <summary>How places are brought to the same state.</summary>
public sealed record ReplicationRequest
{
    /// <summary>Only finds what would be done.</summary>
    public bool IsPreview { get; init; }
    /// <summary>Reads every object at every place, and puts right what does not match its name.</summary>
    public bool ReadsData { get; init; }
    /// <summary>Also fills the first place where it has no repository. Else that is an error: its address may be a wrong one.</summary>
    public bool RefillsFirst { get; init; }
    /// <summary>Removes nothing: what was removed elsewhere on purpose stays until a later replication.</summary>
    public bool AddsOnly { get; init; }
    /// <summary>Told about each object.</summary>
    public IProgress<ReplicationProgress>? Progress { get; init; }
}

/// <summary>How far a replication is.</summary>
public readonly record struct ReplicationProgress(long ObjectsDone, long ObjectsTotal, long BytesDone, long BytesTotal);

/// <summary>What was done at one place.</summary>
public sealed record ReplicatedPlace
{
    /// <summary>Its address.</summary>
    public required string Url { get; init; }
    /// <summary>Why it could not be used, or null.</summary>
    public string? Problem { get; init; }
    /// <summary>Whether there was no repository before.</summary>
    public bool WasEmpty { get; init; }
    /// <summary>Objects that it got.</summary>
    public long Objects { get; init; }
    /// <summary>Their bytes.</summary>
    public long Bytes { get; init; }
    /// <summary>Objects that were wrong here and are right now.</summary>
    public long Healed { get; init; }
    /// <summary>Objects that were removed, because they were removed elsewhere on purpose.</summary>
    public long Removed { get; init; }
    /// <summary>Objects that are to be removed and were not, and why; null where nothing is left.</summary>
    public string? NotRemoved { get; init; }
    /// <summary>Ids of the snapshots that it holds now.</summary>
    public IReadOnlyList<BlobId> Snapshots { get; init; } = [];
}

/// <summary>What a replication did.</summary>
/// <param name="Places">In the order in which they were given.</param>
/// <param name="Damaged">Objects of which no place has a copy that is right, or that could not be put.</param>
public sealed record ReplicationSummary(IReadOnlyList<ReplicatedPlace> Places, IReadOnlyList<Problem> Damaged)
{
    /// <summary>Whether all places hold the same now, and rightly.</summary>
    public bool IsEqual => Damaged.Count == 0 && Places.All(place => place.Problem is null && place.NotRemoved is null);
}

/// <summary>Brings the places of one repository to the same state: what any of them has and nobody removed, all of them have.</summary>
/// <remarks>
/// Objects are copied by name, each read whole and checked against its name: packs, then index files, then snapshots, so that every place
/// is at any moment a complete repository of its own. Nothing is removed because it is missing elsewhere (a place that was emptied or
/// rolled back is refilled); only what a list of departures names. Run again after whatever interrupted it, it goes on where it stopped.
/// Source: docs/format/restic-v2.md, F-13.
/// </remarks>
public sealed partial class Replication
{
    const string Config = "config";
    const int MostRounds = 10;

    // What is replicated. Locks, marks and the trash are each place's own.
    static readonly string[] Order = [Departures.Folder, ObjectLayout.Keys, ObjectLayout.Data, ObjectLayout.Index, ObjectLayout.Snapshots];

    sealed class Place(IObjectStore store)
    {
        public IObjectStore Store { get; } = store;
        public Repository? Repository { get; set; }
        public Dictionary<string, Dictionary<BlobId, long>> Objects { get; } = [];
        /// <summary>Packs that a prune of this place has marked: they may go at any moment.</summary>
        public IReadOnlySet<BlobId> Marked { get; set; } = new HashSet<BlobId>();
        /// <summary>Packs that are only here and that no index names.</summary>
        public IReadOnlyList<BlobId> Orphans { get; set; } = [];
        public string? Problem { get; set; }
        public bool WasEmpty { get; set; }
        public string? NotRemoved { get; set; }
        public long Copied, CopiedBytes, Healed, Removed;
        public bool IsUsable => Problem is null;
    }

    readonly Place[] _places;
    readonly RepositoryOptions _options;
    readonly ReplicationRequest _request;
    readonly HashSet<ObjectName> _gone = [];
    readonly HashSet<BlobId> _heldBack = [], _named = [], _unread = [];
    volatile bool _isIndexGone;
    readonly List<Problem> _damaged = [];
    long _objects, _objectsTotal, _bytes, _bytesTotal;

    Replication(IReadOnlyList<IObjectStore> places, RepositoryOptions options, ReplicationRequest request)
        => (_places, _options, _request) = ([.. places.Select(store => new Place(store))], options, request);

    IEnumerable<Place> Usable => _places.Where(place => place.IsUsable);

    /// <summary>Replicates.</summary>
    /// <param name="places">Two or more; not disposed. A place without a repository gets one, the first only on request.</param>
    /// <param name="password">Opens it at every place.</param>
    /// <param name="options">How it is worked with.</param>
    /// <param name="request">How.</param>
    /// <param name="ct">Cancels; what is copied stays.</param>
    /// <exception cref="RepositoryException">Missing: no place has a repository; OtherRepository: the places hold different ones;
    /// WrongPassword, Locked.</exception>
    /// <exception cref="StoreException">Fewer than two places answer.</exception>
    public static async Task<ReplicationSummary> Execute(IReadOnlyList<IObjectStore> places, Secret password, RepositoryOptions options,
        ReplicationRequest request, CancellationToken ct)
    {
        if (places.Count < 2) throw new BadInputException("--to", "There is no second place.", "Name the replica's address.");
        var run = new Replication(places, options, request);
        try { return await run.Run(password, ct); }
        finally
        {
            foreach (var place in run._places) place.Repository?.Dispose();
        }
    }

    async Task<ReplicationSummary> Run(Secret password, CancellationToken ct)
    {
        await Open(password, ct);
        if (!_request.IsPreview) await FillEmpty(password, ct);
        var locks = await TakeLocks(ct);
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource([ct, .. locks.Select(one => one.Lost)]);
            await LoadMarks(stop.Token);
            await List([ObjectLayout.Snapshots, ObjectLayout.Keys], stop.Token);
            for (var round = 0; round == 0 || _isIndexGone; round++)   // while the rescue copied
            {
                if (round == MostRounds) throw KeepsChanging();
                await CopyContents(stop.Token);
                if (!_request.IsPreview) await Rescue(stop.Token);
            }
            await CopyFolder(ObjectLayout.Snapshots, stop.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new RepositoryException(RepositoryFault.LockLost, "A repository lock was lost while objects were copied.",
                "Run the replication again; what was copied stays.");
        }
        finally
        {
            foreach (var one in locks) await one.DisposeAsync();
        }
        if (!_request.IsPreview)
            foreach (var place in Usable) await RemoveDeparted(place, ct);
        return new ReplicationSummary([.. _places.Select(Result)], _damaged);
    }

    ReplicatedPlace Result(Place place) => new()
    {
        Url = place.Store.Url,
        Problem = place.Problem,
        WasEmpty = place.WasEmpty,
        Objects = place.Copied,
        Bytes = place.CopiedBytes,
        Healed = place.Healed,
        Removed = place.Removed,
        NotRemoved = place.NotRemoved,
        Snapshots = place.Objects.TryGetValue(ObjectLayout.Snapshots, out var snapshots)
            ? [.. snapshots.Keys.Where(id => !_gone.Contains(ObjectLayout.Of(ObjectLayout.Snapshots, id)))] : [],
    };

    async Task Open(Secret password, CancellationToken ct)
    {
        string? id = _options.ExpectedId;
        RepositoryException? nowhere = null;
        StoreException? unreachable = null;
        foreach (var place in _places)
        {
            try
            {
                place.Repository = await Repository.Open(place.Store, password, _options with { ExpectedId = id }, ct);
                id = place.Repository.Id;
            }
            catch (RepositoryException e) when (e.Fault == RepositoryFault.Missing)
            {
                nowhere ??= e;
                place.WasEmpty = true;
                if (place == _places[0] && !_request.RefillsFirst)
                    throw new RepositoryException(RepositoryFault.Missing, e.Message,
                        "Check the address. Where it is right and the place was emptied, fill it from the others with --refill.", e);
            }
            catch (StoreException e)
            {
                unreachable ??= e;
                place.Problem = e.Message;
            }
        }
        if (id is null || _places.All(place => place.Repository is null)) throw (Exception?)unreachable ?? nowhere!;
        if (Usable.Count() < 2) throw unreachable!;
    }

    /// <summary>Keys first and the config last, so that what is broken off here is empty the next time.</summary>
    async Task FillEmpty(Secret password, CancellationToken ct)
    {
        var source = _places.First(place => place.Repository is not null);
        foreach (var place in Usable.Where(place => place.Repository is null))
        {
            try
            {
                await foreach (var key in source.Store.List(ObjectLayout.Keys, ct)) await PutCopy(source, place, key, ct);
                await PutCopy(source, place, await source.Store.Head(ObjectLayout.Config, ct)
                    ?? throw new StoreException(StoreFault.Missing, $"read {Config} in {source.Store.Url}: there is no such object"), ct);
                place.Repository = await Repository.Open(place.Store, password,
                    _options with { ExpectedId = source.Repository!.Id }, ct);
            }
            catch (StoreException e) { place.Problem = e.Message; }
        }
        foreach (var place in Usable)
            if (await Departures.IsReplicated(place.Store, ct)) return;   // and the others get its lists
        await Departures.Begin(source.Repository!, ct);
    }

    static async Task PutCopy(Place source, Place place, StoredObject one, CancellationToken ct)
    {
        var bytes = await PackFile.Read(source.Store, one, ct);
        try { await place.Store.Put(one.Name, bytes, ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Exists) { return; }   // an earlier try got that far
    }

    async Task<List<RepositoryLock>> TakeLocks(CancellationToken ct)
    {
        var taken = new List<RepositoryLock>();
        try
        {
            foreach (var place in Usable.Where(place => place.Repository is not null))
                if (!_request.IsPreview) taken.Add(await RepositoryLock.Take(place.Repository!, LockKind.Shared, ct));
            return taken;
        }
        catch
        {
            foreach (var one in taken) await one.DisposeAsync();
            throw;
        }
    }

    /// <summary>Under our locks and before the snapshots, as a backup does: what is marked later waits for us, and what is marked by now
    /// goes without a look at snapshots that are still on their way.</summary>
    async Task LoadMarks(CancellationToken ct)
    {
        foreach (var place in Usable.Where(place => place.Repository is not null))
        {
            try { place.Marked = (await MarkSet.Load(place.Repository!, ct)).Packs; }
            catch (StoreException e) { place.Problem = e.Message; }
        }
    }

    /// <summary>
    /// Copies everything but snapshots, which are listed already: whatever one of them needs is in the listings that follow.
    /// </summary>
    /// <remarks>
    /// A sweep that was due before we came goes on beside us. It stores a new index file, notes that the old one departs, and removes it:
    /// a listing that runs meanwhile may show neither. So the lists of what departed are looked at before and after, and all is listed
    /// again where one has come, or where an index file went that was listed.
    /// </remarks>
    async Task CopyContents(CancellationToken ct)
    {
        for (var round = 0; round < MostRounds; round++)
        {
            _isIndexGone = false;
            await List([Departures.Folder], ct);
            var before = Departed();
            await List([ObjectLayout.Index, ObjectLayout.Data, Departures.Folder], ct);
            if (!Departed().IsSubsetOf(before)) continue;
            await CopyFolder(Departures.Folder, ct);
            await LoadDepartures(ct);
            await FindNamed(ct);
            if (_objectsTotal == 0) CountWork();
            await CopyFolder(ObjectLayout.Keys, ct);
            await CopyFolder(ObjectLayout.Data, ct);
            if (!_request.IsPreview) await ReplaceStale(ct);
            await CopyFolder(ObjectLayout.Index, ct);
            if (!_isIndexGone) return;
        }
        throw KeepsChanging();
    }

    static StoreException KeepsChanging() => new(StoreFault.Unavailable,
        $"replicate: the index changed {MostRounds} times while it was copied",
        "Run the replication again when the prune beside it is over; what was copied stays.");

    HashSet<BlobId> Departed() => Usable.SelectMany(place => place.Objects[Departures.Folder].Keys).ToHashSet();

    /// <summary>In the order given, so that whatever an earlier folder names is in the listing of a later one.</summary>
    async Task List(IReadOnlyList<string> folders, CancellationToken ct)
    {
        foreach (var place in Usable)
        {
            try
            {
                foreach (var folder in folders) place.Objects[folder] = await ListFolder(place, folder, ct);
            }
            catch (StoreException e) { place.Problem = e.Message; }
        }
        if (Usable.Count() < 2)
            throw new StoreException(StoreFault.Unavailable, "replicate: fewer than two places can be listed: "
                + string.Join("; ", _places.Select(place => place.Problem).OfType<string>()), "Try again when the others answer.");
    }

    async Task<Dictionary<BlobId, long>> ListFolder(Place place, string folder, CancellationToken ct)
    {
        var found = new Dictionary<BlobId, long>();
        if (place.Repository is null && _request.IsPreview) return found;
        await foreach (var listed in place.Store.List(folder, ct))
            if (ObjectLayout.TryId(listed, out var id)) found[id] = listed.SizeBytes;
        return found;
    }

    /// <summary>
    /// Finds which packs that some place lacks an index names. The others stay where they are: somebody is still writing them, or died.
    /// Elsewhere they would be taken for what a dead writer left, be removed, and be missing when their index comes.
    /// </summary>
    async Task FindNamed(CancellationToken ct)
    {
        _named.UnionWith(Usable.SelectMany(place => place.Objects[ObjectLayout.Data].Keys));
        var left = Work(ObjectLayout.Data).Select(one => one.Id).ToHashSet();
        _named.ExceptWith(left);
        _unread.Clear();
        // What is new stands in index files that are new as well, as a rule.
        var files = Work(ObjectLayout.Index).Select(one => one.Id)
            .Concat(Usable.SelectMany(place => place.Objects[ObjectLayout.Index].Keys)).Distinct().ToList();
        foreach (var id in files)
        {
            if (left.Count == 0) break;
            if (await ReadIndex(id, ct) is not { } content)
            {
                await Unreadable(id, ct);
                continue;
            }
            var here = content.Packs.Select(pack => pack.Id).Concat(content.OnHold).Where(left.Remove).ToList();
            _named.UnionWith(here);
        }
        foreach (var place in Usable) place.Orphans = [.. left.Where(place.Objects[ObjectLayout.Data].ContainsKey)];
    }

    /// <summary>An index file that cannot be read is not copied either: it would name packs that were not.</summary>
    async Task Unreadable(BlobId index, CancellationToken ct)
    {
        _unread.Add(index);
        if (IsGoneIndex(index)) return;
        var isRemoved = await IsRemovedMeanwhile(ObjectLayout.Index, index, ct);
        if (isRemoved is true) _isIndexGone = true;
        else if (isRemoved is false) Damaged(ObjectLayout.Of(ObjectLayout.Index, index), "no place has a copy that can be read.");
    }

    /// <summary>An index file from the first place that has it; null where none can tell, which its copying reports.</summary>
    async Task<IndexContent?> ReadIndex(BlobId id, CancellationToken ct)
    {
        foreach (var place in Usable.Where(place => place.Objects[ObjectLayout.Index].ContainsKey(id)).ToList())
        {
            try
            {
                var bytes = await place.Repository!.ReadUnpacked(ObjectLayout.Index, id, ct);
                return IndexFile.ReadAll(bytes.Span, $"index {id}");
            }
            // The next place may have it.
            catch (BackupDrException e) when (e is RepositoryException or StoreException
            {
                Fault: StoreFault.Missing
                or StoreFault.ShortRead
            })
            { continue; }
            catch (StoreException e) { place.Problem ??= e.Message; }
        }
        return null;
    }

    void CountWork()
    {
        foreach (var folder in Order)
            foreach (var (_, size, places) in Work(folder))
            {
                _objectsTotal += places.Count;
                _bytesTotal += size * places.Count;
            }
    }

    /// <summary>Objects of a folder that some place has not, or has in another size, or all where they are to be read.</summary>
    IEnumerable<(BlobId Id, long Size, IReadOnlyList<Place> Places)> Work(string folder)
    {
        var usable = Usable.ToList();
        foreach (var id in usable.SelectMany(place => place.Objects[folder].Keys).ToHashSet())
        {
            if (_gone.Contains(ObjectLayout.Of(folder, id)) || (folder == ObjectLayout.Snapshots && _heldBack.Contains(id))) continue;
            if ((folder == ObjectLayout.Data && !_named.Contains(id)) || (folder == ObjectLayout.Index
                && (_unread.Contains(id) || _stale.Contains(id)))) continue;
            var sizes = usable.Select(place => place.Objects[folder].TryGetValue(id, out var size) ? size : -1).ToList();
            if (sizes.TrueForAll(size => size == sizes[0]) && !_request.ReadsData) continue;
            var lacking = usable.Where((_, at) => sizes[at] < 0).ToList();
            // Where sizes differ one of them is wrong, and only the bytes tell which.
            var suspect = _request.ReadsData || sizes.Where(size => size >= 0).Distinct().Count() > 1;
            yield return (id, sizes.Max(), suspect ? usable : lacking);
        }
    }

    async Task LoadDepartures(CancellationToken ct)
    {
        var read = new HashSet<BlobId>();
        foreach (var place in Usable.Where(place => place.Repository is not null))
            foreach (var id in place.Objects[Departures.Folder].Keys.Where(read.Add))
                _gone.UnionWith(await Departures.Read(place.Repository!, id, ct));
    }
}
