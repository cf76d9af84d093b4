using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Retention;

/// <summary>A policy's retention as rules for the planner, and in plain words.</summary>
public static class RetentionWords
{
    /// <summary>The rules.</summary>
    /// <exception cref="BadInputException">A count or a span cannot be read.</exception>
    public static KeepRules Rules(this RetentionSpec spec)
    {
        var rules = new KeepRules
        {
            Last = spec.KeepLast,
            Hourly = spec.KeepHourly,
            Daily = spec.KeepDaily,
            Weekly = spec.KeepWeekly,
            Monthly = spec.KeepMonthly,
            Yearly = spec.KeepYearly,
            Within = string.IsNullOrEmpty(spec.KeepWithin) ? default : RetentionSpan.Parse(spec.KeepWithin, "keepWithin"),
        };
        rules.Validate();
        return rules;
    }

    /// <summary>"Keeps the newest of each of 48 hours, 30 days and 12 months, and never fewer than 3. …"</summary>
    public static string Sentence(RetentionSpec spec)
    {
        if (spec.Rules().IsEmpty) return "Keeps every recovery point: there is no rule by which one would go.";
        (int Count, string One, string Many)[] units =
        [
            (spec.KeepHourly, "hour", "hours"), (spec.KeepDaily, "day", "days"), (spec.KeepWeekly, "week", "weeks"),
            (spec.KeepMonthly, "month", "months"), (spec.KeepYearly, "year", "years"),
        ];
        var parts = new List<string>();
        if (spec.KeepLast > 0) parts.Add(spec.KeepLast == 1 ? "the newest recovery point" : $"the newest {spec.KeepLast} recovery points");
        if (!string.IsNullOrEmpty(spec.KeepWithin)) parts.Add($"all of the last {SpanWords(spec.KeepWithin)}");
        var counted = units.Where(unit => unit.Count > 0)
            .Select(unit => $"{unit.Count} {(unit.Count == 1 ? unit.One : unit.Many)}").ToList();
        if (counted.Count > 0) parts.Add($"the newest of each of {Joined(counted)}");
        return $"Keeps {Joined(parts)}, and never fewer than {spec.Floor}. What goes can be restored and taken back for "
            + $"{Days(spec.Trash)} more.";
    }

    /// <summary>What keeps a point, as words within a sentence: "daily and monthly".</summary>
    public static string Words(IEnumerable<KeepReason> reasons) => Joined([.. reasons.Select(Word)]);

    /// <summary>One reason in words.</summary>
    public static string Word(KeepReason reason) => reason switch
    {
        KeepReason.Last => "the newest ones",
        KeepReason.Hourly => "hourly",
        KeepReason.Daily => "daily",
        KeepReason.Weekly => "weekly",
        KeepReason.Monthly => "monthly",
        KeepReason.Yearly => "yearly",
        KeepReason.Within => "its age",
        KeepReason.Floor => "the floor",
        KeepReason.NewestComplete => "being the newest complete one",
        KeepReason.LastProven => "being the last proven one",
        KeepReason.LegalHold => "a legal hold",
        KeepReason.ItemHold => "the hold on its item",
        KeepReason.TakenOut => "having been taken out of the trash",
        KeepReason.NoRules => "there being no rules",
        KeepReason.BeginsLog => "the log behind it",
        _ => "nobody being allowed to remove it",
    };

    /// <summary>The letter of the longest rule that keeps a point: Y, M, W, D, H, or a dot.</summary>
    public static char Letter(IReadOnlyList<KeepReason> reasons)
        => reasons.Contains(KeepReason.Yearly) ? 'Y' : reasons.Contains(KeepReason.Monthly) ? 'M'
            : reasons.Contains(KeepReason.Weekly) ? 'W' : reasons.Contains(KeepReason.Daily) ? 'D'
            : reasons.Contains(KeepReason.Hourly) ? 'H' : '·';

    static string Days(TimeSpan time)
        => time.TotalDays is 1 ? "a day" : $"{time.TotalDays.ToString("0.#", System.Globalization.CultureInfo.InvariantCulture)} days";

    static string SpanWords(string text)
    {
        var span = RetentionSpan.Parse(text, "keepWithin");
        (int Count, string Word)[] parts = [(span.Years, "year"), (span.Months, "month"), (span.Days, "day"), (span.Hours, "hour")];
        return Joined([.. parts.Where(part => part.Count > 0).Select(part => $"{part.Count} {part.Word}{(part.Count == 1 ? "" : "s")}")]);
    }

    static string Joined(IReadOnlyList<string> parts)
        => parts.Count < 2 ? string.Concat(parts) : $"{string.Join(", ", parts.Take(parts.Count - 1))} and {parts[^1]}";
}
