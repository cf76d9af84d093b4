using System.Globalization;
using System.Text;

namespace BackupDr.Contracts.Rules.Retention;

/// <summary>A length of calendar time as restic writes it: "1y5m7d2h". Years and months are counted on the calendar.</summary>
/// <param name="Years">Years, 0 or more.</param>
/// <param name="Months">Months, 0 or more.</param>
/// <param name="Days">Days, 0 or more.</param>
/// <param name="Hours">Hours, 0 or more.</param>
public readonly record struct RetentionSpan(int Years, int Months, int Days, int Hours)
{
    const int Largest = 100_000;

    /// <summary>Whether it has no length.</summary>
    public bool IsZero => this == default;

    /// <summary>Reads "1y5m7d2h"; each unit at most once and in any order.</summary>
    /// <exception cref="BadInputException">It is not of that form.</exception>
    public static RetentionSpan Parse(string text, string field)
    {
        var (years, months, days, hours, number) = (0, 0, 0, 0, "");
        foreach (var letter in text)
        {
            if (char.IsAsciiDigit(letter)) { number += letter; continue; }
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value > Largest)
                throw Refused(text, field);
            number = "";
            ref var unit = ref years;
            switch (letter)
            {
                case 'y': break;
                case 'm': unit = ref months; break;
                case 'd': unit = ref days; break;
                case 'h': unit = ref hours; break;
                default: throw Refused(text, field);
            }
            if (unit != 0) throw Refused(text, field);
            unit = value;
        }
        return text.Length > 0 && number.Length == 0 ? new RetentionSpan(years, months, days, hours) : throw Refused(text, field);
    }

    static BadInputException Refused(string text, string field)
        => new(field, $"'{text}' is no length of time.", "Write for example 30d, 12h or 1y6m.");

    /// <summary>
    /// The moment this long before another. A day that a month does not have runs over into the next one, as it does in restic.
    /// </summary>
    public DateTimeOffset Before(DateTimeOffset time)
    {
        var month = time.Year * 12 + time.Month - 1 - Years * 12 - Months;
        if (month < 12) return DateTimeOffset.MinValue;
        var first = new DateTimeOffset(month / 12, month % 12 + 1, 1, 0, 0, 0, time.Offset);
        var back = TimeSpan.FromDays(time.Day - 1 - Days) + time.TimeOfDay - TimeSpan.FromHours(Hours);
        return first - DateTimeOffset.MinValue < -back ? DateTimeOffset.MinValue : first + back;
    }

    /// <summary>The form that <see cref="Parse"/> reads.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var (value, unit) in ((int, char)[])[(Years, 'y'), (Months, 'm'), (Days, 'd'), (Hours, 'h')])
            if (value != 0) text.Append(CultureInfo.InvariantCulture, $"{value}{unit}");
        return text.Length == 0 ? "0d" : text.ToString();
    }
}
