using System.Globalization;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Calendar;

/// <summary>When a run starts.</summary>
/// <param name="At">Not before this moment.</param>
/// <param name="WaitsFor">What it waits for until then, in words; null where it waits for nothing.</param>
public readonly record struct PlannedStart(DateTimeOffset At, string? WaitsFor);

/// <summary>The longest time from one start of an item to the next.</summary>
/// <param name="Gap">How long.</param>
/// <param name="From">Where it begins, at the soonest from now.</param>
public readonly record struct WorstGap(TimeSpan Gap, DateTimeOffset From);

/// <summary>When the runs of a policy are due, and when they start: nominal times by interval or cron, then windows and blackouts, then
/// each item's place in the spread. Pure. Not for several threads at once.</summary>
/// <remarks>The nominal time is what a run is known by; the rest only moves its start. docs/decisions/0029-when-runs-start.md.</remarks>
public sealed class StartTimes
{
    /// <summary>How late a run may begin where what was missed is skipped.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromHours(1);
    /// <summary>The longest spread that nobody asked for.</summary>
    public static readonly TimeSpan LongestOwnSpread = TimeSpan.FromMinutes(30);

    const int HorizonDays = 60, MostTimes = 1000;

    readonly ScheduleSpec _schedule;
    readonly CronTimes? _cron;
    readonly StartHours _hours;

    StartTimes(ScheduleSpec schedule)
    {
        _schedule = schedule;
        _cron = schedule.Cron is null ? null : CronTimes.Parse(schedule.Cron, schedule.TimeZone);
        _hours = StartHours.Of(schedule);
        Spread = SpreadOf(schedule);
    }

    /// <summary>Those of a schedule.</summary>
    /// <exception cref="BadInputException">Its cron expression, zone, windows or blackouts are none.</exception>
    public static StartTimes Of(ScheduleSpec schedule) => new(schedule);

    /// <summary>The span over which the starts of items are spread.</summary>
    public TimeSpan Spread { get; }

    /// <summary>The span of a schedule: as it says, else a tenth of the interval, at most half an hour, and none with cron.</summary>
    public static TimeSpan SpreadOf(ScheduleSpec schedule)
    {
        if (schedule.Spread is { } given) return given;
        if (schedule.Cron is not null) return TimeSpan.Zero;
        var tenth = TimeSpan.FromSeconds(Math.Floor(schedule.Every.TotalSeconds / 10));
        return tenth < LongestOwnSpread ? tenth : LongestOwnSpread;
    }

    /// <summary>The hours in which runs may start.</summary>
    public StartHours Hours => _hours;

    /// <summary>The first nominal time after a moment; null where there is none in nine years.</summary>
    public DateTimeOffset? NextNominal(DateTimeOffset after) => _cron is null ? DueTimes.Next(_schedule.Every, after) : _cron.Next(after);

    /// <summary>The newest nominal time that is not after a moment.</summary>
    public DateTimeOffset? LastNominal(DateTimeOffset until)
        => _cron is null ? DueTimes.Previous(_schedule.Every, until) : _cron.Last(until);

    /// <summary>The nominal time that fires at a moment, if it was not fired already: the newest that has come since the schedule
    /// began, in place of all before it.</summary>
    public DateTimeOffset? Due(DateTimeOffset since, DateTimeOffset now)
        => LastNominal(now) is { } nominal && nominal > since ? nominal : null;

    /// <summary>The first moment after one at which runs start, but for the spread. Nominal times that wait for the same opening are
    /// one.</summary>
    public DateTimeOffset? Next(DateTimeOffset after)
        => LastNominal(after) is { } last && _hours.Opening(last) is { } opening && opening > after ? opening
            : NextNominal(after) is { } next ? _hours.Opening(next) : null;

    /// <summary>How far an item's start lies in a span: always the same for the same item, evenly spread over all items. Whole seconds,
    /// less than the span.</summary>
    public static TimeSpan Shift(ItemId item, TimeSpan span)
    {
        var seconds = (long)span.TotalSeconds;
        if (seconds < 1) return TimeSpan.Zero;
        Span<byte> bytes = stackalloc byte[16];
        item.Value.TryWriteBytes(bytes);
        return TimeSpan.FromSeconds((long)((Mixed(BitConverter.ToUInt64(bytes)) ^ Mixed(~BitConverter.ToUInt64(bytes[8..])))
            % (ulong)seconds));
    }

    // SplitMix64's finish: ids made in one moment differ in few bits.
    static ulong Mixed(ulong x)
    {
        unchecked
        {
            x += 0x9e3779b97f4a7c15;
            x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
            x = (x ^ x >> 27) * 0x94d049bb133111eb;
            return x ^ x >> 31;
        }
    }

    /// <summary>When an item's run of a nominal time starts if nothing is late; null where its windows never open.</summary>
    public PlannedStart? Plan(DateTimeOffset nominal, ItemId item) => From(nominal, item);

    /// <summary>When an item's run of a nominal time starts as things are now: as planned, or, where that has passed, as soon as it
    /// may. Null where its windows never open.</summary>
    public PlannedStart? Plan(DateTimeOffset nominal, ItemId item, DateTimeOffset now)
        => Plan(nominal, item) is not { } planned ? null : planned.At > now ? planned
            : _hours.IsOpen(now) ? new PlannedStart(now, null) : From(now, item);

    PlannedStart? From(DateTimeOffset at, ItemId item)
    {
        if (_hours.Opening(at) is not { } opening) return null;
        var shift = Shift(item, Spread);
        // Also a window that is shorter than the spread spreads what it lets in.
        if (_hours.Closing(opening) is { } closing && closing - opening <= shift)
            shift = TimeSpan.FromSeconds(Math.Floor(shift.TotalSeconds % Math.Max(1, (closing - opening).TotalSeconds)));
        var start = opening + shift;
        return new PlannedStart(start, opening > at ? _hours.Words(at, opening)
            : shift > TimeSpan.Zero ? $"its start at {Clock(start)}: this policy spreads its starts over {Words(Spread)}" : null);
    }

    /// <summary>Whether a run that has not begun is left out, because what was missed is skipped.</summary>
    public bool IsMissed(DateTimeOffset nominal, ItemId item, DateTimeOffset now) => _schedule.CatchUp == CatchUp.Skip
        && Plan(nominal, item) is { } planned && now > planned.At && (now - planned.At > Grace || !_hours.IsOpen(now));

    /// <summary>How many nominal times there are after one up to another, counted up to a thousand.</summary>
    public int Between(DateTimeOffset after, DateTimeOffset until)
    {
        var count = 0;
        for (var at = NextNominal(after); at <= until && count < MostTimes; at = NextNominal(at.Value)) count++;
        return count;
    }

    /// <summary>The longest time between two starts, over the next two months and around each dated blackout to come.</summary>
    public WorstGap Worst(DateTimeOffset now)
    {
        var worst = Regular(now);
        if (_hours.IsAlways) return worst;
        foreach (var (from, until) in Looked(now))
            for (var at = from; _hours.Closing(at) is { } closing && closing < until;)
            {
                if (_hours.Opening(closing) is not { } opening || LastNominal(closing.AddTicks(-1)) is not { } nominal
                    || _hours.Opening(nominal) is not { } last || Next(last) is not { } next) break;
                if (next - last > worst.Gap) worst = new WorstGap(next - last, last);
                at = opening;
            }
        return worst;
    }

    /// <summary>Without windows and blackouts.</summary>
    WorstGap Regular(DateTimeOffset now)
    {
        if (_cron is null) return new WorstGap(_schedule.Every, DueTimes.Next(_schedule.Every, now));
        var worst = new WorstGap(TimeSpan.Zero, now);
        var (last, count) = (NextNominal(now), 0);
        while (last is { } from && NextNominal(from) is { } next && count++ < MostTimes && from < now.AddDays(StartHours.FarthestDays))
        {
            if (next - from > worst.Gap) worst = new WorstGap(next - from, from);
            last = next;
        }
        return worst;
    }

    IEnumerable<(DateTimeOffset From, DateTimeOffset Until)> Looked(DateTimeOffset now)
    {
        yield return (now, now.AddDays(HorizonDays));
        foreach (var blackout in _schedule.Blackouts)
        {
            if (blackout.First is not { } first) continue;
            var begins = new DateTimeOffset(first.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);
            if (begins > now.AddDays(HorizonDays - 1) && begins < now.AddDays(StartHours.FarthestDays))
                yield return (begins.AddDays(-2), (blackout.Last is { } last
                    ? new DateTimeOffset(last.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero) : begins).AddDays(2));
        }
    }

    string Clock(DateTimeOffset at)
        => $"{WallClock.Of(at, WallClock.Zone(_schedule.TimeZone)).ToString("HH:mm", CultureInfo.InvariantCulture)} {_schedule.TimeZone}";

    /// <summary>A duration in words, two units at most: "2 h 10 min".</summary>
    public static string Words(TimeSpan time) => time switch
    {
        { TotalSeconds: < 60 } => $"{(int)time.TotalSeconds} s",
        { TotalMinutes: < 60 } => time.Seconds == 0 ? $"{(int)time.TotalMinutes} min" : $"{(int)time.TotalMinutes} min {time.Seconds} s",
        { TotalHours: < 48 } => time.Minutes == 0 ? $"{(int)time.TotalHours} h" : $"{(int)time.TotalHours} h {time.Minutes} min",
        _ => time.Hours == 0 ? $"{(int)time.TotalDays} d" : $"{(int)time.TotalDays} d {time.Hours} h",
    };
}
