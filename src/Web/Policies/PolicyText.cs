using BackupDr.Contracts.Api;
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
        => schedule.Cron is { Length: > 0 } cron ? $"cron {cron} ({schedule.TimeZone})" : $"every {Words.Duration(schedule.Every)}";

    public static string Proof(ProofSpec proof)
        => (proof.DrillAfterFirst ? "first point at once; " : "")
            + (proof.DrillInterval > TimeSpan.Zero ? $"test restore every {Words.Duration(proof.DrillInterval)}; " : "")
            + $"a proof counts {Words.Duration(proof.MaximumAge)}";
}
