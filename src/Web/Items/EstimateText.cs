using BackupDr.Contracts.Api;
using BackupDr.Web.Parts;

namespace BackupDr.Web.Items;

/// <summary>How long a restore will take, in words, with what they are based on.</summary>
public static class EstimateText
{
    /// <summary>Of the newest point of an item.</summary>
    public static string Of(Item item) => Of(item.RestoreEstimate, item.NoEstimate, item.Bytes);

    /// <summary>"About 4 min, from the drill of 2026-11-21 03:00:00 UTC."; or why there is none.</summary>
    /// <param name="estimate">The estimate.</param>
    /// <param name="why">Why there is none.</param>
    /// <param name="bytes">What is to be restored.</param>
    public static string Of(RestoreEstimate? estimate, NoEstimate? why, long bytes) => (estimate, why) switch
    {
        ({ IsScaled: true } scaled, _) => $"About {Words.Duration(scaled.Time)}: the drill of {Words.Exact(scaled.DrilledAt)} took "
            + $"{Words.Duration(scaled.Took)} for {Words.Size(scaled.DrilledBytes)}, and this is {Words.Size(bytes)}.",
        ({ } known, _) => $"About {Words.Duration(known.Time)}, from the drill of {Words.Exact(known.DrilledAt)}.",
        (_, NoEstimate.DrillFailed) => "No estimate: its test restores failed, so nothing was measured.",
        (_, NoEstimate.NoDrills) => "No estimate: its policy makes no test restores, so nothing was measured.",
        (_, NoEstimate.DrillTooSmall) => "No estimate: the last drill restored far less than this, so its time says nothing.",
        _ => "No estimate: no drill has measured yet how long it takes.",
    };
}
