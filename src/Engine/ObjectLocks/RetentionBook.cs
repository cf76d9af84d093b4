using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.ObjectLocks;

/// <summary>Until when the objects of a repository are retained. Asks the store about each once, and remembers it on this
/// machine.</summary>
/// <remarks>
/// A retention never gets shorter, so what is remembered is a lower bound: an object is asked about again only when that has passed.
/// What the margin is for: docs/decisions/0017-object-lock.md.
/// </remarks>
sealed class RetentionBook
{
    /// <summary>Requests about retentions at the same time.</summary>
    public const int AtOnce = 16;
    const int MarginDivisor = 4, LongestMarginDays = 7;

    readonly Repository _repository;
    readonly IObjectLocks _locks;
    readonly RetentionMemory _memory;
    readonly Dictionary<ObjectName, DateTimeOffset> _known;
    readonly Lock _gate = new();

    RetentionBook(Repository repository, IObjectLocks locks, RetentionRule rule)
    {
        (_repository, _locks, Rule) = (repository, locks, rule);
        _memory = new RetentionMemory(repository);
        _known = _memory.Read();
        var quarter = rule.Period / MarginDivisor;
        Margin = quarter < TimeSpan.FromDays(LongestMarginDays) ? quarter : TimeSpan.FromDays(LongestMarginDays);
    }

    /// <summary>The book of a repository; null where no retention is asked for.</summary>
    public static RetentionBook? Of(Repository repository)
        => repository.Store.Locks is { Rule: { } rule } locks ? new RetentionBook(repository, locks, rule) : null;

    /// <summary>What was asked for.</summary>
    public RetentionRule Rule { get; }

    /// <summary>Longest time between two prunes in which everything that a snapshot needs stays retained for as long as it.</summary>
    public TimeSpan Margin { get; }

    /// <summary>The store's time: its clock decides when a retention is over.</summary>
    public DateTimeOffset Now
        => _repository.Options.Clock.GetUtcNow() + (_repository.Store.ClockDifference ?? TimeSpan.Zero);

    /// <summary>Until when an object is retained; null where it is not, or not any more, or not there.</summary>
    public async Task<DateTimeOffset?> Until(ObjectName name, CancellationToken ct)
    {
        if (Known(name) is { } known && known > Now) return known;
        try { return (await Ask(name, ct))?.Until is { } until && until > Now ? until : null; }
        catch (StoreException e) when (e.Fault == StoreFault.Missing) { return null; }
    }

    /// <summary>The same for several.</summary>
    public async Task<IReadOnlyDictionary<ObjectName, DateTimeOffset>> Until(IEnumerable<ObjectName> names, CancellationToken ct)
    {
        var found = new Dictionary<ObjectName, DateTimeOffset>();
        await ParallelWork.Run(names, AtOnce, async (name, token) =>
        {
            if (await Until(name, token) is not { } until) return;
            lock (found) found[name] = until;
        }, ct);
        return found;
    }

    /// <summary>Extends what would be free before the rule's period and the margin from now on; gives the number of objects.</summary>
    /// <exception cref="StoreException">Denied: the credentials may not set a retention; Unusable: the store does not keep it.</exception>
    public async Task<int> Extend(IEnumerable<ObjectName> names, CancellationToken ct)
    {
        var extended = 0;
        try
        {
            await ParallelWork.Run(names, AtOnce, async (name, token) =>
            {
                if (await Extend(name, token)) Interlocked.Increment(ref extended);
            }, ct);
        }
        finally { Save(); }
        return extended;
    }

    async Task<bool> Extend(ObjectName name, CancellationToken ct)
    {
        var enough = Now + Rule.Period + Margin;
        if (Known(name) >= enough) return false;
        Retention? found;
        try { found = await Ask(name, ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Missing) { return false; }   // removed since it was listed
        if (found?.Until >= enough) return false;
        // Further than is enough, so that the next ones are due only after the margin.
        var until = enough + Margin;
        var mode = found is { Mode: RetentionMode.Compliance } ? RetentionMode.Compliance : Rule.Mode;
        await _locks.Retain(name, new Retention(mode, until), ct);
        Remember(name, until);
        return true;
    }

    async Task<Retention?> Ask(ObjectName name, CancellationToken ct)
    {
        var found = await _locks.Of(name, ct);
        if (found is { } retention) Remember(name, retention.Until);
        return found;
    }

    DateTimeOffset? Known(ObjectName name)
    {
        lock (_gate) return _known.TryGetValue(name, out var until) ? until : null;
    }

    void Remember(ObjectName name, DateTimeOffset until)
    {
        lock (_gate) _known[name] = until;
    }

    /// <summary>Keeps what was learnt for the next run.</summary>
    public void Save()
    {
        lock (_gate) _memory.Write(_known.Where(one => one.Value > Now));
    }
}
