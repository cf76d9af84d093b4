namespace BackupDr.TestKit;

/// <summary>A clock that stands still until a test moves it; timers that fall due on the way fire in order, on the calling
/// thread.</summary>
public sealed class SteppedTime(DateTimeOffset start) : TimeProvider
{
    readonly Lock _gate = new();
    readonly List<Pending> _timers = [];
    TimeSpan _passed;

    /// <summary>Starts in 2026.</summary>
    public SteppedTime() : this(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)) { }

    /// <summary>Timers that wait to fire.</summary>
    public int Waiting { get { lock (_gate) return _timers.Count(timer => timer.DueAt is not null); } }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() { lock (_gate) return _passed.Ticks; }
    public override DateTimeOffset GetUtcNow() { lock (_gate) return start + _passed; }

    /// <summary>Moves time forward.</summary>
    public void Advance(TimeSpan by)
    {
        var end = _passed + by;
        while (Next(end) is { } timer) timer.Fire();
        lock (_gate) _passed = end;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Pending(this, callback, state);
        timer.Change(dueTime, period);
        lock (_gate) _timers.Add(timer);
        return timer;
    }

    Pending? Next(TimeSpan end)
    {
        lock (_gate)
        {
            var next = _timers.Where(timer => timer.DueAt <= end).MinBy(timer => timer.DueAt);
            if (next is not null) _passed = next.Take();
            return next;
        }
    }

    sealed class Pending(SteppedTime clock, TimerCallback callback, object? state) : ITimer
    {
        TimeSpan _period;

        public TimeSpan? DueAt { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._gate)
            {
                DueAt = dueTime == Timeout.InfiniteTimeSpan ? null : clock._passed + dueTime;
                _period = period;
            }
            return true;
        }

        public TimeSpan Take()
        {
            var due = DueAt!.Value;
            DueAt = _period > TimeSpan.Zero ? due + _period : null;
            return due;
        }

        public void Fire() => callback(state);

        public void Dispose() { lock (clock._gate) clock._timers.Remove(this); }

        public ValueTask DisposeAsync() { Dispose(); return ValueTask.CompletedTask; }
    }
}
