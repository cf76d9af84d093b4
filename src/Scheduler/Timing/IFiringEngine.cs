using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Timing;

/// <summary>A moment that came.</summary>
/// <param name="Key">What was scheduled.</param>
/// <param name="NominalAt">The time it was meant for, whenever it really happens.</param>
public sealed record Firing(string Key, DateTimeOffset NominalAt);

/// <summary>Fires at times, on any node of the cluster, at least once and as a rule once. Holds no truth: every effect is guarded in our
/// tables.</summary>
/// <remarks>The only seam to the job engine. Another engine's adapter must pass the contract suite in
/// tests/Scheduler.Tests/Timing.</remarks>
public interface IFiringEngine
{
    /// <summary>Fires a key by this schedule from now on, replacing another schedule of it. On return it is durable.</summary>
    /// <remarks>The same schedule again changes nothing: a time that came while no node ran is still made up for, once.</remarks>
    Task ScheduleOrReplace(string key, ScheduleSpec schedule, CancellationToken ct);

    /// <summary>Fires a key no more. A key that is not scheduled is an ordinary case.</summary>
    Task Remove(string key, CancellationToken ct);

    /// <summary>Hands firings to <paramref name="fire"/> until cancelled. A firing whose handler throws is not repeated before its next
    /// time.</summary>
    Task Run(Func<Firing, CancellationToken, Task> fire, CancellationToken ct);
}
