namespace BackupDr.Agent;

/// <summary>A look at this host that may hang in the kernel, where nothing can end it: it is waited for only so long, there is never a
/// second one beside it, and meanwhile what the last one found counts.</summary>
/// <param name="look">Looks; cancelled where it can be.</param>
public sealed class LimitedLook<T>(Func<CancellationToken, Task<IReadOnlyList<T>>> look)
{
    Task<IReadOnlyList<T>>? _running;
    IReadOnlyList<T> _last = [];

    /// <summary>What is found now, or was found last where it does not end in time.</summary>
    /// <exception cref="Contracts.BackupDrException">The look failed.</exception>
    public async Task<IReadOnlyList<T>> Within(TimeSpan limit, CancellationToken ct)
    {
        // A thread of its own: one that hangs must not be missed among those that do the work.
        _running ??= Task.Factory.StartNew(() => look(ct), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
            .Unwrap();
        await Task.WhenAny(_running, Task.Delay(limit, TimeProvider.System, ct));
        ct.ThrowIfCancellationRequested();
        if (!_running.IsCompleted) return _last;
        var ended = _running;
        _running = null;
        return _last = await ended;
    }
}
