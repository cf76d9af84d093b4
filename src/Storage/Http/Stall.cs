namespace BackupDr.Storage.Http;

/// <summary>Ends a request in which nothing has moved for two minutes, however long it takes as a whole.</summary>
sealed class Stall : IDisposable
{
    /// <summary>Longest time without a byte in either direction.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    readonly CancellationToken _caller;
    readonly TimeSpan _patience;
    readonly CancellationTokenSource _alone;
    readonly CancellationTokenSource _both;

    /// <param name="clock">Measures the time.</param>
    /// <param name="patience">Longest time without progress.</param>
    /// <param name="caller">Ends the request too.</param>
    public Stall(TimeProvider clock, TimeSpan patience, CancellationToken caller)
    {
        (_caller, _patience) = (caller, patience);
        _alone = new CancellationTokenSource(patience, clock);
        _both = CancellationTokenSource.CreateLinkedTokenSource(_alone.Token, caller);
    }

    /// <summary>Given to the request.</summary>
    public CancellationToken Token => _both.Token;

    /// <summary>Whether it was us who ended the request, and not the caller.</summary>
    public bool Cut => _alone.IsCancellationRequested && !_caller.IsCancellationRequested;

    /// <summary>Something moved.</summary>
    public void Moved() => _alone.CancelAfter(_patience);

    public void Dispose()
    {
        _both.Dispose();
        _alone.Dispose();
    }
}
