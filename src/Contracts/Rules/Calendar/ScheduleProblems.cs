using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Calendar;

/// <summary>What is wrong with a schedule, one sentence each. Pure.</summary>
static class ScheduleProblems
{
    // Any moment: an expression that comes at all comes within nine years of it.
    static readonly DateTimeOffset Some = new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static IEnumerable<(string Field, string Problem, string Hint)> Of(ScheduleSpec schedule)
    {
        if (schedule.Cron is null && (schedule.Every < DueTimes.Shortest || schedule.Every > DueTimes.Longest))
            yield return ("schedule", $"An interval of {schedule.Every} is outside of 1 minute to 7 days.", "For example 24 hours.");
        foreach (var problem in OfSpread(schedule)) yield return problem;
        if (!Enum.IsDefined(schedule.CatchUp))
            yield return ("catchUp", $"'{schedule.CatchUp}' is unknown here.", "Once or Skip.");
        if (schedule.Windows.Count > ScheduleSpec.MostWindows)
            yield return ("windows", $"{schedule.Windows.Count} windows are too many.", $"At most {ScheduleSpec.MostWindows}.");
        if (schedule.Blackouts.Count > ScheduleSpec.MostBlackouts)
            yield return ("blackouts", $"{schedule.Blackouts.Count} blackouts are too many.", $"At most {ScheduleSpec.MostBlackouts}.");
        foreach (var blackout in schedule.Blackouts)
            if (blackout.Why is { } why && (why.Trim().Length is 0 or > BlackoutSpec.LongestWhy || why.Any(char.IsControl)))
                yield return ("blackouts", $"A blackout is for something in 1 to {BlackoutSpec.LongestWhy} characters, or nothing is said.",
                    "For example: inventory.");
        if (Times(schedule) is { } wrong) yield return (wrong.Field, wrong.Message, wrong.Hint ?? "");
    }

    static IEnumerable<(string Field, string Problem, string Hint)> OfSpread(ScheduleSpec schedule)
    {
        if (schedule.Spread is not { } spread) yield break;
        if (spread < TimeSpan.Zero || spread > ScheduleSpec.LongestSpread)
            yield return ("spread", $"Starts cannot be spread over {spread}.", "From 0 to 12 hours; for example 30 minutes.");
        else if (schedule.Cron is null && spread > schedule.Every / 2)
            yield return ("spread", $"Starts spread over {StartTimes.Words(spread)} are more than half of the interval of "
                + $"{StartTimes.Words(schedule.Every)}.", $"At most {StartTimes.Words(schedule.Every / 2)}.");
    }

    static BadInputException? Times(ScheduleSpec schedule)
    {
        try
        {
            var times = StartTimes.Of(schedule);
            return schedule.Cron is not null && times.NextNominal(Some) is null
                ? new BadInputException("cron", $"'{schedule.Cron}' never comes.", "For example 30 2 * * * for 02:30 each day.") : null;
        }
        catch (BadInputException e) { return e; }   // one problem among those that are listed
    }
}
