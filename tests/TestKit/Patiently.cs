using System.Diagnostics;
using BackupDr.Contracts;
using Npgsql;
using Xunit;

namespace BackupDr.TestKit;

/// <summary>Waits for what nodes, agents and databases come to by themselves, through restarts of whoever is asked.</summary>
public static class Patiently
{
    /// <summary>How long a scene of real processes is waited for, on a machine that is busy otherwise.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    /// <summary>Waits until it is so.</summary>
    /// <param name="isSo">Looks.</param>
    /// <param name="what">What is waited for, in words.</param>
    /// <param name="logs">What those who were asked say, where it does not come about.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>How long it took.</returns>
    public static async Task<TimeSpan> Until(Func<Task<bool>> isSo, string what, Func<Task<string>> logs, CancellationToken ct = default)
    {
        for (var begun = Stopwatch.GetTimestamp(); ;)
        {
            Exception? last = null;
            try { if (await isSo()) return Stopwatch.GetElapsedTime(begun); }
            // Who starts does not answer yet.
            catch (Exception e) when (e is UnavailableException or HttpRequestException or NpgsqlException) { last = e; }
            if (Stopwatch.GetElapsedTime(begun) > Patience) Assert.Fail($"Not within {Patience}: {what}.\n{last?.Message}\n{await logs()}");
            await Task.Delay(LookEvery, ct);
        }
    }
}
