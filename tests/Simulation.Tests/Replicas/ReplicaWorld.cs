using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Replicas;
using BackupDr.Engine.Upkeep;
using BackupDr.Simulation.Tests.Garbage;
using BackupDr.Storage;

namespace BackupDr.Simulation.Tests.Replicas;

/// <summary>
/// One repository in two places. Writers work at either, somebody forgets and prunes at either, and two replications run at once, while
/// some of them die and stores fail. Each place is at any moment a repository of its own; in peace both become the same, and nothing is
/// missing that nobody forgot.
/// </summary>
sealed class ReplicaWorld : IDisposable
{
    const int Writers = 4, PeacefulRounds = 6;
    static readonly CancellationToken None = CancellationToken.None;

    sealed record Place(WorldStore Store, Repository Repository, PlaceWatch Watch, List<KeyValuePair<string, byte[]>> Begin);

    readonly WorldClock _clock = new();
    readonly Secret _password = Secret.FromText("twelve characters");
    readonly RepositoryOptions _options;
    readonly Dictionary<BlobId, HashSet<BlobId>> _needs = [];
    readonly HashSet<BlobId> _published = [], _forgotten = [];
    readonly Place[] _places;
    SteppedWorld _world = new(0);

    public ReplicaWorld()
    {
        _options = new RepositoryOptions
        {
            Clock = _clock,
            HostName = "here",
            UserName = "simulated",
            Workers = 1,   // several would meet at a gate whose waiters go round through another thread
            Kdf = new KdfCost(1024, 8, 1),
            PackSizeBytes = 64 << 10,
            CompressionLevel = 1,
        };
        WorldStore first = new() { Url = "first:" }, second = new() { Url = "second:" };
        var one = Repository.Init(first, _password, _options, None).GetAwaiter().GetResult();
        Replication.Execute([first, second], _password, _options, new ReplicationRequest(), None).GetAwaiter().GetResult();
        var two = Repository.Open(second, _password, _options, None).GetAwaiter().GetResult();
        _places = [Of(first, one), Of(second, two)];
    }

    Place Of(WorldStore store, Repository repository)
        => new(store, repository, new PlaceWatch(store, repository, _needs), [.. store.Objects]);

    /// <summary>Objects copied in all worlds so far.</summary>
    public long Copied { get; private set; }
    /// <summary>Objects that were removed because they were removed at the other place.</summary>
    public long Removed { get; private set; }
    /// <summary>Snapshots published.</summary>
    public long Published { get; private set; }
    /// <summary>One of so many packs is acknowledged and not kept by the second place.</summary>
    public int SecondForgetsEvery { get; init; }

    public void Dispose()
    {
        foreach (var place in _places) place.Repository.Dispose();
        _password.Dispose();
    }

    /// <summary>Plays one world to its end.</summary>
    /// <exception cref="WorldBrokenException">A rule was broken.</exception>
    public void Play(int seed)
    {
        _clock.Clear();
        _published.Clear();
        _forgotten.Clear();
        var world = _world = new SteppedWorld(seed) { Clock = _clock, FaultEvery = seed % 3 == 0 ? 500 : 0 };
        foreach (var place in _places)
        {
            place.Store.Reset(place.Begin);
            place.Watch.Clear();
            place.Store.World = world;
        }
        _places[1].Store.ForgetsEvery = SecondForgetsEvery;
        world.AfterStep = () => { if (world.Random.Next(40) == 0) RemoveLocks(); };
        for (var writer = 0; writer < Writers; writer++)
        {
            var at = _places[writer == 0 ? 1 : 0];
            Start($"writer {writer}", () => Write(at));
        }
        for (var number = 0; number < 2; number++) Start($"replication {number}", ReplicateSome);
        Start("forgetter", ForgetSome);
        Start("collector", Collect);
        world.Run();
        Settle(world);
    }

    void RemoveLocks()
    {
        foreach (var place in _places) place.Store.RemoveLocksOfTheGone();
    }

    void Start(string name, Func<Task> work)
    {
        var diesAt = _world.Random.Next(5) == 0 ? _world.Random.Next(1, 150) : -1;
        _world.Add(new Actor(name, diesAt), async () =>
        {
            // Failing is allowed, as long as nothing is lost; damage never is.
            try { await work(); }
            catch (StoreException) { return; }
            catch (RepositoryException e) when (e.Fault is RepositoryFault.Locked or RepositoryFault.LockLost) { return; }
            catch (OperationCanceledException) { return; }
        });
    }

    Task Pause(int mostSeconds) => Task.Delay(TimeSpan.FromSeconds(_world.Random.Next(1, mostSeconds)), _clock);

    async Task Write(Place at)
    {
        await Pause(400);
        await using var held = await RepositoryLock.Announce(at.Repository, LockKind.Shared, None);
        if (!await SimulatedBackup.Write(at.Repository, held, _world.Random, _clock, _needs)) return;
        Published++;
        _published.UnionWith(at.Watch.Trees);
    }

    Place Either() => _places[_world.Random.Next(3) == 0 ? 1 : 0];

    async Task ReplicateSome()
    {
        for (var round = 0; round < 3; round++)
        {
            await Pause(150);
            try { Count(await Replicate()); }
            catch (RepositoryException e) when (e.Fault is RepositoryFault.Locked or RepositoryFault.LockLost) { continue; }
            catch (StoreException e) when (e.Fault == StoreFault.Unavailable) { continue; }
        }
    }

    Task<ReplicationSummary> Replicate()
        => Replication.Execute([.. _places.Select(place => place.Store)], _password, _options, new ReplicationRequest(), None);

    void Count(ReplicationSummary done)
    {
        Copied += done.Places.Sum(place => place.Objects);
        Removed += done.Places.Sum(place => place.Removed);
    }

    async Task ForgetSome()
    {
        for (var round = 0; round < 3; round++)
        {
            await Pause(150);
            var at = Either();
            var snapshots = await at.Repository.Snapshots(SnapshotFilter.All, None);
            if (snapshots.Count == 0) continue;
            var chosen = snapshots[_world.Random.Next(snapshots.Count)];
            _forgotten.Add(chosen.Tree);
            await Forget.Remove(at.Repository, [chosen.Id], None);
        }
    }

    async Task Collect()
    {
        for (var round = 0; round < 4; round++)
        {
            await Pause(120);
            try { await GarbageCollection.Execute(Either().Repository, new PruneRequest { MaximumUnusedBytes = 0 }, null, None); }
            catch (RepositoryException e) when (e.Fault is RepositoryFault.Locked or RepositoryFault.LockLost) { continue; }
            catch (StoreException e) when (e.Fault == StoreFault.Unavailable) { continue; }
        }
    }

    void Settle(SteppedWorld world)
    {
        foreach (var actor in world.Actors) ThrowIfBroken(actor);
        _clock.Clear();
        RemoveLocks();
        world.FaultEvery = 0;
        _places[1].Store.ForgetsEvery = 0;
        ReplicationSummary? last = null;
        world.Add(new Actor("peace", -1), async () =>
        {
            for (var round = 0; round < PeacefulRounds && last is not { IsEqual: true }; round++) Count(last = await Replicate());
        });
        world.Run();
        ThrowIfBroken(world.Actors[^1]);
        if (last is not { IsEqual: true }) throw new WorldBrokenException("in peace the places do not become equal: "
            + string.Join("; ", last!.Damaged.Select(one => $"{one.Path}: {one.Message}").Concat(last.Places.Select(place => place.NotRemoved
                ?? place.Problem ?? ""))));
        string[] kinds = [ObjectLayout.Data, ObjectLayout.Index, ObjectLayout.Snapshots];
        var names = _places.Select(place => place.Store.Objects.Select(one => one.Key)
            .Where(name => kinds.Contains(name.Split('/')[0])).ToHashSet()).ToArray();
        if (!names[0].SetEquals(names[1])) throw new WorldBrokenException("the places are told equal and are not: "
            + string.Join(", ", names[0].Except(names[1]).Concat(names[1].Except(names[0]))));
        var lost = _published.Where(tree => !_forgotten.Contains(tree) && !_places[0].Watch.Trees.Contains(tree)).ToList();
        if (lost.Count > 0) throw new WorldBrokenException($"{lost.Count} snapshots are gone that nobody forgot");
    }

    static void ThrowIfBroken(Actor actor)
    {
        if (actor.Work.Exception?.GetBaseException() is { } failure)
            throw new WorldBrokenException($"{actor.Name}: {failure.Message}");
    }
}
