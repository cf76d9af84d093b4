using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Calendar;

/// <summary>A run of an item: its nominal time, and until when it was under way. A firing that comes meanwhile makes no run.</summary>
/// <param name="NominalAt">The nominal time that it was of.</param>
/// <param name="Until">When it ended.</param>
public readonly record struct DealtWith(DateTimeOffset NominalAt, DateTimeOffset Until)
{
    /// <summary>Whether a nominal time is this run's, or came while it was under way.</summary>
    public bool Covers(DateTimeOffset nominal) => nominal >= NominalAt && nominal <= Until;
}

/// <summary>When a host that is alone backs up an item: at the very moments, and for the very nominal times, at which a node would have it
/// done. Pure but for the nominal time that it remembers while its run waits to start. Not for several threads at once.</summary>
/// <param name="schedule">The policy's.</param>
/// <param name="item">The item: its place in the spread.</param>
/// <exception cref="BadInputException">The schedule is none.</exception>
public sealed class AloneDue(ScheduleSpec schedule, ItemId item)
{
    readonly StartTimes _times = StartTimes.Of(schedule);
    DateTimeOffset? _waiting;

    /// <summary>The nominal time whose run starts now; null for none.</summary>
    /// <param name="since">Nominal times up to this one were dealt with by nodes, or are before the schedule began.</param>
    /// <param name="done">What was made by this host, or handed to it.</param>
    /// <param name="now">This moment.</param>
    public DateTimeOffset? Look(DateTimeOffset since, IReadOnlyList<DealtWith> done, DateTimeOffset now)
    {
        // A clock that was put back, an answer that came late: what waited is not due any more.
        if (_waiting is { } before && (before > now || !IsOpen(before, since, done, now))) _waiting = null;
        // As a queued run does, what waits for its start stands for the times that come meanwhile.
        if (_waiting is null && _times.Due(since, now) is { } newest && IsOpen(newest, since, done, now)) _waiting = newest;
        return _waiting is { } nominal && _times.Plan(nominal, item, now) is { } start && start.At <= now ? nominal : null;
    }

    /// <summary>The moment of the next start after a moment, if nothing is late; null for none in sight.</summary>
    public DateTimeOffset? Next(DateTimeOffset after)
        => _times.NextNominal(after) is { } nominal ? _times.Plan(nominal, item)?.At : null;

    bool IsOpen(DateTimeOffset nominal, DateTimeOffset since, IReadOnlyList<DealtWith> done, DateTimeOffset now)
        => nominal > since && !_times.IsMissed(nominal, item, now) && !done.Any(run => run.Covers(nominal));
}
