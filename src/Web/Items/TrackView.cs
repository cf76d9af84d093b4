using System.Globalization;
using BackupDr.Contracts.Api;

namespace BackupDr.Web.Items;

/// <summary>What the point-in-time track of an item shows: seconds since its beginning on one axis. Pure.</summary>
/// <param name="log">Stretches of the item's log.</param>
/// <param name="asked">The moment that is asked for; null for the newest.</param>
/// <param name="now">Now.</param>
public sealed class TrackView(ItemLog log, DateTimeOffset? asked, DateTimeOffset now)
{
    /// <summary>Seconds that the lower track shows.</summary>
    public const int Near = 3600;

    /// <summary>Where the track begins.</summary>
    public DateTimeOffset Begin => log.Stretches[0].From;

    /// <summary>The newest moment that can be restored to.</summary>
    public DateTimeOffset Newest => log.Stretches[^1].To;

    /// <summary>The chosen moment, to the second.</summary>
    public DateTimeOffset Chosen { get; } = Whole(asked ?? log.Stretches[^1].To);

    /// <summary>Seconds of the whole track, at least a minute.</summary>
    public long Length => Math.Max(60, (long)Math.Ceiling(((Newest > now ? Newest : now) - Begin).TotalSeconds));

    /// <summary>Seconds from the beginning to a moment.</summary>
    public double At(DateTimeOffset moment) => Math.Round((moment - Begin).TotalSeconds, 3);

    /// <summary>The stretches, then the gaps between them.</summary>
    public IEnumerable<(double From, double To, bool IsGap, string Words)> Parts()
    {
        foreach (var stretch in log.Stretches)
            yield return (At(stretch.From), Math.Max(At(stretch.To), At(stretch.From) + 1), false,
                $"{Words(stretch.From)} to {Words(stretch.To)} can be restored");
        for (var at = 1; at < log.Stretches.Count; at++)
            yield return (At(log.Stretches[at - 1].To), At(log.Stretches[at].From), true,
                $"gap: {Words(log.Stretches[at - 1].To)} to {Words(log.Stretches[at].From)}");
    }

    /// <summary>Whether the chosen moment can be restored to.</summary>
    public bool IsInside => log.Stretches.Any(stretch => stretch.From <= Chosen && Chosen <= stretch.To);

    /// <summary>What is so at the chosen moment.</summary>
    public string Verdict => IsInside ? "This moment can be restored."
        : Chosen > Newest ? $"This is later than what is stored, which reaches to {Words(Newest)}."
        : Chosen < Begin ? $"This is before the end of the oldest base backup, {Words(Begin)}."
        : "This lies in a gap of the log.";

    /// <summary>The stretches for the script: "FROM-TO,FROM-TO" in seconds since 1970.</summary>
    public string Machine => string.Join(',', log.Stretches.Select(stretch => string.Create(CultureInfo.InvariantCulture,
        $"{(long)Math.Ceiling(Unix(stretch.From))}-{(long)Math.Floor(Unix(stretch.To))}")));

    /// <summary>A window of the track as SVG wants it.</summary>
    public string Window(double from, double length) => string.Create(CultureInfo.InvariantCulture, $"{from:0.###} 0 {length:0.###} 10");

    /// <summary>The window of the lower track.</summary>
    public string NearWindow => Window(At(Chosen) - Near / 2.0, Near);

    /// <summary>For an attribute of SVG.</summary>
    public static string Number(double number) => number.ToString("0.###", CultureInfo.InvariantCulture);

    /// <summary>"2026-11-21 14:03:00 UTC".</summary>
    public static string Words(DateTimeOffset at) => BackupDr.Web.Parts.Words.Exact(at);

    /// <summary>As it stands in the field and in addresses.</summary>
    public static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>Reads what was typed, in UTC unless it names a zone; null where it is no time.</summary>
    public static DateTimeOffset? Read(string? text) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture,
        DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at) ? at : null;

    static double Unix(DateTimeOffset at) => at.ToUnixTimeMilliseconds() / 1000.0;

    static DateTimeOffset Whole(DateTimeOffset at) => DateTimeOffset.FromUnixTimeSeconds(at.ToUnixTimeSeconds());
}
