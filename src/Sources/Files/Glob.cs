using System.Buffers;
using System.Text;

namespace BackupDr.Sources.Files;

/// <summary>Matches one name against one glob without slashes, both as bytes.</summary>
static class Glob
{
    /// <summary>What is wrong with the text of a glob, and how it is written; null where nothing is.</summary>
    public static (string What, string Hint)? FlawOf(string part)
    {
        for (var i = 0; i < part.Length; i++)
        {
            if (part[i] == '\\')
            {
                if (++i == part.Length) return ("ends in a lone backslash", @"Write \\ for a backslash.");
                continue;
            }
            if (part[i] != '[') continue;
            var at = i + 1;
            if (at < part.Length && part[at] is '!' or '^') at++;
            for (var first = at; at < part.Length && (part[at] != ']' || at == first); at++)
                if (part[at] == '\\') at++;
            if (at >= part.Length) return ("has a '[' without its ']'", @"Write \[ for a bracket.");
            i = at;
        }
        return null;
    }

    /// <summary>Small letters for capital ones; bytes that are no UTF-8 stay.</summary>
    public static byte[] Lower(ReadOnlySpan<byte> text)
    {
        var lowered = new ArrayBufferWriter<byte>(text.Length + 4);
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(text, out var rune, out var used) == OperationStatus.Done)
                lowered.Advance(Rune.ToLowerInvariant(rune).EncodeToUtf8(lowered.GetSpan(4)));
            else lowered.Write(text[..used]);
            text = text[used..];
        }
        return lowered.WrittenSpan.ToArray();
    }

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
                Character(name, out nameUsed);
                return true;
            case (byte)'\\' when glob.Length > 1:
                globUsed = 2;
                return glob[1] == name[0];
            case (byte)'[':
                return Class(glob, Character(name, out nameUsed), out globUsed);
            default:
                return glob[0] == name[0];
        }
    }

    /// <summary>One character where the bytes are UTF-8, else one byte as a number above all characters.</summary>
    static int Character(ReadOnlySpan<byte> text, out int used)
    {
        if (Rune.DecodeFromUtf8(text, out var rune, out used) == OperationStatus.Done) return rune.Value;
        used = 1;
        return 0x110000 + text[0];
    }

    static bool Class(ReadOnlySpan<byte> glob, int letter, out int used)
    {
        var at = 1;
        var negated = at < glob.Length && glob[at] is (byte)'!' or (byte)'^';
        if (negated) at++;
        var found = false;
        for (var first = at; at < glob.Length && (glob[at] != (byte)']' || at == first);)
        {
            var low = Member(glob, ref at);
            var high = low;
            if (at + 1 < glob.Length && glob[at] == (byte)'-' && glob[at + 1] != (byte)']')
            {
                at++;
                high = Member(glob, ref at);
            }
            found |= low <= letter && letter <= high;
        }
        used = Math.Min(at + 1, glob.Length);
        return found != negated;
    }

    static int Member(ReadOnlySpan<byte> glob, ref int at)
    {
        if (glob[at] == (byte)'\\' && at + 1 < glob.Length) at++;
        var letter = Character(glob[at..], out var used);
        at += used;
        return letter;
    }
}
