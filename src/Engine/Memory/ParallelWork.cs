namespace BackupDr.Engine.Memory;

/// <summary>Does one thing for many items with a few workers.</summary>
static class ParallelWork
{
    /// <summary>Runs <paramref name="body"/> for each item; the first failure stops the rest and is thrown.</summary>
    /// <remarks>
    /// Workers stay on the synchronisation context of the caller where there is one: that lets a simulation order every step by its seed.
    /// </remarks>
    public static async Task Run<T>(IAsyncEnumerable<T> items, int workers, Func<T, CancellationToken, Task> body, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var turn = new SemaphoreSlim(1);
        await using var rest = items.GetAsyncEnumerator(stop.Token);
        var scheduler = SynchronizationContext.Current is null ? TaskScheduler.Default
            : TaskScheduler.FromCurrentSynchronizationContext();
        Exception? failure = null;
        var ended = false;
        await Task.WhenAll(Enumerable.Range(0, workers)
            .Select(_ => Task.Factory.StartNew(Work, CancellationToken.None, TaskCreationOptions.DenyChildAttach, scheduler).Unwrap()));
        if (failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);

        async Task Work()
        {
            try
            {
                while (true)
                {
                    T item;
                    await turn.WaitAsync(stop.Token);
                    try
                    {
                        if (ended || !await rest.MoveNextAsync()) { ended = true; return; }
                        item = rest.Current;
                    }
                    finally { turn.Release(); }
                    await body(item, stop.Token);
                }
            }
            catch (Exception e)   // kept for the caller; what the others throw because of it is not the cause
            {
                Interlocked.CompareExchange(ref failure, e, null);
                ended = true;
                await stop.CancelAsync();
            }
        }
    }

    /// <summary>The same for items that are there already.</summary>
    public static Task Run<T>(IEnumerable<T> items, int workers, Func<T, CancellationToken, Task> body, CancellationToken ct)
        => Run(Each(items), workers, body, ct);

    static async IAsyncEnumerable<T> Each<T>(IEnumerable<T> items)
    {
        await Task.CompletedTask;
        foreach (var item in items) yield return item;
    }
}
