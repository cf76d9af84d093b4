using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Sources.PostgreSql;

/// <summary>A position in PostgreSQL's log: bytes since its beginning.</summary>
/// <param name="Value">Bytes.</param>
public readonly record struct Lsn(ulong Value) : IComparable<Lsn>
{
    /// <summary>Reads "0/4140DE0".</summary>
    /// <exception cref="BadInputException">It is no position.</exception>
    public static Lsn Parse(string text) => TryParse(text, out var lsn) ? lsn
        : throw new BadInputException("lsn", $"'{text}' is no position in the log.", "Write it as the server does, for example 0/4140DE0.");

    /// <summary>Reads "0/4140DE0"; false where it is none.</summary>
    public static bool TryParse(string text, out Lsn lsn)
    {
        lsn = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash is < 1 or > 8 || text.Length - slash - 1 is < 1 or > 8) return false;
        if (!uint.TryParse(text.AsSpan(0, slash), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var high)
            || !uint.TryParse(text.AsSpan(slash + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var low))
            return false;
        lsn = new Lsn((ulong)high << 32 | low);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    /// <summary>As the server writes it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Value >> 32:X}/{Value & uint.MaxValue:X}");

    /// <summary>Is before.</summary>
    public static bool operator <(Lsn left, Lsn right) => left.Value < right.Value;
    /// <summary>Is after.</summary>
    public static bool operator >(Lsn left, Lsn right) => left.Value > right.Value;
    /// <summary>Is not after.</summary>
    public static bool operator <=(Lsn left, Lsn right) => left.Value <= right.Value;
    /// <summary>Is not before.</summary>
    public static bool operator >=(Lsn left, Lsn right) => left.Value >= right.Value;
}

/// <summary>One file of the log: a timeline and a number that counts from the log's beginning.</summary>
/// <param name="Timeline">1 in a new cluster, one more after each promotion.</param>
/// <param name="Number">Position divided by the segment size.</param>
public readonly record struct WalSegment(uint Timeline, ulong Number)
{
    const int NameLength = 24;

    /// <summary>The segment that holds a position.</summary>
    public static WalSegment Of(uint timeline, Lsn lsn, int segmentBytes) => new(timeline, lsn.Value / (ulong)segmentBytes);

    /// <summary>Its first position.</summary>
    public Lsn Start(int segmentBytes) => new(Number * (ulong)segmentBytes);

    /// <summary>The first position behind it.</summary>
    public Lsn End(int segmentBytes) => new((Number + 1) * (ulong)segmentBytes);

    /// <summary>The one after it on the same timeline.</summary>
    public WalSegment Next => this with { Number = Number + 1 };

    /// <summary>Its file name: timeline, log and segment, eight hex digits each.</summary>
    public string Name(int segmentBytes)
    {
        var inLog = 0x1_0000_0000UL / (ulong)segmentBytes;
        return string.Create(CultureInfo.InvariantCulture, $"{Timeline:X8}{Number / inLog:X8}{Number % inLog:X8}");
    }

    /// <summary>Reads a file name; false for anything but 24 upper-case hex digits that fit the segment size.</summary>
    public static bool TryParse(ReadOnlySpan<char> name, int segmentBytes, out WalSegment segment)
    {
        segment = default;
        if (name.Length != NameLength) return false;
        foreach (var digit in name)
            if (!char.IsAsciiHexDigitUpper(digit)) return false;
        uint Part(ReadOnlySpan<char> text, int at)
            => uint.Parse(text.Slice(at, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        var inLog = 0x1_0000_0000UL / (ulong)segmentBytes;
        var (timeline, log, number) = (Part(name, 0), Part(name, 8), Part(name, 16));
        if (number >= inLog || timeline == 0) return false;
        segment = new WalSegment(timeline, log * inLog + number);
        return true;
    }

    /// <summary>The file name of a timeline's history.</summary>
    public static string HistoryName(uint timeline) => string.Create(CultureInfo.InvariantCulture, $"{timeline:X8}.history");

    /// <summary>The timeline of a history file's name; false for other names.</summary>
    public static bool TryParseHistory(ReadOnlySpan<char> name, out uint timeline)
    {
        timeline = 0;
        return name.Length == 16 && name.EndsWith(".history", StringComparison.Ordinal) && !name[..8].ContainsAnyExcept(HexDigits)
            && uint.TryParse(name[..8], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out timeline);
    }

    static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789ABCDEF");
}
