using System.Diagnostics;
using BackupDr.Storage;

namespace BackupDr.Simulation.Tests.Garbage;

/// <summary>Somebody who works on the store. It may die at one of its calls: then nothing of it is heard any more.</summary>
public sealed class Actor(string name, int diesAtCall)
{
    public string Name => name;
    public bool IsDead { get; private set; }
    public Task Work { get; set; } = Task.CompletedTask;
    public bool IsOver => IsDead || Work.IsCompleted;
    int _calls;

    /// <summary>Counts a call; whether it is the last one.</summary>
    public bool DiesNow()
    {
        if (++_calls != diesAtCall) return false;
        IsDead = true;
        return true;
    }
}

/// <summary>
/// Runs real asynchronous code on one thread: every call of a store and every timer is a step, and a seed decides which comes next.
/// </summary>
public sealed class SteppedWorld(int seed) : SynchronizationContext
{
    const int MostSteps = 60_000;
    static readonly TimeSpan MostIdle = TimeSpan.FromMinutes(2);   // of real time, on a machine that has much else to do

    sealed record Call(Actor? By, Func<bool, Action?> Act);

    static readonly AsyncLocal<Actor?> Working = new();

    readonly Queue<(SendOrPostCallback Callback, object? State)> _ready = new();
    readonly List<Call> _calls = [];
    readonly List<Actor> _actors = [];
    Actor? _paused;   // in every other world: for some steps somebody hardly gets on, while all others do
    int _pauseLeft;

    /// <summary>All chance in this world.</summary>
    public Random Random { get; } = new(seed);
    /// <summary>Its time.</summary>
    public WorldClock Clock { get; init; } = new();
    /// <summary>One of so many calls fails; 0 is none.</summary>
    public int FaultEvery { get; set; }
    /// <summary>Those who work, and worked.</summary>
    public IReadOnlyList<Actor> Actors => _actors;
    /// <summary>Who runs now.</summary>
    public static Actor? Acting => Working.Value;
    /// <summary>Between two steps.</summary>
    public Action AfterStep { get; set; } = () => { };

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_ready)
        {
            _ready.Enqueue((d, state));
            Monitor.Pulse(_ready);
        }
    }

    public override void Send(SendOrPostCallback d, object? state) => d(state);

    /// <summary>Adds an actor; it begins with the next step.</summary>
    public void Add(Actor actor, Func<Task> work)
    {
        _actors.Add(actor);
        Post(_ =>
        {
            Working.Value = actor;
            actor.Work = work();
            Working.Value = null;
        }, null);
    }

    /// <summary>A call of the store, done when its turn comes.</summary>
    /// <param name="act">Does it and gives the answer.</param>
    public Task<T> Step<T>(Func<T> act)
    {
        var answer = new TaskCompletionSource<T>();
        _calls.Add(new Call(Working.Value, isDying =>
        {
            if (isDying)
            {
                // A dying process's last call may have reached the store.
                if (Random.Next(2) == 0) Quietly(() => act());
                return null;
            }
            var fault = FaultEvery > 0 ? Random.Next(2 * FaultEvery) : -1;
            if (fault == 0) return () => answer.SetException(new StoreException(StoreFault.Unavailable, "before"));
            try
            {
                var result = act();
                return fault == 1 ? () => answer.SetException(new StoreException(StoreFault.Unavailable, "after"))
                    : () => answer.SetResult(result);
            }
            catch (StoreException e) { return () => answer.SetException(e); }
        }));
        return answer.Task;
    }

    static void Quietly(Action act)
    {
        try { act(); }
        catch (StoreException) { /* Nobody is there any more to be told. */ }
    }

    /// <summary>Goes on until all actors are over.</summary>
    public void Run()
    {
        var before = SynchronizationContext.Current;
        SetSynchronizationContext(this);
        try
        {
            var idleSince = 0L;
            for (int step = 0, idle = 0; ; step++)
            {
                Continue();
                if (_actors.TrueForAll(actor => actor.IsOver)) return;
                if (step > MostSteps) throw Endless($"{_calls.Count} calls wait");
                // Calls take little time, so a timer of minutes seldom overtakes one.
                var isSoon = Clock.IsWaitedFor && Random.Next(Clock.NextIsWithin(TimeSpan.FromSeconds(10)) ? 6 : 600) == 0;
                if (_calls.Count > 0 && !isSoon)
                {
                    Do();
                    idle = 0;
                }
                else if (Clock.IsWaitedFor)
                {
                    Clock.FireNext();
                    if (++idle == 50) idleSince = Stopwatch.GetTimestamp();
                    if (idle > 50)
                    {
                        // Somebody only waits, perhaps for one whose way is through another thread; how long that takes is no step.
                        LetOthersGoOn();
                        step--;
                        if (Stopwatch.GetElapsedTime(idleSince) > MostIdle) throw Endless($"only timers for {MostIdle} of real time");
                    }
                }
                // Cancelling asynchronously takes the way round through another thread.
                else AwaitOtherThread();
                AfterStep();
            }
        }
        finally { SetSynchronizationContext(before); }
    }

    InvalidOperationException Endless(string how) => new($"It does not come to an end ({how}): "
        + string.Join(", ", _actors.Where(actor => !actor.IsOver).Select(actor => actor.Name)));

    void LetOthersGoOn()
    {
        lock (_ready) Monitor.Wait(_ready, TimeSpan.FromMilliseconds(1));
    }

    void AwaitOtherThread()
    {
        lock (_ready)
            if (_ready.Count == 0 && !Monitor.Wait(_ready, TimeSpan.FromSeconds(20)))
                throw new InvalidOperationException("Nobody has anything to do.");
    }

    void Continue()
    {
        while (true)
        {
            (SendOrPostCallback Callback, object? State) next;
            lock (_ready)
                if (!_ready.TryDequeue(out next)) return;
            next.Callback(next.State);
        }
    }

    void Do()
    {
        var at = Random.Next(_calls.Count);
        if (seed % 2 == 1 && --_pauseLeft < 0)
        {
            _paused = Random.Next(3) == 0 ? _actors[Random.Next(_actors.Count)] : null;
            _pauseLeft = Random.Next(20, 300);
        }
        for (var tries = 0; _calls[at].By is { } by && by == _paused && tries < 8; tries++) at = Random.Next(_calls.Count);
        var call = _calls[at];
        _calls.RemoveAt(at);
        if (call.By is { IsDead: true }) return;
        var isDying = call.By?.DiesNow() ?? false;
        call.Act(isDying)?.Invoke();
    }
}

/// <summary>The time of a world: it stands still until somebody's timer is the next step.</summary>
public sealed class WorldClock : TimeProvider
{
    static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    readonly List<Pending> _timers = [];
    TimeSpan _passed;

    /// <summary>Whether a timer is set.</summary>
    public bool IsWaitedFor { get { lock (_timers) return _timers.Exists(timer => timer.DueAt is not null); } }

    /// <summary>Whether the next timer fires within this time.</summary>
    public bool NextIsWithin(TimeSpan time)
    {
        lock (_timers) return _timers.Exists(timer => timer.DueAt is { } due && due - _passed <= time);
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => _passed.Ticks;
    public override DateTimeOffset GetUtcNow() => Start + _passed;

    /// <summary>Lets the earliest timer fire.</summary>
    public void FireNext()
    {
        Pending next;
        lock (_timers) next = _timers.Where(timer => timer.DueAt is not null).MinBy(timer => timer.DueAt!.Value)!;
        if (next.DueAt > _passed) _passed = next.DueAt.Value;
        next.Fire();
    }

    /// <summary>Forgets timers of those who died.</summary>
    public void Clear() { lock (_timers) _timers.Clear(); }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Pending(this, callback, state);
        timer.Change(dueTime, period);
        lock (_timers) _timers.Add(timer);
        return timer;
    }

    sealed class Pending(WorldClock clock, TimerCallback callback, object? state) : ITimer
    {
        TimeSpan _period;

        public TimeSpan? DueAt { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            DueAt = dueTime == Timeout.InfiniteTimeSpan ? null : clock._passed + dueTime;
            _period = period;
            return true;
        }

        public void Fire()
        {
            DueAt = _period > TimeSpan.Zero ? DueAt + _period : null;
            callback(state);
        }

        public void Dispose() { lock (clock._timers) clock._timers.Remove(this); }

        public ValueTask DisposeAsync() { Dispose(); return ValueTask.CompletedTask; }
    }
}
