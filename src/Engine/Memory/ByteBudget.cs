namespace BackupDr.Engine.Memory;

/// <summary>Caps the plain bytes in flight. Waiting here is the only back-pressure of the pipeline; its queues stay short.</summary>
/// <param name="limitBytes">At least two largest chunks.</param>
public sealed class ByteBudget(long limitBytes)
{
    readonly long _limit = limitBytes;
    readonly Lock _gate = new();
    readonly Queue<(long Bytes, TaskCompletionSource Granted)> _waiting = new();
    long _free = limitBytes;

    /// <summary>Takes bytes, in the order of asking. Whoever takes gives back the same number.</summary>
    public ValueTask Take(long bytes, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, _limit);
        ct.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (_waiting.Count == 0 && _free >= bytes) { _free -= bytes; return ValueTask.CompletedTask; }
            var granted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue((bytes, granted));
            return new ValueTask(Wait(bytes, granted, ct));
        }
    }

    async Task Wait(long bytes, TaskCompletionSource granted, CancellationToken ct)
    {
        // A cancelled waiter is granted nothing; one that was granted at the same moment gives back at once.
        await using var registration = ct.Register(() => granted.TrySetCanceled(ct));
        try { await granted.Task; }
        catch (OperationCanceledException)
        {
            Serve();
            throw;
        }
        if (!ct.IsCancellationRequested) return;
        Give(bytes);
        ct.ThrowIfCancellationRequested();
    }

    /// <summary>Gives bytes back.</summary>
    public void Give(long bytes)
    {
        lock (_gate) _free += bytes;
        Serve();
    }

    void Serve()
    {
        lock (_gate)
        {
            while (_waiting.TryPeek(out var next))
            {
                if (next.Granted.Task.IsCompleted) { _waiting.Dequeue(); continue; }
                if (_free < next.Bytes) return;
                _waiting.Dequeue();
                if (next.Granted.TrySetResult()) _free -= next.Bytes;
            }
        }
    }
}
