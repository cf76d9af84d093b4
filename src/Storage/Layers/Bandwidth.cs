using BackupDr.Contracts.Rules.Calendar;

namespace BackupDr.Storage.Layers;

/// <summary>Paces bytes in one direction so that all who share it keep to a schedule together. Safe for concurrent use.</summary>
/// <param name="schedule">Bytes a second by the hour of the machine's own time zone.</param>
/// <param name="clock">Tells the hour, and measures.</param>
public sealed class Bandwidth(BandwidthSchedule schedule, TimeProvider clock)
{
    readonly Lock _lock = new();
    BandwidthSchedule _schedule = schedule;
    long _freeAt = long.MinValue;   // a timestamp: when what was handed out so far has passed at the rate of its time

    /// <summary>Another schedule from now on.</summary>
    public void Change(BandwidthSchedule changed)
    {
        lock (_lock) _schedule = changed;
    }

    /// <summary>Waits until so many bytes may pass. Callers pass one after another.</summary>
    /// <param name="bytes">From 0; a few KiB at a time, so that a change of the rate is felt soon.</param>
    /// <param name="ct">Ends the waiting; what was handed out stays so.</param>
    public Task Pass(int bytes, CancellationToken ct)
    {
        var wait = Claim(bytes);
        return wait <= TimeSpan.Zero ? Task.CompletedTask : Task.Delay(wait, clock, ct);
    }

    TimeSpan Claim(int bytes)
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            if (_schedule.At(TimeOnly.FromDateTime(clock.GetLocalNow().DateTime)) is not { } rate)
            {
                _freeAt = now;
                return TimeSpan.Zero;
            }
            var begin = Math.Max(now, _freeAt);
            _freeAt = begin + (long)((double)bytes / rate * clock.TimestampFrequency);
            return clock.GetElapsedTime(now, begin);
        }
    }
}

/// <summary>The limits of one place in both directions; null for none.</summary>
/// <param name="Up">What we send.</param>
/// <param name="Down">What we fetch.</param>
public sealed record BandwidthLimits(Bandwidth? Up, Bandwidth? Down);
