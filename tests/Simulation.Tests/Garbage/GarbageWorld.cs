using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;

namespace BackupDr.Simulation.Tests.Garbage;

/// <summary>A snapshot was seen whose blobs are not all there.</summary>
public sealed class WorldBrokenException(string message) : Exception(message);

/// <summary>
/// One repository on which writers of ours, a stock writer, a forgetter and prunes work at once. After every change each published
/// snapshot must have all its blobs in packs that are there and indexed.
/// </summary>
sealed class GarbageWorld : IDisposable
{
    const int Contents = 12, Writers = 8;
    static readonly CancellationToken None = CancellationToken.None;

    readonly WorldStore _store = new();
    readonly WorldClock _clock = new();
    readonly Repository _repository;
    readonly List<KeyValuePair<string, byte[]>> _empty;
    readonly Dictionary<BlobId, HashSet<BlobId>> _needs = [];
    readonly Dictionary<string, IReadOnlyList<IndexedPack>> _index = [];
    readonly Dictionary<string, BlobId> _snapshots = [];
    SteppedWorld _world = new(0);

    public GarbageWorld(GarbageRules rules)
    {
        var options = new RepositoryOptions
        {
            Clock = _clock,
            HostName = "here",
            UserName = "simulated",
            Workers = 1,   // several would meet at a gate whose waiters go round through another thread
            Kdf = new KdfCost(1024, 8, 1),
            PackSizeBytes = 64 << 10,
            CompressionLevel = 1,
            GarbageRules = rules,
        };
        using var password = Secret.FromText("twelve characters");
        _repository = Repository.Init(_store, password, options, None).GetAwaiter().GetResult();
        _empty = [.. _store.Objects];
        _store.Changed = Observe;
    }

    /// <summary>Packs removed in all worlds so far: a world in which nothing is ever removed proves nothing.</summary>
    public long Removed { get; private set; }
    /// <summary>Prunes that had to wait for somebody.</summary>
    public long Waited { get; private set; }
    /// <summary>Snapshots published.</summary>
    public long Published { get; private set; }
    /// <summary>Packs that were needed again.</summary>
    public long Rescued { get; private set; }

    public void Dispose() => _repository.Dispose();

    /// <summary>Plays one world to its end, then prunes in peace: no garbage may be left.</summary>
    /// <exception cref="WorldBrokenException">A snapshot lost a blob, or garbage stays for ever.</exception>
    public void Play(int seed)
    {
        _store.Reset(_empty);
        _index.Clear();
        _snapshots.Clear();
        _clock.Clear();
        var world = _world = new SteppedWorld(seed) { Clock = _clock, FaultEvery = seed % 3 == 0 ? 1_000 : 0 };
        _store.World = world;
        world.AfterStep = () => { if (world.Random.Next(40) == 0) _store.RemoveLocksOfTheGone(); };
        for (var writer = 0; writer < Writers; writer++)
        {
            var isStock = writer == 0;
            Start(isStock ? "stock" : $"writer {writer}", () => Write(isStock));
        }
        Start("forgetter", ForgetSome);
        Start("collector", Collect);
        world.Run();
        Settle(world);
    }

    void Start(string name, Func<Task> work)
    {
        var diesAt = _world.Random.Next(6) == 0 ? _world.Random.Next(1, 120) : -1;
        _world.Add(new Actor(name, diesAt), async () =>
        {
            // Failing is allowed, as long as nothing is lost; damage never is.
            try { await work(); }
            catch (StoreException) { return; }
            catch (RepositoryException e) when (e.Fault is RepositoryFault.Locked or RepositoryFault.LockLost) { return; }
            catch (OperationCanceledException) { return; }
        });
    }

    void Settle(SteppedWorld world)
    {
        foreach (var actor in world.Actors)
            if (actor.Work.Exception?.GetBaseException() is { } failure) throw new WorldBrokenException($"{actor.Name}: {failure.Message}");
        _clock.Clear();
        _store.RemoveLocksOfTheGone();
        world.FaultEvery = 0;
        PruneReport? last = null;
        world.Add(new Actor("last prune", -1), async () =>
        {
            // The first clears old marks, the second rewrites what these had kept from it, the third has nothing to do.
            for (var round = 0; round < 3; round++)
                last = await GarbageCollection.Execute(_repository, new PruneRequest { MaximumUnusedBytes = 0 }, null, None);
        });
        world.Run();
        if (world.Actors[^1].Work.Exception?.GetBaseException() is { } late) throw new WorldBrokenException($"last prune: {late.Message}");
        var isClean = last is { Plan.UnusedBytes: 0, Plan.OrphanPacks: 0, WaitingPacks: 0 };
        if (!isClean || _store.Objects.Any(found => found.Key.StartsWith("x-backupdr/", StringComparison.Ordinal)))
            throw new WorldBrokenException($"garbage stays: {last}");
    }

    Task Pause(int mostSeconds) => Task.Delay(TimeSpan.FromSeconds(_world.Random.Next(1, mostSeconds)), _clock);

    async Task Write(bool isStock)
    {
        await Pause(400);
        await using var held = isStock ? await StockLock() : await RepositoryLock.Announce(_repository, LockKind.Shared, None);
        var ours = held as RepositoryLock;
        var marks = isStock ? null : await MarkSet.Load(_repository, None);
        await _repository.Snapshots(SnapshotFilter.All, None);
        var index = marks is null ? await _repository.LoadIndex(None) : await marks.LoadTrusted(_repository, None);
        if (ours is not null) await ours.Settle(None);
        var indexWriter = new IndexWriter(_repository, index);
        await using var packs = new PackWriter(_repository, indexWriter, opensBlobs: false);
        var stage = new BlobStage(_repository, index, packs, new BackupCounters(null, _clock));
        var content = new List<BlobId>();
        foreach (var number in Enumerable.Range(0, Contents).OrderBy(_ => _world.Random.Next()).Take(5).Order())
            content.Add(await stage.Store(BlobType.Data, Enumerable.Repeat((byte)(number + 1), 64 + number).ToArray(), None));
        if (_world.Random.Next(3) == 0) await Pause(_world.Random.Next(8) == 0 ? 2_000 : 15);
        var tree = await stage.Store(BlobType.Tree, Tree(content), None);
        await packs.Flush(None);
        await indexWriter.Flush(None);
        _needs[tree] = [.. content, tree];
        if (_world.Random.Next(3) == 0) await Pause(15);
        var snapshot = new Snapshot { Time = UnixTime.From(_clock.GetUtcNow()), Tree = tree, Paths = ["/a"] };
        if (ours is not null && await SnapshotPublication.Write(_repository, ours, snapshot, None) is null) return;   // the lock was lost
        if (ours is null) await _repository.WriteUnpacked(ObjectLayout.Snapshots, SnapshotFile.Write(snapshot), None);
        Published++;
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

    /// <summary>A lock as the stock program takes it: it knows nothing of marks, and every exclusive lock stops it.</summary>
    async Task<IAsyncDisposable> StockLock()
    {
        await RefuseExclusive();
        var id = await _repository.WriteUnpacked(ObjectLayout.Locks, new LockFile
        {
            Time = UnixTime.From(_clock.GetUtcNow()),
            IsExclusive = false,
            HostName = "there",
            UserName = "ana",
            Pid = 7,
        }.Write(), None);
        await Task.Delay(TimeSpan.FromMilliseconds(200), _clock);
        var held = new Held(() => _store.Delete(ObjectLayout.Of(ObjectLayout.Locks, id), None));
        try { await RefuseExclusive(); }
        catch
        {
            await held.DisposeAsync();
            throw;
        }
        return held;
    }

    async Task RefuseExclusive()
    {
        foreach (var (_, other) in await RepositoryLock.List(_repository, None))
            if (other.IsExclusive) throw new RepositoryException(RepositoryFault.Locked, "locked");
    }

    sealed class Held(Func<Task> release) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await release();
    }

    async Task ForgetSome()
    {
        for (var round = 0; round < 6; round++)
        {
            await Pause(100);
            var snapshots = await _repository.Snapshots(SnapshotFilter.All, None);
            if (snapshots.Count > 0) await Forget.Remove(_repository, [snapshots[_world.Random.Next(snapshots.Count)].Id], None);
        }
    }

    async Task Collect()
    {
        for (var round = 0; round < 7; round++)
        {
            await Pause(90);
            try
            {
                var report = await GarbageCollection.Execute(_repository, new PruneRequest { MaximumUnusedBytes = 0 }, null, None);
                Removed += report.RemovedPacks;
                Rescued += report.RescuedPacks;
                if (report.WaitsFor.Count > 0) Waited++;
            }
            catch (RepositoryException e) when (e.Fault is RepositoryFault.Locked or RepositoryFault.LockLost) { continue; }
            catch (StoreException e) when (e.Fault == StoreFault.Unavailable) { continue; }
        }
    }

    void Observe(string name, byte[]? content)
    {
        var folder = name[..name.IndexOf('/', StringComparison.Ordinal)];
        if (folder == ObjectLayout.Index)
        {
            if (content is null) _index.Remove(name);
            else _index[name] = IndexFile.Read(Open(content).Span, name);
        }
        else if (folder == ObjectLayout.Snapshots)
        {
            if (content is null) _snapshots.Remove(name);
            else _snapshots[name] = SnapshotFile.Read(Open(content).Span, default).Tree;
        }
        else if (folder != ObjectLayout.Data || content is not null) return;
        Verify(name);
    }

    ReadOnlyMemory<byte> Open(byte[] stored)
    {
        var bench = _repository.RentBench();
        try { return UnpackedFile.Read([.. stored], bench.Box, bench.Codec, "observed"); }
        finally { _repository.ReturnBench(bench); }
    }

    void Verify(string after)
    {
        var there = new HashSet<BlobId>();
        foreach (var pack in _index.Values.SelectMany(packs => packs))
        {
            if (!_store.Holds(ObjectLayout.Of(ObjectLayout.Data, pack.Id).Value))
                throw new WorldBrokenException($"after {after}: the index names pack {pack.Id}, which is gone");
            foreach (var blob in pack.Blobs) there.Add(blob.Id);
        }
        foreach (var (name, tree) in _snapshots)
            if (!_needs[tree].IsSubsetOf(there)) throw new WorldBrokenException($"after {after}: {name} has lost a blob");
    }
}
