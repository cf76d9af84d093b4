using System.Globalization;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Clusters;

/// <summary>Lines for a person's shell.</summary>
static class ShellLine
{
    /// <summary>A program as it is run by the owner of its folder, from a shell of root or of that user.</summary>
    public static string AsOwner((uint Uid, uint Gid) owner, IEnumerable<string> words)
    {
        var line = string.Join(' ', words.Select(Quoted));
        return AccountNames.IsRoot && owner.Uid != 0 ? string.Create(CultureInfo.InvariantCulture,
            $"setpriv --reuid={owner.Uid} --regid={owner.Gid} --clear-groups -- {line}") : line;
    }

    static string Quoted(string word) => word.All(one => char.IsAsciiLetterOrDigit(one) || one is '/' or '-' or '_' or '.' or '=') ? word
        : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
