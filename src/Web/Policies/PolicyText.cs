using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using BackupDr.Web.Parts;

namespace BackupDr.Web.Policies;

/// <summary>Parts of a policy in words.</summary>
public static class PolicyText
{
    /// <summary>How many items are in which state.</summary>
    public static IEnumerable<(Tone Tone, string Word, int Count)> States(Policy policy)
        => policy.Items.GroupBy(item => Tones.Of(item.State)).Select(g => (g.Key.Tone, g.Key.Word.ToLowerInvariant(), g.Count()));

    public static string Schedule(ScheduleSpec schedule)
        => (schedule.Cron is { Length: > 0 } cron ? $"cron {cron} ({schedule.TimeZone})" : $"every {Words.Duration(schedule.Every)}")
            + (schedule.Windows.Count == 0 ? "" : $", in {string.Join(" or ", schedule.Windows.Select(HoursText.Of))}"
                + (schedule.Cron is null ? $" {schedule.TimeZone}" : ""));

    /// <summary>What becomes of times that passed, and how starts are spread.</summary>
    public static string Starts(ScheduleSpec schedule)
        => (StartTimes.SpreadOf(schedule) is var spread && spread > TimeSpan.Zero ? $"spread over {Words.Duration(spread)}; " : "")
            + (schedule.CatchUp == CatchUp.Skip ? "what was missed is skipped" : "one run makes up for what was missed");

    /// <summary>What the items of a policy achieved at worst in the last 30 days.</summary>
    public static string Achieved(Policy policy)
    {
        var (lost, back) = (policy.Items.Max(item => item.AchievedRpo), policy.Items.Max(item => item.RestoreEstimate?.Time));
        var without = policy.Items.Count(item => item.RestoreEstimate is null);
        return (lost is { } worst ? $"lost at most {Words.Duration(worst)} in the last 30 days" : "no recovery point yet")
            + (back is { } slowest ? $", back in {Words.Duration(slowest)} by the drills" : "")
            + (without == 0 ? "" : without == policy.Items.Count ? "; no drill has measured a restore yet"
                : $"; no drill has measured {Words.Count(without, "item")} yet");
    }

    public static string Proof(ProofSpec proof)
        => (proof.DrillAfterFirst ? "first point at once; " : "")
            + (proof.DrillInterval > TimeSpan.Zero ? $"test restore every {Words.Duration(proof.DrillInterval)}; " : "")
            + (proof.DrillLimit is { } limit ? $"stopped after {Words.Duration(limit)}; " : "")
            + $"a proof counts {Words.Duration(proof.MaximumAge)}";
}
