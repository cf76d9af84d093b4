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
/// One repository in two regions. Writers work at the first, and at the second while that is away; the first forgets and prunes; a
/// replication brings both to the same state, again and again; the second goes away, comes back older than it was, or empty. At each
/// moment each snapshot of either region has all its blobs there; at last both hold the same, nothing that was published is lost, and
/// nothing that was forgotten came back. In the harder form both regions are equals: each is written, forgets and prunes, and two
/// replications go on at once.
/// </summary>
sealed class RegionWorld : IDisposable
{
    const int Writers = 6, WritersElsewhere = 2;
    static readonly CancellationToken None = CancellationToken.None;

    readonly WorldStore _first = new() { Url = "first:" }, _second = new() { Url = "second:" };
    readonly WorldClock _clock = new();
    readonly RepositoryOptions _options;
    readonly Repository _here, _there;
    readonly Secret _password = Secret.FromText("twelve characters");
    readonly List<KeyValuePair<string, byte[]>> _emptyHere, _emptyThere;
    readonly Dictionary<BlobId, HashSet<BlobId>> _needs = [];
    readonly PlaceWatch _watchHere, _watchThere;
    readonly HashSet<string> _published = [], _forgotten = [], _forgottenThere = [], _unsure = [];
    readonly bool _areEquals;
    SteppedWorld _world = new(0);
    readonly HashSet<Actor> _busyThere = [];

    /// <param name="areEquals">Whether both regions are written, forget and prune, and replications meet.</param>
    public RegionWorld(bool areEquals = false)
    {
        _areEquals = areEquals;
        _options = new RepositoryOptions
        {
            Clock = _clock,
            HostName = "here",
            UserName = "simulated",
            Workers = 1,   // several would meet at a gate whose waiters go round through another thread
            Kdf = new KdfCost(2, 1, 1),   // each replication opens both places
            PackSizeBytes = 64 << 10,
            CompressionLevel = 1,
        };
        _here = Repository.Init(_first, _password, _options, None).GetAwaiter().GetResult();
        var made = Replication.Execute([_first, _second], _password, _options with { Clock = TimeProvider.System },
            new ReplicationRequest(), None).GetAwaiter().GetResult();
        if (!made.IsEqual) throw new InvalidOperationException("The second region was not made.");
        _there = Repository.Open(_second, _password, _options, None).GetAwaiter().GetResult();
        (_emptyHere, _emptyThere) = ([.. _first.Objects], [.. _second.Objects]);
        _watchHere = new PlaceWatch(_first, _here, _needs);
        _watchThere = new PlaceWatch(_second, _here, _needs);
    }

    /// <summary>Snapshots that the second region got from the first, in all worlds so far.</summary>
    public long Copied { get; private set; }
    /// <summary>Objects that were removed at one region because they had gone at the other.</summary>
    public long Removed { get; private set; }
    /// <summary>How often the second region came back older or empty.</summary>
    public long CameBack { get; private set; }
    /// <summary>Snapshots that were written at the second region.</summary>
    public long WrittenThere { get; private set; }
    /// <summary>One of so many packs is acknowledged by the second region and not kept; 0 is none.</summary>
    public int SecondForgetsEvery { get; init; }

    public void Dispose()
    {
        _here.Dispose();
        _there.Dispose();
        _password.Dispose();
    }

    /// <summary>Plays one world to its end.</summary>
    /// <exception cref="WorldBrokenException">A rule was broken.</exception>
    public void Play(int seed)
    {
        foreach (var set in (HashSet<string>[])[_published, _forgotten, _forgottenThere, _unsure]) set.Clear();
        _first.Reset(_emptyHere);
        _second.Reset(_emptyThere);
        (_second.IsAway, _second.ForgetsEvery) = (false, SecondForgetsEvery);
        _busyThere.Clear();
        _watchHere.Clear();
        _watchThere.Clear();
        _clock.Clear();
        var world = _world = new SteppedWorld(seed) { Clock = _clock, FaultEvery = seed % 3 == 0 ? 1_000 : 0 };
        (_first.World, _second.World) = (world, world);
        world.AfterStep = () =>
        {
            if (world.Random.Next(40) > 0) return;
            _first.RemoveLocksOfTheGone();
            _second.RemoveLocksOfTheGone();
        };
        var there = _areEquals ? Writers / 2 : WritersElsewhere;
        for (var writer = 0; writer < Writers; writer++) Start($"writer {writer}", () => Write(_here, _first));
        for (var writer = 0; writer < there; writer++) Start($"writer there {writer}", () => Busy(() => Write(_there, _second)));
        foreach (var at in _areEquals ? (Repository[])[_here, _there] : [_here])
        {
            Start($"forgetter of {at.Store.Url}", () => Rounds(5, 110, () => At(at, () => ForgetOne(at))));
            Start($"collector of {at.Store.Url}", () => Rounds(5, 110, () => At(at, () => Collect(at))));
        }
        for (var number = 0; number < (_areEquals ? 2 : 1); number++)
            Start($"replicator {number}", () => Rounds(6, 80, () => Busy(Replicate)));
        world.Add(new Actor("region", -1), Region);
        world.Run();
        Settle(world);
    }

    void Start(string name, Func<Task> work)
    {
        var diesAt = _world.Random.Next(6) == 0 ? _world.Random.Next(1, 160) : -1;
        _world.Add(new Actor(name, diesAt), () => Allowed(work));
    }

    /// <summary>Failing is allowed, as long as nothing is lost; damage never is.</summary>
    static async Task Allowed(Func<Task> work)
    {
        try { await work(); }
        catch (StoreException) { return; }
        catch (RepositoryException e) when (e.Fault is RepositoryFault.Locked or RepositoryFault.LockLost or RepositoryFault.Missing)
        {
            return;
        }
        catch (OperationCanceledException) { return; }
    }

    Task At(Repository at, Func<Task> work) => at == _there ? Busy(work) : work();

    async Task Busy(Func<Task> work)
    {
        var actor = SteppedWorld.Acting!;
        _busyThere.Add(actor);
        try { await work(); }
        finally { _busyThere.Remove(actor); }
    }

    Task Pause(int mostSeconds) => Task.Delay(TimeSpan.FromSeconds(_world.Random.Next(1, mostSeconds)), _clock);

    async Task Write(Repository repository, WorldStore store)
    {
        await Pause(400);
        await using var held = await RepositoryLock.Announce(repository, LockKind.Shared, None);
        if (await SimulatedBackup.Write(repository, held, _world.Random, _clock, _needs) is not { } id) return;   // the lock was lost
        _published.Add(ObjectLayout.Of(ObjectLayout.Snapshots, id).Value);
        if (store == _second) WrittenThere++;
    }

    /// <summary>Does it several times, and again after a failure that is allowed.</summary>
    async Task Rounds(int count, int mostSeconds, Func<Task> work)
    {
        for (var round = 0; round < count; round++)
        {
            await Pause(mostSeconds);
            await Allowed(work);
        }
    }

    async Task ForgetOne(Repository at)
    {
        var snapshots = await at.Snapshots(SnapshotFilter.All, None);
        if (snapshots.Count == 0) return;
        var id = snapshots[_world.Random.Next(snapshots.Count)].Id;
        var name = ObjectLayout.Of(ObjectLayout.Snapshots, id).Value;
        _unsure.Add(name);   // it may be broken off half-way
        await Forget.Remove(at, [id], None);
        if (at == _there) _forgottenThere.Add(name);
        _unsure.Remove(name);
        _forgotten.Add(name);
    }

    static Task Collect(Repository at) => GarbageCollection.Execute(at, new PruneRequest { MaximumUnusedBytes = 0 }, null, None);

    async Task Replicate()
    {
        var done = await Replication.Execute([_first, _second], _password, _options, new ReplicationRequest(), None);
        Removed += done.Places.Sum(place => place.Removed);
        if (done.Damaged.Count > 0) throw new WorldBrokenException($"damaged: {done.Damaged[0].Path} {done.Damaged[0].Message}");
        // What it says is there is there, if nobody forgot it meanwhile.
        foreach (var (place, store) in done.Places.Zip((WorldStore[])[_first, _second]))
            foreach (var name in place.Snapshots.Select(id => ObjectLayout.Of(ObjectLayout.Snapshots, id).Value))
                if (!store.Holds(name) && !_forgotten.Contains(name) && !_unsure.Contains(name))
                    throw new WorldBrokenException($"{place.Url} is said to hold {name}");
        Copied += done.Places[1].Snapshots.Count;
    }

    /// <summary>The second region goes away for a while, and may come back as it was some time ago, or with nothing.</summary>
    async Task Region()
    {
        for (var round = 0; round < 2; round++)
        {
            await Pause(150);
            List<KeyValuePair<string, byte[]>> image = [.. _second.Objects];
            await Pause(200);
            _second.IsAway = true;
            await Pause(60);
            while (_busyThere.Any(actor => !actor.IsDead)) await Pause(20);   // whoever knew it as it was has noticed
            var fate = _world.Random.Next(3);
            if (fate > 0)
            {
                var back = fate == 1 ? image : [];
                // Only what the first region has too, or the image, survives that.
                foreach (var name in _watchThere.Snapshots.Where(name => !_first.Holds(name) && !back.Exists(one => one.Key == name)))
                    _unsure.Add(name);
                _unsure.UnionWith(_forgottenThere);   // the note of it may be lost, and then it is not forgotten
                _second.Reset(back);
                _watchThere.LookAgain();
                CameBack++;
            }
            _second.IsAway = false;
        }
    }

    void Settle(SteppedWorld world)
    {
        Raise(world);
        _clock.Clear();
        _first.RemoveLocksOfTheGone();
        _second.RemoveLocksOfTheGone();
        world.FaultEvery = _second.ForgetsEvery = 0;
        ReplicationSummary? last = null;
        world.Add(new Actor("last replication", -1), async () =>
        {
            for (var round = 0; round < 2; round++)
            {
                last = await Replication.Execute([_first, _second], _password, _options, new ReplicationRequest { ReadsData = true }, None);
                foreach (var at in _areEquals ? (Repository[])[_here, _there] : [_here])
                    await GarbageCollection.Execute(at, new PruneRequest { MaximumUnusedBytes = 0 }, null, None);
            }
            last = await Replication.Execute([_first, _second], _password, _options, new ReplicationRequest { ReadsData = true }, None);
        });
        world.Run();
        Raise(world);
        if (last is not { IsEqual: true }) throw new WorldBrokenException($"the regions do not become equal: {last}");
        foreach (var folder in (string[])[ObjectLayout.Data, ObjectLayout.Index, ObjectLayout.Snapshots])
            if (!Names(_first, folder).SetEquals(Names(_second, folder))) throw new WorldBrokenException($"{folder} differs at last");
        if (_published.Except(_forgotten).Except(_unsure).FirstOrDefault(name => !_first.Holds(name)) is { } lost)
            throw new WorldBrokenException($"{lost} was published and is lost");
        if (_forgotten.Except(_unsure).FirstOrDefault(_first.Holds) is { } back)
            throw new WorldBrokenException($"{back} was forgotten and came back");
    }

    static void Raise(SteppedWorld world)
    {
        foreach (var actor in world.Actors)
            if (actor.Work.Exception?.GetBaseException() is { } failure) throw new WorldBrokenException($"{actor.Name}: {failure.Message}");
    }

    static HashSet<string> Names(WorldStore store, string folder) => store.Objects.Select(found => found.Key)
        .Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal)).ToHashSet();
}
