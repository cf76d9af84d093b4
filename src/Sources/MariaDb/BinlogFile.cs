using System.Globalization;
using BackupDr.Engine.Format;

namespace BackupDr.Sources.MariaDb;

/// <summary>A file of a server's binary log. After RESET MASTER the numbers begin again, so that a name alone is not enough.</summary>
/// <param name="Name">"bin.000017".</param>
/// <param name="CreatedAt">When the server began it: the time in its first event, in seconds since 1970.</param>
public readonly record struct BinlogFile(string Name, uint CreatedAt)
{
    /// <summary>The number at the name's end; -1 where there is none.</summary>
    public long Number => NumberOf(Name);

    /// <summary>The number at a name's end; -1 where there is none.</summary>
    public static long NumberOf(string name) => name.LastIndexOf('.') is var dot and > 0
        && long.TryParse(name.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;

    /// <summary>Whether a name can be that of such a file, stays in its folder, and can be a part of an object's name.</summary>
    public static bool IsName(string name) => NumberOf(name) >= 0 && name.Length <= 255 && name[0] != '.'
        && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.');

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name}.{CreatedAt}");

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static bool TryParse(string text, out BinlogFile file)
    {
        file = default;
        var dot = text.LastIndexOf('.');
        if (dot <= 0 || !IsName(text[..dot]) || !uint.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture,
            out var seconds)) return false;
        file = new BinlogFile(text[..dot], seconds);
        return true;
    }
}

/// <summary>How much of a file is known.</summary>
/// <param name="File">Which.</param>
/// <param name="LengthBytes">Bytes from its beginning, whole events.</param>
/// <param name="IsWhole">Whether the server went on in the next file, and this one is as long as the server's.</param>
/// <param name="FollowsGap">Whether what came before it is not what was received before it.</param>
public sealed record BinlogExtent(BinlogFile File, long LengthBytes, bool IsWhole, bool FollowsGap);

/// <summary>What the tags of a snapshot of the log say is in it, so that nobody has to read its trees to know.</summary>
static class BinlogTags
{
    const string Beginning = "binlog:";

    /// <summary>"binlog:bin.000001.1763782343:4711:whole:gap".</summary>
    public static List<string> Of(IEnumerable<BinlogExtent> extents) => [.. extents.Select(extent => string.Create(
        CultureInfo.InvariantCulture, $"{Beginning}{extent.File}:{extent.LengthBytes}{(extent.IsWhole ? ":whole" : "")}")
        + (extent.FollowsGap ? ":gap" : ""))];

    public static IEnumerable<BinlogExtent> Read(Snapshot snapshot)
    {
        foreach (var tag in snapshot.Tags)
            if (tag.StartsWith(Beginning, StringComparison.Ordinal) && tag[Beginning.Length..].Split(':') is [var name, var length,
                .. var more]
                && BinlogFile.TryParse(name, out var file)
                && long.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes))
                yield return new BinlogExtent(file, bytes, more.Contains("whole"), more.Contains("gap"));
    }
}
