namespace BackupDr.Storage.Http;

/// <summary>Notes how far a server's clock is from ours, by the dates of its answers.</summary>
sealed class ServerClock(TimeProvider clock) : DelegatingHandler
{
    long _ticks = long.MinValue;

    /// <summary>How far it was ahead at the newest answer, give or take the second of an HTTP date; null before the first.</summary>
    public TimeSpan? Difference => Volatile.Read(ref _ticks) is var ticks && ticks == long.MinValue ? null : new TimeSpan(ticks);

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var answer = await base.SendAsync(request, cancellationToken);
        if (answer.Headers.Date is { } date) Volatile.Write(ref _ticks, (date - clock.GetUtcNow()).Ticks);
        return answer;
    }
}
