using System.Runtime.CompilerServices;
using BackupDr.Storage;

namespace BackupDr.Simulation.Tests.Garbage;

/// <summary>A store whose every call is a step of a world. A listing comes in two pages and misses what was added between them.</summary>
public sealed class WorldStore : IObjectStore
{
    readonly OrderedDictionary<string, byte[]> _objects = new(StringComparer.Ordinal);
    readonly Dictionary<string, Actor?> _makers = new(StringComparer.Ordinal);

    /// <summary>The world that orders the calls; without one they are done at once.</summary>
    public SteppedWorld? World { get; set; }
    /// <summary>Told of every object that was put or deleted.</summary>
    public Action<string, byte[]?> Changed { get; set; } = (_, _) => { };
    /// <summary>What is stored, in the order in which it came.</summary>
    public IEnumerable<KeyValuePair<string, byte[]>> Objects => _objects;

    /// <summary>Whether nobody reaches it: every call fails.</summary>
    public bool IsAway { get; set; }

    public string Url { get; init; } = "world:";

    /// <summary>One of so many packs is acknowledged and not kept; 0 is none. No store that works does that.</summary>
    public int ForgetsEvery { get; set; }

    /// <summary>Holds just these objects.</summary>
    public void Reset(IEnumerable<KeyValuePair<string, byte[]>> objects)
    {
        _objects.Clear();
        _makers.Clear();
        foreach (var (name, content) in objects) _objects.Add(name, content);
    }

    public bool Holds(string name) => _objects.ContainsKey(name);

    /// <summary>Removes locks that somebody left who is gone, as a node does that knows it.</summary>
    public void RemoveLocksOfTheGone()
    {
        foreach (var name in _objects.Keys.Where(name => name.StartsWith("locks/", StringComparison.Ordinal)).ToList())
            if (!_makers.TryGetValue(name, out var maker) || maker is { IsOver: true }) _objects.Remove(name);   // or of an older state
    }

    Task<T> Step<T>(Func<T> act) => World is { } world ? world.Step(() => IsAway
        ? throw new StoreException(StoreFault.Unavailable, "away") : act()) : Task.FromResult(act());

    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        var (copy, maker) = (content.ToArray(), SteppedWorld.Acting);
        return Step(() =>
        {
            if (ForgetsEvery > 0 && name.Value.StartsWith("data/", StringComparison.Ordinal) && World!.Random.Next(ForgetsEvery) == 0)
                return true;
            if (!_objects.TryAdd(name.Value, copy)) throw new StoreException(StoreFault.Exists, $"put {name}");
            _makers[name.Value] = maker;
            Changed(name.Value, copy);
            return true;
        });
    }

    public Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct) => Step(() =>
    {
        if (!_objects.TryGetValue(name.Value, out var content)) throw new StoreException(StoreFault.Missing, $"read {name}");
        content.AsMemory((int)offset, target.Length).CopyTo(target);
        return true;
    });

    public Task<StoredObject?> Head(ObjectName name, CancellationToken ct)
        => Step(() => _objects.TryGetValue(name.Value, out var content) ? new StoredObject(name, content.Length) : (StoredObject?)null);

    public async IAsyncEnumerable<StoredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        var names = await Step(() => _objects.Keys.Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal)).ToList());
        var first = await Step(() => Page(names[..(names.Count / 2)]));
        foreach (var found in first) yield return found;
        var second = await Step(() => Page(names[(names.Count / 2)..]));
        foreach (var found in second) yield return found;
    }

    List<StoredObject> Page(List<string> names)
        => [.. names.Where(_objects.ContainsKey).Select(name => new StoredObject(new ObjectName(name), _objects[name].Length))];

    public Task<bool> Delete(ObjectName name, CancellationToken ct) => Step(() =>
    {
        if (!_objects.Remove(name.Value)) return false;
        Changed(name.Value, null);
        return true;
    });

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
