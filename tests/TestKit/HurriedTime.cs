namespace BackupDr.TestKit;

/// <summary>A clock on which every wait is over at once: time jumps to the moment that was waited for.</summary>
public sealed class HurriedTime(DateTimeOffset start) : TimeProvider
{
    long _passedTicks;

    /// <summary>Starts in 2026.</summary>
    public HurriedTime() : this(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)) { }

    /// <summary>How much time was waited for so far.</summary>
    public TimeSpan Passed => new(Interlocked.Read(ref _passedTicks));

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => Interlocked.Read(ref _passedTicks);
    public override DateTimeOffset GetUtcNow() => start + Passed;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime == Timeout.InfiniteTimeSpan) return new Over();
        Interlocked.Add(ref _passedTicks, dueTime.Ticks);
        ThreadPool.QueueUserWorkItem(_ => callback(state));
        return new Over();
    }

    sealed class Over : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;
        public void Dispose() => GC.SuppressFinalize(this);
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
