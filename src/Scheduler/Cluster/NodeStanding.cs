namespace BackupDr.Scheduler.Cluster;

/// <summary>What this node knows about itself and its peers; read on every poll, refreshed by <see cref="NodeBeat"/>.</summary>
public sealed class NodeStanding : IDisposable
{
    readonly Lock _gate = new();
    CancellationTokenSource _drain;
    CancellationToken _draining;
    bool _isOver;
    int _agents, _loops;

    /// <summary>A node that takes work.</summary>
    public NodeStanding() => _draining = (_drain = new()).Token;

    /// <summary>This start of this node.</summary>
    public Guid Instance { get; } = Guid.CreateVersion7();

    /// <summary>Cancelled while the node drains: long polls end then, and loops pause.</summary>
    public CancellationToken Draining { get { lock (_gate) return _draining; } }

    /// <summary>Whether it takes no new work.</summary>
    public bool IsDraining => Draining.IsCancellationRequested;

    /// <summary>Long polls of agents that this node holds.</summary>
    public int Agents => Volatile.Read(ref _agents);

    /// <summary>Loops under way here.</summary>
    public int Loops => Volatile.Read(ref _loops);

    /// <summary>Where agents find the nodes, in an order that is the same on all nodes; empty until the first look.</summary>
    public AgentAddresses Addresses { get; private set; } = AgentAddresses.None;

    /// <summary>Begins or ends draining.</summary>
    internal void Drain(bool isDraining)
    {
        lock (_gate)
        {
            if (_isOver || isDraining == _drain.IsCancellationRequested) return;
            if (isDraining) _drain.Cancel();
            else _draining = (_drain = new()).Token;   // who waits for the old one has ended or goes on undisturbed
        }
    }

    internal void Know(IEnumerable<string> urls) => Addresses = Addresses.Or(urls);

    internal IDisposable HoldAgent() => new Held(() => Interlocked.Increment(ref _agents), () => Interlocked.Decrement(ref _agents));

    internal IDisposable HoldLoop() => new Held(() => Interlocked.Increment(ref _loops), () => Interlocked.Decrement(ref _loops));

    sealed class Held : IDisposable
    {
        readonly Func<int> _end;

        public Held(Func<int> begin, Func<int> end)
        {
            _end = end;
            begin();
        }

        public void Dispose() => _end();
    }

    /// <summary>Nobody waits for it any more. What is at its end may still look: it stays as it was.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isOver = true;
            _drain.Dispose();
        }
    }
}
