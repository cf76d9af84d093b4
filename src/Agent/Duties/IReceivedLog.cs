using BackupDr.Contracts.Agents;
using BackupDr.Engine;

namespace BackupDr.Agent.Duties;

/// <summary>The log of a database server as a duty sees it: something with positions and times that is received until it is told to
/// stop. Each kind of server has its own.</summary>
interface IReceivedLog
{
    /// <summary>What is known before the receiver told anything.</summary>
    LogReport Unknown { get; }

    /// <summary>Looks at the server, then receives until cancelled.</summary>
    /// <param name="place">Where to.</param>
    /// <param name="progress">Told of each step and event.</param>
    /// <param name="ct">Ends it.</param>
    /// <exception cref="BackupDr.Contracts.BackupDrException">Something stands in the way; it is begun again after a pause.</exception>
    Task Receive(LogPlace place, IProgress<LogStep> progress, CancellationToken ct);

    /// <summary>Removes what the receiving holds on the server.</summary>
    /// <exception cref="BackupDr.Contracts.BackupDrException">The server cannot be reached: it is tried again.</exception>
    Task Leave(CancellationToken ct);
}

/// <summary>Where a log is stored.</summary>
/// <param name="HostName">Host in the snapshots.</param>
/// <param name="Journal">Folder of this item's own, for what is not stored yet.</param>
/// <param name="Open">Opens the repository; the receiver closes it.</param>
sealed record LogPlace(string HostName, string Journal, Func<CancellationToken, Task<Repository>> Open);

/// <summary>A step of a receiver.</summary>
/// <param name="At">Where it is.</param>
/// <param name="Told">What happened just now, in a sentence; null where nothing did.</param>
/// <param name="IsAlarm">Whether a person has to know that.</param>
/// <param name="IsHeldBack">Whether the server holds back more than allowed, so that an alarm stays.</param>
readonly record struct LogStep(LogReport At, string? Told = null, bool IsAlarm = false, bool IsHeldBack = false);
