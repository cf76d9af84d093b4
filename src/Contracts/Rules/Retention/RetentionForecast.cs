namespace BackupDr.Contracts.Rules.Retention;

/// <summary>A recovery point and what the forecast says of it.</summary>
/// <param name="Point">The point.</param>
/// <param name="Of">Its place in the list that was given; null for one that is still to be taken.</param>
/// <param name="DroppedAt">When nothing keeps it any more, so that it goes into the trash; null while something does.</param>
/// <param name="ForgottenAt">When it leaves the trash for good; null where that is after the end.</param>
/// <param name="Reasons">What keeps it at the end, or kept it last.</param>
public sealed record ForecastPoint(KeptPoint Point, int? Of, DateTimeOffset? DroppedAt, DateTimeOffset? ForgottenAt,
    IReadOnlyList<KeepReason> Reasons);

/// <summary>How many points there are on a day.</summary>
/// <param name="At">When it was looked.</param>
/// <param name="Kept">Points that something keeps.</param>
/// <param name="InTrash">Points in the trash.</param>
public readonly record struct ForecastDay(DateTimeOffset At, int Kept, int InTrash);

/// <summary>What retention would do.</summary>
/// <param name="Points">All points, those given and those to come.</param>
/// <param name="Days">One for each look.</param>
public sealed record Forecast(IReadOnlyList<ForecastPoint> Points, IReadOnlyList<ForecastDay> Days);

/// <summary>Plays a policy's schedule and the fleet's retention over days to come, with the planner of the real one. Pure.</summary>
public static class RetentionForecast
{
    /// <summary>From one look of retention at an item to the next, in the forecast as in the fleet.</summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromDays(1);
    /// <summary>Most points that are played.</summary>
    public const int MostPoints = 100_000;
    /// <summary>Most days.</summary>
    public const int MostDays = 4_000;

    sealed class Played(KeptPoint point, int? of, DateTimeOffset? until)
    {
        public KeptPoint Point => point;
        public int? Of => of;
        public DateTimeOffset? Until = until, DroppedAt, ForgottenAt;
        public IReadOnlyList<KeepReason> Reasons = [];
    }

    /// <summary>Plays; the first look is at once.</summary>
    /// <param name="points">The points that there are.</param>
    /// <param name="trash">When each of them leaves the trash, in the same order; null for one that is not in it.</param>
    /// <param name="next">The first firing after a moment; null where there is none any more. Each makes a complete point.</param>
    /// <param name="terms">What decides.</param>
    /// <param name="trashTime">How long what is dropped stays in the trash.</param>
    /// <param name="from">The first look.</param>
    /// <param name="days">How many days, from 0.</param>
    /// <exception cref="BadInputException">That were too many points or days.</exception>
    public static Forecast Run(IReadOnlyList<KeptPoint> points, IReadOnlyList<DateTimeOffset?> trash,
        Func<DateTimeOffset, DateTimeOffset?> next, KeepTerms terms, TimeSpan trashTime, DateTimeOffset from, int days)
    {
        if (days is < 0 or > MostDays) throw new BadInputException("days", $"{days} days cannot be played.", $"From 0 to {MostDays}.");
        var all = points.Select((point, at) => new Played(point, at, trash[at])).ToList();
        var there = all.Where(one => !one.Point.IsGone).ToList();
        var counts = new List<ForecastDay>();
        var due = next(from);
        for (var look = from; ; look += LookEvery)
        {
            for (; due <= look; due = next(due.Value))
            {
                if (all.Count >= MostPoints) throw new BadInputException("days", $"That makes more than {MostPoints} recovery points.",
                    "Play fewer days.");
                var taken = new Played(new KeptPoint { ReceivedAt = due.Value }, null, null);
                all.Add(taken);
                there.Add(taken);
            }
            counts.Add(Look(there, terms, trashTime, look));
            if (look >= from.AddDays(days)) break;
        }
        return new Forecast([.. all.Select(one => new ForecastPoint(one.Point, one.Of, one.DroppedAt, one.ForgottenAt, one.Reasons))],
            counts);
    }

    static ForecastDay Look(List<Played> there, KeepTerms terms, TimeSpan trashTime, DateTimeOffset now)
    {
        var verdicts = KeepPlan.Make([.. there.Select(one => one.Point)], terms, now);
        var inTrash = 0;
        for (var at = 0; at < there.Count; at++)
        {
            var one = there[at];
            if (verdicts[at].Keeps) (one.Until, one.DroppedAt, one.Reasons) = (null, null, verdicts[at].Reasons);
            else if (one.Until is null) (one.DroppedAt, one.Until) = (now, now + trashTime);
            else if (one.Until <= now) one.ForgottenAt = now;
            else one.DroppedAt ??= now;
            if (one.Until > now) inTrash++;
        }
        var kept = verdicts.Count(verdict => verdict.Keeps);
        there.RemoveAll(one => one.ForgottenAt is not null);
        return new ForecastDay(now, kept, inTrash);
    }
}
