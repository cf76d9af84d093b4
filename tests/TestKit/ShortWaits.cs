namespace BackupDr.TestKit;

/// <summary>A clock on which waits of a few seconds are over at once, while longer timers, such as those that refresh locks, never
/// fire.</summary>
public sealed class ShortWaits : TimeProvider
{
    static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);
    static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    long _passedTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => Interlocked.Read(ref _passedTicks);
    public override DateTimeOffset GetUtcNow() => Start + new TimeSpan(GetTimestamp());

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime <= Longest && dueTime != Timeout.InfiniteTimeSpan)
        {
            Interlocked.Add(ref _passedTicks, dueTime.Ticks);
            ThreadPool.QueueUserWorkItem(_ => callback(state));
        }
        return new Idle();
    }

    sealed class Idle : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;
        public void Dispose() => GC.SuppressFinalize(this);
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
