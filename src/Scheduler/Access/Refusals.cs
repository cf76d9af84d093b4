using System.Collections.Concurrent;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>Writes refused attempts into the audit log: each caller's attempt at each thing once a minute, so that a flood of them does
/// not become one of the log.</summary>
public sealed partial class Refusals(Postgres db, TimeProvider clock, ILogger<Refusals> log)
{
    /// <summary>How long the same attempt of the same caller is not written down again.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromMinutes(1);

    /// <summary>Attempts that are remembered; beyond that none is written until the oldest are forgotten.</summary>
    public const int MostRemembered = 5000;

    readonly ConcurrentDictionary<(string Who, string What), long> _noted = new();

    /// <summary>Writes one down. What cannot be written is logged: the refusal itself counts.</summary>
    /// <param name="caller">Who was refused.</param>
    /// <param name="what">What it tried.</param>
    /// <param name="why">Why it was refused.</param>
    /// <param name="ct">Cancels.</param>
    public async Task Note(Caller caller, string what, string why, CancellationToken ct)
    {
        var now = clock.GetTimestamp();
        if (_noted.Count >= MostRemembered)
            foreach (var (key, at) in _noted)
                if (clock.GetElapsedTime(at, now) > Silence) _noted.TryRemove(key, out _);
        var attempt = (caller.Name, what);
        if (_noted.TryGetValue(attempt, out var last) && clock.GetElapsedTime(last, now) < Silence
            || _noted.Count >= MostRemembered) return;
        _noted[attempt] = now;
        try
        {
            await db.InTransaction(tx => Audit.Add(tx, caller, "access.refused", what, caller.Address.Length > 0
                ? $"{why} From {caller.Address}." : why, ct), ct);
        }
        // Without a database nothing else happens either.
        catch (Exception e) when (Outage.Is(e)) { LogLost(log, caller.Name, what, e.Message); }
    }

    [LoggerMessage(2302, LogLevel.Warning, "{Who} was refused {What}, which could not be written into the audit log: {Reason}")]
    static partial void LogLost(ILogger log, string who, string what, string reason);
}
