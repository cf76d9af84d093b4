using System.Globalization;
using BackupDr.Simulation.Tests.Garbage;

namespace BackupDr.Simulation.Tests;

/// <summary>How many worlds are played: a sample in every run; in the long one a hundred times as many, or as many as
/// BACKUPDR_SEEDS says.</summary>
static class Worlds
{
    /// <summary>The first seed of worlds that take long, so that several processes can share them: BACKUPDR_FIRST_SEED, else 0.</summary>
    public static int First { get; } = Environment.GetEnvironmentVariable("BACKUPDR_FIRST_SEED") is { Length: > 0 } given
        ? int.Parse(given, CultureInfo.InvariantCulture) : 0;

    public static int Seeds(int ordinary) => Environment.GetEnvironmentVariable("BACKUPDR_SEEDS") is { Length: > 0 } given
        ? int.Parse(given, CultureInfo.InvariantCulture)
        : Environment.GetEnvironmentVariable("BACKUPDR_NIGHTLY") == "1" ? 100 * ordinary : ordinary;

    /// <summary>Plays one world after another.</summary>
    /// <remarks>On a thread of its own. Stores that fail and timers that are cancelled make hundreds of exceptions in each world, and each
    /// of them costs as much as the stack is high; below a test's runner that was a third of the time.</remarks>
    public static void Each(int first, int count, Action<int> play)
    {
        Exception? failure = null;
        var seed = first;
        var thread = new Thread(() =>
        {
            try
            {
                for (; seed < first + count; seed++) play(seed);
            }
            catch (Exception e) { failure = e; }   // told below, where the test sees it
        });
        thread.Start();
        thread.Join();
        if (failure is { } broken)
            Assert.Fail($"seed {seed}: {(broken is WorldBrokenException ? broken.Message : broken.ToString())}");
    }

    /// <summary>Plays worlds until one breaks; whether one did.</summary>
    public static bool Breaks(int count, Action<int> play)
    {
        var isBroken = false;
        Each(0, count, seed =>
        {
            if (isBroken) return;
            try { play(seed); }
            catch (WorldBrokenException) { isBroken = true; }   // just what is asked for
        });
        return isBroken;
    }
}
