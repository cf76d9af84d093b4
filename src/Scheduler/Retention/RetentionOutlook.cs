using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;

namespace BackupDr.Scheduler.Retention;

/// <summary>What rules would keep, before they are saved: asked of the planner that the real forget asks.</summary>
static class RetentionOutlook
{
    /// <summary>How far the picture goes back, and how long of it with every point.</summary>
    const int Days = 400, DenseDays = 14;
    const int MostPictured = 2000, MostNamed = 10;

    /// <summary>What would be kept once the schedule has gone on for long.</summary>
    /// <param name="spec">The policy as it would be.</param>
    /// <param name="before">The rules that it has; null for a new one.</param>
    /// <param name="now">The newest moment in the picture.</param>
    public static IReadOnlyList<PicturedPoint> Picture(PolicySpec spec, RetentionSpec? before, DateTimeOffset now)
    {
        var points = History(spec.Schedule, now);
        var kept = KeepPlan.Make(points, Terms(spec.Retention), now);
        var were = before is null ? kept : KeepPlan.Make(points, Terms(before), now);
        List<int> shown = [.. Enumerable.Range(0, points.Count).Reverse().Where(at => kept[at].Keeps || were[at].Keeps).Take(MostPictured)];
        List<int> alive = [.. shown.Where(at => kept[at].Keeps)];
        var forecast = RetentionForecast.Run([.. alive.Select(at => points[at])], new DateTimeOffset?[alive.Count],
            Thinned.Next(spec.Schedule), Terms(spec.Retention), spec.Retention.Trash, now, Days);
        var drops = alive.Zip(forecast.Points).ToDictionary(one => one.First, one => one.Second.DroppedAt);
        return [.. shown.Select(at => new PicturedPoint(points[at].ReceivedAt, kept[at].Reasons, drops.GetValueOrDefault(at),
            (kept[at].Keeps, were[at].Keeps) switch
            {
                (true, false) => PictureChange.Gained,
                (false, true) => PictureChange.Lost,
                _ => PictureChange.None,
            }))];
    }

    static KeepTerms Terms(RetentionSpec spec) => new() { Rules = spec.Rules(), Floor = spec.Floor };

    /// <summary>The points that the schedule would have made; of days that are over for long the last one, as no rule there asks for
    /// more.</summary>
    static List<KeptPoint> History(ScheduleSpec schedule, DateTimeOffset now)
    {
        var next = Thinned.Next(schedule);
        var (points, dense) = (new List<KeptPoint>(), now.AddDays(-DenseDays));
        for (var at = next(now.AddDays(-Days)); at <= now; at = next(at.Value))
        {
            if (at < dense && points.Count > 0 && points[^1].ReceivedAt.UtcDateTime.Date == at.Value.UtcDateTime.Date)
                points.RemoveAt(points.Count - 1);
            points.Add(new KeptPoint { ReceivedAt = at.Value });
        }
        return points;
    }

    /// <summary>What of a policy's points is kept by the rules that it has and would not be by others; null where nothing is.</summary>
    public static async Task<RetentionLoss?> Loss(SqlSource db, PolicyId policy, RetentionSpec after, CancellationToken ct)
    {
        var items = await RetentionTable.Items(db, "i.policy_id = $1", policy, ct);
        var all = await PointTrash.Of(db, [.. items.Select(item => item.Id)], ct);
        var lost = new List<(string Item, JudgedPoint Point)>();
        foreach (var item in items)
        {
            List<JudgedPoint> points = [.. all[item.Id]];
            List<KeptPoint> seen = [.. points.Select(one => one.Point)];
            var (now, then) = (KeepPlan.Make(seen, item.Terms(item.Spec), item.Now), KeepPlan.Make(seen, item.Terms(after), item.Now));
            lost.AddRange(points.Where((_, at) => now[at].Keeps && then[at].Fate == PointFate.Dropped).Select(point => (item.Name, point)));
        }
        if (lost.Count == 0) return null;
        var trash = items.Max(item => item.Trash);
        return new RetentionLoss
        {
            Points = lost.Count,
            Bytes = lost.Sum(one => one.Point.BytesAdded),
            Oldest = lost.Min(one => one.Point.Point.ReceivedAt),
            Items = [.. lost.Select(one => one.Item).Distinct().Order(StringComparer.Ordinal).Take(MostNamed)],
            FirstGoesAt = items[0].Now + (after.Trash > trash ? after.Trash : trash),
        };
    }
}

/// <summary>Plays a policy's schedule and retention over days to come.</summary>
public sealed class SimulatePolicy(Postgres db)
{
    /// <summary>Plays; changes nothing.</summary>
    /// <exception cref="BadInputException">There is neither a policy nor rules, or that were too many days or points.</exception>
    public async Task<PolicySimulation> Handle(Caller caller, SimulatePolicyRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.PolicyRead);
        if (request.Policy is { } whose) await caller.Must(Right.PolicyRead, whose, ct);
        if (request.Days is < 1 or > RetentionForecast.MostDays)
            throw new BadInputException("days", $"{request.Days} days cannot be played.", $"From 1 to {RetentionForecast.MostDays}.");
        if (request.Spec is { } given) Policies.PolicyTable.Check(given, hasLog: true);
        if (request.Policy is not { } id)
        {
            var spec = request.Spec ?? throw new BadInputException("spec", "There is neither a policy nor rules to play.",
                "Name a policy.");
            var terms = new KeepTerms { Rules = spec.Retention.Rules(), Floor = spec.Retention.Floor };
            var now = await db.Scalar<DateTimeOffset>("select clock()", [], ct);
            return new PolicySimulation([Told(null, "", [], RetentionForecast.Run([], [], Next(spec), terms, spec.Retention.Trash, now,
                request.Days))]);
        }
        var own = await db.First("select spec from policy where id = $1 and removed_at is null", [id],
            row => row.Json("spec", WireJson.Default.PolicySpec), ct) ?? throw new NotFoundException("A policy with this id");
        var wanted = request.Spec ?? own;
        var items = await RetentionTable.Items(db, "i.policy_id = $1", id, ct);
        var points = await PointTrash.Of(db, [.. items.Select(item => item.Id)], ct);
        return new PolicySimulation([.. items.Select(item => Told(item.Id, item.Name, [.. points[item.Id]], RetentionForecast.Run(
            [.. points[item.Id].Select(one => one.Point)], [.. points[item.Id].Select(one => one.TrashUntil)], Next(wanted),
            item.Terms(wanted.Retention), wanted.Retention.Trash > item.Trash ? wanted.Retention.Trash : item.Trash, item.Now,
            request.Days)))]);
    }

    static Func<DateTimeOffset, DateTimeOffset?> Next(PolicySpec spec) => StartTimes.Of(spec.Schedule).Next;

    static SimulatedItem Told(ItemId? item, string name, IReadOnlyList<JudgedPoint> points, Forecast forecast) => new(item, name,
        forecast.Days, [.. forecast.Points.Select(one => new SimulatedPoint(one.Of is { } at ? points[at].Id : null, one.Point.ReceivedAt,
            one.DroppedAt, one.ForgottenAt, one.Reasons))]);
}
