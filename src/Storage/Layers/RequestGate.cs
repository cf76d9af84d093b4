namespace BackupDr.Storage.Layers;

/// <summary>How many requests one place gets at a time: half as many when it says that there were too many, one more after each round
/// that it took.</summary>
/// <remarks>Whoever was refused waits in the retrying layer, outside of the gate. Safe for concurrent use.</remarks>
public sealed class RequestGate
{
    /// <summary>Most requests at a time to one place.</summary>
    public const int Most = 128;

    readonly Lock _lock = new();
    readonly LinkedList<TaskCompletionSource> _waiting = [];
    readonly int _most;
    int _limit, _inside, _taken;
    long _begun, _halvedAt;   // numbers of requests

    /// <param name="most">Most requests at a time; from 1.</param>
    public RequestGate(int most = Most) => _limit = _most = most;

    /// <summary>Requests that may be under way now.</summary>
    public int Limit { get { lock (_lock) return _limit; } }

    /// <summary>Requests under way.</summary>
    public int Inside { get { lock (_lock) return _inside; } }

    /// <summary>Runs one request when it is its turn.</summary>
    /// <exception cref="StoreException">What the request threw.</exception>
    public async Task<T> Run<T>(Func<Task<T>> request, CancellationToken ct)
    {
        var number = await Enter(ct);
        var isThrottled = false;
        try { return await request(); }
        catch (StoreException e) when (e.Fault == StoreFault.Throttled)
        {
            isThrottled = true;
            throw;
        }
        finally { Leave(number, isThrottled); }
    }

    async Task<long> Enter(CancellationToken ct)
    {
        LinkedListNode<TaskCompletionSource> turn;
        lock (_lock)
        {
            if (_inside < _limit && _waiting.Count == 0) return Begin();
            turn = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        await using (ct.Register(() => GiveUp(turn, ct))) await turn.Value.Task;
        lock (_lock) return ++_begun;   // its place was taken for it by whoever let it in
    }

    void GiveUp(LinkedListNode<TaskCompletionSource> turn, CancellationToken ct)
    {
        lock (_lock)
        {
            if (turn.List is null) return;   // it was let in meanwhile
            _waiting.Remove(turn);
        }
        turn.Value.TrySetCanceled(ct);
    }

    long Begin()
    {
        _inside++;
        return ++_begun;
    }

    void Leave(long number, bool isThrottled)
    {
        lock (_lock)
        {
            // All that were under way together are told the same: halved once for them all.
            if (isThrottled && number > _halvedAt)
            {
                _limit = Math.Max(1, Math.Min(_limit, _inside) / 2);
                (_halvedAt, _taken) = (_begun, 0);
            }
            else if (!isThrottled && _limit < _most && ++_taken >= _limit)
            {
                _limit++;
                _taken = 0;
            }
            _inside--;
            while (_inside < _limit && _waiting.First is { } next)
            {
                _waiting.RemoveFirst();
                _inside++;
                next.Value.SetResult();
            }
        }
    }
}
