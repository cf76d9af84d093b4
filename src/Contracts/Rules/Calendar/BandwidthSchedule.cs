using System.Globalization;
using System.Text;

namespace BackupDr.Contracts.Rules.Calendar;

/// <summary>How many bytes a second may pass at which time of the day. Pure; the time zone is the reader's.</summary>
/// <remarks>Written "08:00-18:00 20 MiB/s, else unlimited". Of several windows that hold a time the first counts; one may go over
/// midnight; what no window holds is unlimited unless "else" says otherwise.</remarks>
public sealed class BandwidthSchedule : IEquatable<BandwidthSchedule>
{
    /// <summary>Smallest rate in bytes a second: with less, requests to a store would seem to stall. 16 KiB/s.</summary>
    public const long SmallestRate = 16 << 10;

    /// <summary>Most windows.</summary>
    public const int MostWindows = 12;

    const int MinutesOfDay = 24 * 60;
    const long LargestRate = 1L << 40;
    const string Field = "bandwidth", Example = "For example: 08:00-18:00 20 MiB/s, else unlimited.";
    static readonly (string Word, long Bytes)[] Units = [("KiB/s", 1 << 10), ("MiB/s", 1 << 20), ("GiB/s", 1 << 30)];

    readonly record struct Window(int From, int To, long? Rate)
    {
        public bool Holds(int minute) => From < To ? minute >= From && minute < To : minute >= From || minute < To;
    }

    readonly Window[] _windows;
    readonly long? _else;

    BandwidthSchedule(Window[] windows, long? otherwise) => (_windows, _else) = (windows, otherwise);

    /// <summary>The same rate all day.</summary>
    /// <param name="bytesPerSecond">From <see cref="SmallestRate"/> up.</param>
    public static BandwidthSchedule Always(long bytesPerSecond)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesPerSecond, SmallestRate);
        return new BandwidthSchedule([], bytesPerSecond);
    }

    /// <summary>Reads one; parts are apart by commas or line breaks.</summary>
    /// <exception cref="BadInputException">It is none.</exception>
    public static BandwidthSchedule Parse(string text)
    {
        var windows = new List<Window>();
        (bool IsGiven, long? Rate) otherwise = default;
        foreach (var part in text.Split([',', '\n', ';'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (otherwise.IsGiven) throw Wrong($"Nothing may come after what counts for the rest of the day: '{part}'.");
            var blank = part.IndexOf(' ', StringComparison.Ordinal);
            var first = blank < 0 ? part : part[..blank];
            if (first == "else") otherwise = (true, Rate(part[first.Length..].Trim()));
            else if (first.Contains(':', StringComparison.Ordinal)) windows.Add(Hours(first, part[first.Length..].Trim()));
            else otherwise = (true, Rate(part));
        }
        if (windows.Count > MostWindows) throw Wrong($"There are more than {MostWindows} windows.");
        if (windows.Count == 0 && !otherwise.IsGiven) throw Wrong("It is empty.");
        return new BandwidthSchedule([.. windows], otherwise.Rate);
    }

    /// <summary>Bytes a second at a time of the day; null for no limit.</summary>
    public long? At(TimeOnly time)
    {
        var minute = time.Hour * 60 + time.Minute;
        foreach (var window in _windows)
            if (window.Holds(minute)) return window.Rate;
        return _else;
    }

    /// <summary>Whether there is never a limit.</summary>
    public bool IsUnlimited => _else is null && _windows.All(window => window.Rate is null);

    /// <summary>As <see cref="Parse"/> reads it.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var (from, to, rate) in _windows) text.Append($"{Clock(from)}-{Clock(to)} {Words(rate)}, ");
        return text.Append(_windows.Length == 0 ? "" : "else ").Append(Words(_else)).ToString();
    }

    /// <inheritdoc/>
    public bool Equals(BandwidthSchedule? other) => other is not null && _else == other._else && _windows.SequenceEqual(other._windows);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as BandwidthSchedule);

    /// <inheritdoc/>
    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    static Window Hours(string hours, string rate)
    {
        var ends = hours.Split('-');
        if (ends.Length != 2) throw Wrong($"'{hours}' is no window of the day.");
        var (from, to) = (Minute(ends[0]), Minute(ends[1]));
        if (from == to % MinutesOfDay && to != MinutesOfDay) throw Wrong($"'{hours}' has no length.");
        return new Window(from % MinutesOfDay, to, Rate(rate));
    }

    static int Minute(string text)
    {
        if (text == "24:00") return MinutesOfDay;
        return TimeOnly.TryParseExact(text, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? time.Hour * 60 + time.Minute : throw Wrong($"'{text}' is no time of the day from 00:00 to 24:00.");
    }

    static long? Rate(string text)
    {
        if (text == "unlimited") return null;
        foreach (var (word, bytes) in Units)
        {
            if (!text.EndsWith(word, StringComparison.Ordinal)) continue;
            if (long.TryParse(text[..^word.Length].TrimEnd(), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                && count > 0 && count <= LargestRate / bytes && count * bytes >= SmallestRate) return count * bytes;
        }
        throw Wrong($"'{text}' is no rate: a whole number with KiB/s, MiB/s or GiB/s, from 16 KiB/s up, or 'unlimited'.");
    }

    static string Clock(int minute) => string.Create(CultureInfo.InvariantCulture, $"{minute / 60:00}:{minute % 60:00}");

    static string Words(long? rate)
    {
        if (rate is not { } bytes) return "unlimited";
        var (word, unit) = Units.Last(one => bytes % one.Bytes == 0 || one.Bytes == 1 << 10);
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / unit} {word}");
    }

    static BadInputException Wrong(string why) => new(Field, why, Example);
}
