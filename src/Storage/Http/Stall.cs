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

    /// <summary>Runs one request and tells in the store's words how it failed.</summary>
    /// <param name="what">What is attempted and where, for example "put config in s3:https://host/bucket".</param>
    /// <param name="clock">Measures the patience.</param>
    /// <param name="patience">Longest time without progress.</param>
    /// <param name="request">The request; it tells when something moved.</param>
    /// <param name="translate">The store's word for what was thrown; null for what is none of its business.</param>
    /// <param name="ct">The caller's.</param>
    /// <exception cref="StoreException">It failed or stalled.</exception>
    public static async Task<T> Guard<T>(string what, TimeProvider clock, TimeSpan patience, Func<Stall, Task<T>> request,
        Func<string, Exception, StoreException?> translate, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        using var stall = new Stall(clock, patience, ct);
        try { return await request(stall); }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { throw; }
        catch (OperationCanceledException e)
        {
            throw new StoreException(StoreFault.Unavailable, stall.Cut
                ? $"{what}: nothing moved for {patience.TotalSeconds:0} seconds." : $"{what}: {e.Message}", null, e);
        }
        // Of a connection that nobody answers, as of a site whose cable is pulled: an SDK throws what .NET wraps in a cancellation.
        catch (TimeoutException e) { throw new StoreException(StoreFault.Unavailable, $"{what}: {e.Message}", null, e); }
        catch (Exception e)
        {
            if (translate(what, e) is not { } known) throw;
            ct.ThrowIfCancellationRequested();   // a cancellation that broke the connection shows as a broken connection now and then
            throw known;
        }
    }

    public void Dispose()
    {
        _both.Dispose();
        _alone.Dispose();
    }
}
