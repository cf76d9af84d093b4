using System.Collections.Concurrent;
using BackupDr.Storage.Layers;

namespace BackupDr.Cli;

/// <summary>What the stores of this program's one command were asked: told when it ends, also where it failed.</summary>
static class ToldTraffic
{
    static readonly ConcurrentQueue<(string Url, StoreCounters Counters, Output Output)> Stores = new();

    /// <summary>A store that is to be told of.</summary>
    public static void Add(string url, StoreCounters counters, Output output) => Stores.Enqueue((url, counters, output));

    /// <summary>Tells, once.</summary>
    public static void Tell()
    {
        while (Stores.TryDequeue(out var store))
            if (store.Counters.Read() is { } traffic) store.Output.Traffic(store.Url, traffic);
    }
}
