using System.Globalization;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Retention;

/// <summary>What of a new point is so unlike those before it that a person should look before anything of its item is forgotten. Pure.
/// </summary>
/// <remarks>Each item is measured by its own past: a host that rewrites everything each night is not unusual for doing so again.</remarks>
public static class Anomalies
{
    /// <summary>With fewer files or bytes than these, a share says nothing.</summary>
    const long FewestFiles = 20, FewestBytes = 1 << 20;
    /// <summary>Points that make a past.</summary>
    const int ShortestPast = 3;
    /// <summary>How many times the usual share is far above it.</summary>
    const double FarAbove = 3;
    /// <summary>New data that did not compress, in percent of all new data: nearly all of it, and usually less than half.</summary>
    const double Encrypted = 90, Plain = 50;
    /// <summary>New data in percent of all, from which on that counts.</summary>
    const double MuchNew = 20;

    /// <summary>What is unusual, one sentence each; nothing where all is as it was.</summary>
    /// <param name="now">The new point.</param>
    /// <param name="past">Complete points before it, newest first.</param>
    /// <param name="spec">From when on.</param>
    public static IReadOnlyList<string> Of(BackupResult now, IReadOnlyList<BackupResult> past, AnomalySpec spec)
    {
        if (!spec.IsOn || past.Count == 0) return [];
        var found = new List<string>();
        var last = past[0];
        if (last.Files >= FewestFiles && Percent(last.Files - now.Files, last.Files) >= spec.ShrinkPercent)
            found.Add($"It has {Number(now.Files)} files, and the point before had {Number(last.Files)}.");
        if (last.Bytes >= FewestBytes && Percent(last.Bytes - now.Bytes, last.Bytes) >= spec.ShrinkPercent)
            found.Add($"It has {Number(now.Bytes)} bytes, and the point before had {Number(last.Bytes)}.");
        if (IsFarAbove(now, past, spec.ChurnPercent, Churn))
            found.Add($"{Churn(now):0} % of it is new or changed since the point before; usually it is {Usual(past, Churn):0} %.");
        if (now.ExtensionsChanged is { } renamed && last.Files >= FewestFiles && Percent(renamed, last.Files) >= spec.ShrinkPercent)
            found.Add($"{Number(renamed)} files have another extension than before.");
        if (Percent(now.BytesNew, now.Bytes) >= MuchNew && past.Count >= ShortestPast && Raw(now) >= Encrypted && Usual(past, Raw) < Plain)
            found.Add($"{Raw(now):0} % of its new data cannot be compressed, as if it were encrypted; usually it is "
                + $"{Usual(past, Raw):0} %.");
        return found;
    }

    static bool IsFarAbove(BackupResult now, IReadOnlyList<BackupResult> past, int percent, Func<BackupResult, double> share)
        => past.Count >= ShortestPast && (now.Files >= FewestFiles || now.Bytes >= FewestBytes) && share(now) >= percent
        && share(now) >= FarAbove * Usual(past, share);

    /// <summary>New and changed files of all; of one large file the new bytes of all.</summary>
    static double Churn(BackupResult point) => point.Files >= FewestFiles ? Percent(point.FilesNew + point.FilesChanged, point.Files)
        : Percent(point.BytesNew, point.Bytes);

    static double Raw(BackupResult point) => Percent(point.BytesIncompressible ?? 0, point.BytesNew);

    /// <summary>The middle one, so that one odd night changes nothing. The first point of all is new as a whole and says nothing.</summary>
    static double Usual(IReadOnlyList<BackupResult> past, Func<BackupResult, double> share)
    {
        var shares = past.Where(point => point.ParentId is not null || past.Count == 1).Select(share).Order().ToList();
        return shares.Count == 0 ? 0 : shares[shares.Count / 2];
    }

    static double Percent(long part, long all) => all <= 0 ? 0 : 100.0 * part / all;
    static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
