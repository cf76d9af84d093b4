using System.Security.Cryptography;

namespace BackupDr.Storage.Layers;

/// <summary>Repeats one operation that failed for a passing reason, with full jitter, until its budget is used up.</summary>
static class Retries
{
    const int ShortReads = 3;

    /// <param name="attempt">The operation.</param>
    /// <param name="options">How often and how long.</param>
    /// <param name="clock">For pauses and the budget.</param>
    /// <param name="ct">Ends the waiting too.</param>
    /// <exception cref="StoreException">The last failure, where the budget ended or it does not pass.</exception>
    public static async Task<T> Run<T>(Func<Task<T>> attempt, RetryOptions options, TimeProvider clock, CancellationToken ct)
    {
        var pause = options.FirstPause;
        long? firstFailure = null;
        for (var tries = 1; ; tries++)
        {
            try
            {
                var answer = await attempt();
                options.FirstContact?.Answered();
                return answer;
            }
            // An answer cut short on the way is whole the next time; an object that is too short stays so, and its reader wants to know
            // soon.
            catch (StoreException e) when (e.IsTransient && !(e.Fault == StoreFault.ShortRead && tries >= ShortReads))
            {
                firstFailure ??= clock.GetTimestamp();
                var budget = options.FirstContact is { HasAnswered: false } first ? first.Budget : options.Budget;
                var lasted = clock.GetElapsedTime(firstFailure.Value);
                var left = budget - lasted;
                // A store that wants us back later than we are willing to wait is given up at once, not asked in vain until then.
                if (left <= TimeSpan.Zero || e.RetryAfter > left) throw;
                // Full jitter: anything from nothing to the bound, so that a thousand clients do not come back together.
                options.Repeating?.Invoke(new Repetition(e, lasted, left));
                var bound = (int)Math.Min(pause.TotalMicroseconds, int.MaxValue - 1);
                var wait = TimeSpan.FromMicroseconds(RandomNumberGenerator.GetInt32(bound + 1)) + (e.RetryAfter ?? TimeSpan.Zero);
                await Task.Delay(wait < left ? wait : left, clock, ct);
                pause = pause * 2 < options.LongestPause ? pause * 2 : options.LongestPause;
            }
        }
    }
}
