using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using BackupDr.Storage;

namespace BackupDr.TestKit.Stores;

/// <summary>A store in memory. Its objects may be looked at and damaged by a test.</summary>
public sealed class MemoryStore : IObjectStore
{
    readonly ConcurrentDictionary<string, byte[]> _objects = new(StringComparer.Ordinal);

    public string Url { get; init; } = "memory:";

    public StoreAbilities Abilities => StoreAbilities.ConditionalPut;

    public int RequestsAtOnce { get; init; } = 1;

    /// <summary>What is stored, by name. Change a copy and put it back to damage an object.</summary>
    public IDictionary<string, byte[]> Objects => _objects;

    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return _objects.TryAdd(name.Value, content.ToArray()) ? Task.CompletedTask
            : Task.FromException(new StoreException(StoreFault.Exists, $"put {name}: there is one already."));
    }

    public Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (!_objects.TryGetValue(name.Value, out var content))
            return Task.FromException(new StoreException(StoreFault.Missing, $"read {name}: there is none."));
        if (offset > content.Length || content.Length - offset < target.Length)
            return Task.FromException(new StoreException(StoreFault.ShortRead, $"read {name}: it has {content.Length} bytes."));
        content.AsMemory((int)offset, target.Length).CopyTo(target);
        return Task.CompletedTask;
    }

    public Task<StoredObject?> Head(ObjectName name, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return Task.FromResult<StoredObject?>(_objects.TryGetValue(name.Value, out var content) ? new StoredObject(name, content.Length)
            : null);
    }

    public async IAsyncEnumerable<StoredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        foreach (var (name, content) in _objects.ToArray())
        {
            ct.ThrowIfCancellationRequested();
            if (folder.Length == 0
                || (name.Length > folder.Length && name[folder.Length] == '/' && name.StartsWith(folder, StringComparison.Ordinal)))
                yield return new StoredObject(new ObjectName(name), content.Length);
        }
        await Task.CompletedTask;
    }

    public Task<bool> Delete(ObjectName name, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return Task.FromResult(_objects.TryRemove(name.Value, out _));
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
