using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;

namespace BackupDr.Web.Runs;

/// <summary>Consent to a thaw as a form posts it.</summary>
static class Consent
{
    /// <summary>Days and price; their defaults where a field is empty.</summary>
    /// <exception cref="BadInputException">One of them is no number.</exception>
    public static ThawConsent Of(string? days, string? price) => new(
        string.IsNullOrWhiteSpace(days) ? new ThawConsent().Days
            : int.TryParse(days.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw new BadInputException("days", $"'{days}' is no whole number of days.", "For example 7."),
        string.IsNullOrWhiteSpace(price) ? null : RunStory.Price(price.Trim())
            ?? throw new BadInputException("price", $"'{price}' is no price.", "For example 0.02."));
}
