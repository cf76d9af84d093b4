using System.Collections.Concurrent;
using BackupDr.Contracts;

namespace BackupDr.Agent.Alone;

/// <summary>One backup of an item at a time on this host, whether a node leased it or the host makes it alone.</summary>
public sealed class ItemTurns
{
    readonly ConcurrentDictionary<ItemId, SemaphoreSlim> _turns = new();

    /// <summary>Waits for the turn, and gives what ends it.</summary>
    public async Task<IDisposable> Take(ItemId item, CancellationToken ct)
    {
        var turn = Of(item);
        await turn.WaitAsync(ct);
        return new Turn(turn);
    }

    /// <summary>The turn where it is free; null where it is not.</summary>
    public IDisposable? TryTake(ItemId item) => Of(item) is var turn && turn.Wait(0, CancellationToken.None) ? new Turn(turn) : null;

    SemaphoreSlim Of(ItemId item) => _turns.GetOrAdd(item, _ => new SemaphoreSlim(1));

    sealed class Turn(SemaphoreSlim of) : IDisposable
    {
        public void Dispose() => of.Release();
    }
}
