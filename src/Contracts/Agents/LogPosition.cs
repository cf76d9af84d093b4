using System.Globalization;

namespace BackupDr.Contracts.Agents;

/// <summary>Positions in the logs of database servers, as they cross the wire: "0/4140DE0" of PostgreSQL; FILE.CREATED:POSITION of MariaDB,
/// "bin.000017.1763782343:4711", where CREATED is the time in the file's first event, in seconds since 1970. With that time positions of
/// one log are in order even where its files were numbered anew.</summary>
/// <remarks>The database orders them by its function log_position.</remarks>
public static class LogPosition
{
    const int Longest = 300;

    /// <summary>Whether a text is one.</summary>
    public static bool Is(string text) => text.Length <= Longest && (IsLsn(text) || IsBinlog(text));

    /// <summary>Whether a text is one of PostgreSQL.</summary>
    public static bool IsLsn(string text) => text.Split('/') is [var high, var low] && IsHex(high) && IsHex(low);

    static bool IsHex(string text) => text.Length is > 0 and <= 8 && text.All(char.IsAsciiHexDigit);

    static bool IsBinlog(string text) => text.Split(':') is [var file, var position] && IsNumber(position, 15)
        && file.Split('.') is [{ Length: > 0 }, .., var number, var created] && IsNumber(number, 9) && IsNumber(created, 10);

    static bool IsNumber(string text, int longest) => text.Length is > 0 && text.Length <= longest && text.All(char.IsAsciiDigit);

    /// <summary>The position of a file of MariaDB's binary log.</summary>
    public static string OfBinlog(string file, uint createdAt, long position)
        => string.Create(CultureInfo.InvariantCulture, $"{file}.{createdAt}:{position}");

    /// <summary>As the server's administrators write it: "bin.000017:4711".</summary>
    public static string Words(string text) => IsBinlog(text) && text.Split(':') is [var file, var position]
        ? $"{file[..file.LastIndexOf('.')]}:{position}" : text;
}
