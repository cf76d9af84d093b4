using BackupDr.Storage;
using BackupDr.Storage.Layers;

namespace BackupDr.Cli;

/// <summary>A store that says at its end what it was asked.</summary>
sealed class ToldTraffic(IObjectStore inner, StoreCounters counters, Output output) : IObjectStore
{
    bool _isTold;

    public string Url => inner.Url;
    public StoreAbilities Abilities => inner.Abilities;
    public int RequestsAtOnce => inner.RequestsAtOnce;
    public IObjectLocks? Locks => inner.Locks;
    public IObjectTiers? Tiers => inner.Tiers;
    public IObjectVersions? Versions => inner.Versions;
    public TimeSpan? ClockDifference => inner.ClockDifference;

    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct) => inner.Put(name, content, ct);

    public Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct) => inner.Read(name, offset, target, ct);

    public Task<StoredObject?> Head(ObjectName name, CancellationToken ct) => inner.Head(name, ct);

    public IAsyncEnumerable<StoredObject> List(string folder, CancellationToken ct) => inner.List(folder, ct);

    public Task<bool> Delete(ObjectName name, CancellationToken ct) => inner.Delete(name, ct);

    public async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        if (_isTold) return;
        _isTold = true;
        if (counters.Read() is { } traffic) output.Traffic(inner.Url, traffic);
    }
}
