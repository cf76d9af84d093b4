using BackupDr.Contracts;

namespace BackupDr.Storage.Layers;

/// <summary>What a store is asked.</summary>
public enum RequestVerb
{
    /// <summary>Put a whole object.</summary>
    Put,
    /// <summary>Read a range.</summary>
    Read,
    /// <summary>Look whether there is one.</summary>
    Head,
    /// <summary>List a folder.</summary>
    List,
    /// <summary>Delete an object.</summary>
    Delete,
    /// <summary>Locks, classes, versions.</summary>
    Other,
}

/// <summary>Counts what stores were asked and what came of it. Safe for concurrent use.</summary>
public sealed class StoreCounters
{
    sealed class OfVerb
    {
        public long Requests, Bytes, Ticks;
        public readonly long[] Errors = new long[Enum.GetValues<StoreFault>().Length];
    }

    readonly OfVerb[] _verbs = [.. Enum.GetValues<RequestVerb>().Select(_ => new OfVerb())];
    long _retries;

    /// <summary>A request ended.</summary>
    /// <param name="verb">What was asked.</param>
    /// <param name="bytes">Bytes that passed; 0 where it failed.</param>
    /// <param name="took">How long it was under way.</param>
    /// <param name="fault">How it failed; null where it did not.</param>
    public void Add(RequestVerb verb, long bytes, TimeSpan took, StoreFault? fault)
    {
        var counts = _verbs[(int)verb];
        Interlocked.Increment(ref counts.Requests);
        Interlocked.Add(ref counts.Bytes, bytes);
        Interlocked.Add(ref counts.Ticks, took.Ticks);
        if (fault is { } kind) Interlocked.Increment(ref counts.Errors[(int)kind]);
    }

    /// <summary>A request is made again.</summary>
    public void Retried() => Interlocked.Increment(ref _retries);

    /// <summary>What was counted until now; null where nothing was asked.</summary>
    public StoreTraffic? Read()
    {
        var verbs = new List<VerbTraffic>();
        foreach (var verb in Enum.GetValues<RequestVerb>())
        {
            var counts = _verbs[(int)verb];
            if (Volatile.Read(ref counts.Requests) is var requests && requests == 0) continue;
            var errors = Enum.GetValues<StoreFault>().Where(fault => Volatile.Read(ref counts.Errors[(int)fault]) > 0)
                .ToDictionary(StoreException.WordOf, fault => Volatile.Read(ref counts.Errors[(int)fault]));
            verbs.Add(new VerbTraffic(verb.ToString().ToLowerInvariant(), requests, Volatile.Read(ref counts.Bytes),
                new TimeSpan(Volatile.Read(ref counts.Ticks)).TotalSeconds, errors.Count == 0 ? null : errors));
        }
        return verbs.Count == 0 ? null : new StoreTraffic(verbs, Volatile.Read(ref _retries));
    }
}
