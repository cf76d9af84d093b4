using System.Collections.Concurrent;
using System.Diagnostics;
using BackupDr.Storage;
using BackupDr.TestKit.Stores;

namespace BackupDr.TestKit.Crashes;

/// <summary>A moment at which a process dies: before or after the n-th time that a step is taken.</summary>
/// <param name="Step">For example "put data", "delete locks", "finish file".</param>
/// <param name="IsAfter">Whether the step's work is done.</param>
/// <param name="Number">From 1.</param>
public readonly record struct CrashPoint(string Step, bool IsAfter, int Number)
{
    public override string ToString() => $"{Step}:{(IsAfter ? "after" : "before")}:{Number}";

    /// <summary>The inverse of <see cref="ToString"/>.</summary>
    public static CrashPoint Parse(string text)
        => text.Split(':') is [var step, "before" or "after", var number]
            ? new CrashPoint(step, text.Contains(":after:", StringComparison.Ordinal), int.Parse(number))
            : throw new FormatException($"'{text}' names no crash point.");
}

/// <summary>Counts the steps of this process and kills it with SIGKILL at one of them: nothing is unwound, flushed or released.</summary>
/// <param name="at">Where it dies; null only counts.</param>
/// <param name="instead">Called there instead of the kill; it may also end the process a moment later, while the work goes on.</param>
public sealed class CrashTrigger(CrashPoint? at, Action? instead = null)
{
    readonly ConcurrentDictionary<(string Step, bool IsAfter), int> _counts = new();

    /// <summary>Every moment that was passed.</summary>
    public IEnumerable<CrashPoint> Passed
        => _counts.SelectMany(c => Enumerable.Range(1, c.Value).Select(n => new CrashPoint(c.Key.Step, c.Key.IsAfter, n)));

    /// <summary>A step begins or has ended.</summary>
    public void Reach(string step, bool isAfter)
    {
        var number = _counts.AddOrUpdate((step, isAfter), 1, (_, before) => before + 1);
        if (new CrashPoint(step, isAfter, number) == at) (instead ?? Kill)();
    }

    /// <summary>Kills this process.</summary>
    public static void Kill()
    {
        using var self = Process.GetCurrentProcess();
        self.Kill();
        Thread.Sleep(Timeout.Infinite);   // the signal is on its way; this thread must not go on meanwhile
    }

    /// <summary>Takes one step.</summary>
    public void Step(string name, Action work)
    {
        Reach(name, isAfter: false);
        work();
        Reach(name, isAfter: true);
    }

    /// <summary>A store whose calls are steps: "put data", "read index", "list locks" …</summary>
    public IObjectStore Over(IObjectStore inner)
    {
        Exception? Reached(StoreVerb verb, string name, bool isAfter)
        {
            Reach($"{verb.ToString().ToLowerInvariant()} {name.Split('/')[0]}", isAfter);
            return null;
        }
        return new FaultyStore(inner)
        {
            Before = (verb, name, _) => Reached(verb, name, isAfter: false),
            After = (verb, name, _) => Reached(verb, name, isAfter: true),
        };
    }
}
