using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Web.Repositories;

/// <summary>A quota as people write it: in GiB.</summary>
static class QuotaText
{
    /// <summary>As it is written again into its field; empty for none.</summary>
    public static string Of(long? bytes)
        => bytes is { } quota ? ((decimal)quota / (1L << 30)).ToString("0.######", CultureInfo.InvariantCulture) : "";

    /// <summary>In bytes; null for none.</summary>
    /// <exception cref="BadInputException">It is no number above zero.</exception>
    public static long? Bytes(string? text)
    {
        if (text?.Trim() is not { Length: > 0 } given) return null;
        return decimal.TryParse(given, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var gibibytes)
            && gibibytes > 0 && gibibytes < 1 << 30 ? (long)decimal.Round(gibibytes * (1L << 30))
            : throw new BadInputException("quotaBytes", $"'{given}' is no number of GiB.", "For example 500.");
    }
}
