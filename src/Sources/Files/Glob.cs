using System.Buffers;
using System.Text;

namespace BackupDr.Sources.Files;

/// <summary>Matches one name against one glob without slashes, both as bytes.</summary>
static class Glob
{
    /// <summary>Linear in the name for each star: only the last star is ever tried again.</summary>
    public static bool Match(ReadOnlySpan<byte> glob, ReadOnlySpan<byte> name)
    {
        int at = 0, g = 0, starGlob = -1, starName = 0;
        while (at < name.Length)
        {
            if (g < glob.Length && glob[g] == (byte)'*')
            {
                (starGlob, starName) = (++g, at);
                continue;
            }
            if (g < glob.Length && One(glob[g..], name[at..], out var globUsed, out var nameUsed))
            {
                g += globUsed;
                at += nameUsed;
                continue;
            }
            if (starGlob < 0) return false;
            g = starGlob;
            at = ++starName;
        }
        while (g < glob.Length && glob[g] == (byte)'*') g++;
        return g == glob.Length;
    }

    static bool One(ReadOnlySpan<byte> glob, ReadOnlySpan<byte> name, out int globUsed, out int nameUsed)
    {
        (globUsed, nameUsed) = (1, 1);
        switch (glob[0])
        {
            case (byte)'?':
                // One character where the bytes are UTF-8, else one byte.
                if (Rune.DecodeFromUtf8(name, out _, out var used) == OperationStatus.Done) nameUsed = used;
                return true;
            case (byte)'\\' when glob.Length > 1:
                globUsed = 2;
                return glob[1] == name[0];
            case (byte)'[':
                return Class(glob, name[0], out globUsed);
            default:
                return glob[0] == name[0];
        }
    }

    static bool Class(ReadOnlySpan<byte> glob, byte letter, out int used)
    {
        var at = 1;
        var negated = at < glob.Length && glob[at] is (byte)'!' or (byte)'^';
        if (negated) at++;
        var found = false;
        for (var first = at; at < glob.Length && (glob[at] != (byte)']' || at == first); at++)
        {
            if (at + 2 < glob.Length && glob[at + 1] == (byte)'-' && glob[at + 2] != (byte)']')
            {
                found |= glob[at] <= letter && letter <= glob[at + 2];
                at += 2;
            }
            else found |= glob[at] == letter;
        }
        used = Math.Min(at + 1, glob.Length);
        return found != negated;
    }
}
