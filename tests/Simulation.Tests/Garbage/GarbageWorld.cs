using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
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
    const int Writers = 8;
    static readonly CancellationToken None = CancellationToken.None;

    readonly WorldStore _store = new();
    readonly WorldClock _clock = new();
    readonly Repository _repository;
    readonly List<KeyValuePair<string, byte[]>> _empty;
    readonly Dictionary<BlobId, HashSet<BlobId>> _needs = [];
    readonly PlaceWatch _watch;
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
        _watch = new PlaceWatch(_store, _repository, _needs);
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
        _watch.Clear();
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
        if (await SimulatedBackup.Write(_repository, ours, _world.Random, _clock, _needs) is not null) Published++;
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
}
