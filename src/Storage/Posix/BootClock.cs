namespace BackupDr.Storage.Posix;

/// <summary>The system's time whose timestamps go on while the machine sleeps (CLOCK_BOOTTIME). Leases are measured with it.</summary>
/// <remarks>
/// <see cref="TimeProvider.System"/> measures with CLOCK_MONOTONIC, which stands still during a suspend: a laptop that slept for an hour
/// would believe that its lease of 30 seconds still holds. Neither follows changes of the wall clock. Timers are the system's.
/// </remarks>
public sealed class BootClock : TimeProvider
{
    const int BootTime = 7;   // CLOCK_BOOTTIME
    const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>The only one needed.</summary>
    public static BootClock Instance { get; } = new();

    /// <inheritdoc/>
    public override long TimestampFrequency => NanosecondsPerSecond;

    /// <summary>Nanoseconds since the machine started, sleep included.</summary>
    /// <exception cref="PosixException">The kernel has no such clock.</exception>
    public override long GetTimestamp()
        => Libc.clock_gettime(BootTime, out var now) == 0 ? now.Seconds * NanosecondsPerSecond + now.Nanoseconds
            : throw PosixException.FromLast("clock_gettime", default);
}
