namespace BackupDr.Engine.Memory;

/// <summary>Caps how many of something are under way at once. Safe for concurrent use.</summary>
/// <remarks>
/// Whoever waits goes on where it waited, on the synchronisation context of its own: a simulation that orders every step by its seed sees
/// the same order each time, which a semaphore's own waiting does not give.
/// </remarks>
sealed class Slots
{
    readonly Lock _gate = new();
    readonly Queue<TaskCompletionSource> _waiting = new();
    readonly int _count;
    int _free;

    /// <param name="count">How many; from 1.</param>
    public Slots(int count) => _count = _free = count;

    /// <summary>Whether none is taken.</summary>
    public bool AreAllFree
    {
        get { lock (_gate) return _free == _count; }
    }

    /// <summary>Takes one, in the order of asking. Whoever takes gives back.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; nothing was taken.</exception>
    public ValueTask Take(CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        TaskCompletionSource granted;
        lock (_gate)
        {
            if (_waiting.Count == 0 && _free > 0) { _free--; return ValueTask.CompletedTask; }
            granted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(granted);
        }
        return new ValueTask(Wait(granted, ct));
    }

    static async Task Wait(TaskCompletionSource granted, CancellationToken ct)
    {
        // Whoever is granted one and cancelled at the same moment has it: the caller's next step sees the cancellation.
        await using var registration = ct.Register(() => granted.TrySetCanceled(ct));
        await granted.Task;
    }

    /// <summary>Gives one back.</summary>
    public void Give()
    {
        lock (_gate)
        {
            while (_waiting.TryDequeue(out var next))
                if (next.TrySetResult()) return;   // it goes from hand to hand; who was cancelled gets nothing
            _free++;
        }
    }

    /// <summary>Waits until all were free one after the other: what was under way when this was asked has ended.</summary>
    public async Task AwaitAll(CancellationToken ct)
    {
        var taken = 0;
        try
        {
            for (; taken < _count; taken++) await Take(ct);
        }
        finally
        {
            for (; taken > 0; taken--) Give();
        }
    }
}
