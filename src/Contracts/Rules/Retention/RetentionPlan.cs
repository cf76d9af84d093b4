using System.Globalization;

namespace BackupDr.Contracts.Rules.Retention;

/// <summary>A recovery point as the rules see it.</summary>
/// <param name="Time">When it was taken; hours, days and so on are those of its offset.</param>
/// <param name="Tags">Its tags.</param>
public readonly record struct RetentionPoint(DateTimeOffset Time, IReadOnlyList<string> Tags);

/// <summary>What becomes of a point.</summary>
/// <param name="Keeps">Whether it stays.</param>
/// <param name="Reasons">The rules that keep it, in restic's words; empty where it goes.</param>
/// <param name="Rules">The kinds of these rules, in the same order; none where there are no rules at all, or only tags keep it.</param>
public readonly record struct RetentionVerdict(bool Keeps, IReadOnlyList<string> Reasons, IReadOnlyList<KeepReason> Rules);

/// <summary>Decides what is kept. Pure: the same points, rules and time give the same answer.</summary>
public static class RetentionPlan
{
    /// <summary>The verdict of each point, in the order given.</summary>
    /// <param name="points">Points of one group.</param>
    /// <param name="rules">What to keep.</param>
    /// <param name="now">"Within" counts from the newest point that is not after this moment.</param>
    /// <exception cref="BadInputException">The rules are not usable.</exception>
    public static IReadOnlyList<RetentionVerdict> Make(IReadOnlyList<RetentionPoint> points, KeepRules rules, DateTimeOffset now)
    {
        rules.Validate();
        if (rules.IsEmpty) return [.. points.Select(_ => new RetentionVerdict(true, ["policy is empty"], []))];
        var newestFirst = Enumerable.Range(0, points.Count).OrderByDescending(at => points[at].Time).ToList();
        var latest = points.Where(point => point.Time <= now).Select(point => point.Time).DefaultIfEmpty(DateTimeOffset.MinValue).Max();
        var buckets = Buckets(rules, latest);
        var reasons = new List<string>[points.Count];
        var kinds = new List<KeepReason>[points.Count];
        for (var rank = 0; rank < newestFirst.Count; rank++)
        {
            var point = points[newestFirst[rank]];
            var kept = reasons[newestFirst[rank]] = [];
            var kind = kinds[newestFirst[rank]] = [];
            foreach (var tags in rules.Tags)
                if (tags.All(tag => point.Tags.Contains(tag))) kept.Add($"has tags [{string.Join(", ", tags)}]");
            if (!rules.Within.IsZero && point.Time > rules.Within.Before(latest))
            {
                kept.Add($"within {rules.Within}");
                kind.Add(KeepReason.Within);
            }
            foreach (var bucket in buckets)
            {
                if (!bucket.Takes(point.Time, rank)) continue;
                kept.Add(bucket.Reason);
                kind.Add(bucket.Kind);
            }
        }
        var missing = rules.Floor - reasons.Count(kept => kept.Count > 0);
        foreach (var at in newestFirst.Where(at => reasons[at].Count == 0).Take(Math.Max(0, missing)).ToList())
        {
            reasons[at].Add($"at least {rules.Floor}");
            kinds[at].Add(KeepReason.Floor);
        }
        return [.. reasons.Zip(kinds, (kept, kind) => new RetentionVerdict(kept.Count > 0, kept, kind))];
    }

    static List<Bucket> Buckets(KeepRules rules, DateTimeOffset latest)
    {
        var buckets = rules.Counts.Where(rule => rule.Count != 0)
            .Select(rule => new Bucket(rule.Unit, rule.Count, null, $"{KeepRules.Word(rule.Unit)} snapshot")).ToList();
        foreach (var (unit, span) in rules.WithinEach.OrderBy(rule => rule.Key))
            if (!span.IsZero)
                buckets.Add(new Bucket(unit, KeepRules.Unlimited, span.Before(latest), $"{KeepRules.Word(unit)} within {span}"));
        return buckets;
    }

    /// <summary>One counting rule while the points pass by, newest first.</summary>
    sealed class Bucket(KeepUnit unit, int count, DateTimeOffset? after, string reason)
    {
        int _left = count;
        long _last = -1;

        public string Reason => reason;
        public KeepReason Kind => (KeepReason)unit;

        public bool Takes(DateTimeOffset time, int rank)
        {
            if (_left == 0 || time <= after) return false;
            var number = Number(time, rank);
            if (number == _last) return false;
            _last = number;
            if (_left > 0) _left--;
            return true;
        }

        long Number(DateTimeOffset time, int rank) => unit switch
        {
            KeepUnit.Last => rank,
            KeepUnit.Hourly => time.Year * 1_000_000L + time.Month * 10_000 + time.Day * 100 + time.Hour,
            KeepUnit.Daily => time.Year * 10_000L + time.Month * 100 + time.Day,
            KeepUnit.Weekly => ISOWeek.GetYear(time.DateTime) * 100L + ISOWeek.GetWeekOfYear(time.DateTime),
            KeepUnit.Monthly => time.Year * 100L + time.Month,
            KeepUnit.Yearly => time.Year,
            _ => throw new ArgumentOutOfRangeException(nameof(time)),
        };
    }
}
