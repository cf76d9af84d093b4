using System.Globalization;
using System.Text;

namespace BackupDr.Scheduler.Runbooks.Steps.Dns;

/// <summary>A name as it stands in a message, uncompressed: labels with their lengths, ended by an empty one. Equal without regard to
/// the case of ASCII letters.</summary>
sealed class DnsName : IEquatable<DnsName>
{
    /// <summary>Limits of RFC 1035, in bytes.</summary>
    public const int LongestLabel = 63, Longest = 255;

    readonly byte[] _wire;

    DnsName(byte[] wire) => _wire = wire;

    /// <summary>The bytes of it.</summary>
    public ReadOnlySpan<byte> Wire => _wire;

    /// <summary>Reads a written name of ordinary letters: "shop.example.org", with or without a dot at its end.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static DnsName Parse(string text)
    {
        var wire = new List<byte>();
        foreach (var label in text.EndsWith('.') ? text[..^1].Split('.') : text.Split('.'))
        {
            if (label.Length is 0 or > LongestLabel || label.Any(letter => letter is <= ' ' or > '~' or '\\' or '"'))
                throw new FormatException($"'{text}' is no name of the DNS.");
            wire.Add((byte)label.Length);
            wire.AddRange(Encoding.ASCII.GetBytes(label));
        }
        wire.Add(0);
        return wire.Count <= Longest ? new DnsName([.. wire]) : throw new FormatException($"'{text}' is longer than a name of the DNS.");
    }

    /// <summary>Of bytes that were checked.</summary>
    internal static DnsName OfWire(byte[] wire) => new(wire);

    /// <summary>The form that is signed: letters in lower case.</summary>
    public byte[] Canonical() => [.. _wire.Select(one => one is >= (byte)'A' and <= (byte)'Z' ? (byte)(one + 32) : one)];

    /// <inheritdoc/>
    public bool Equals(DnsName? other) => other is not null && Canonical().AsSpan().SequenceEqual(other.Canonical());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as DnsName);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Canonical());
        return hash.ToHashCode();
    }

    /// <summary>As zone files write it, without the dot at the end; "." for the root.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        for (var at = 0; at < _wire.Length && _wire[at] != 0; at += _wire[at] + 1)
        {
            if (text.Length > 0) text.Append('.');
            foreach (var one in _wire.AsSpan(at + 1, Math.Min(_wire[at], _wire.Length - at - 1))) Escape(text, one, isLabel: true);
        }
        return text.Length == 0 ? "." : text.ToString();
    }

    /// <summary>A byte as zone files write it.</summary>
    internal static void Escape(StringBuilder text, byte one, bool isLabel)
    {
        if (one is < (byte)' ' or > (byte)'~' || (isLabel && one == ' ')) text.Append(CultureInfo.InvariantCulture, $"\\{one:000}");
        else if (one is (byte)'\\' or (byte)'"' || (isLabel && one is (byte)'.' or (byte)';')) text.Append('\\').Append((char)one);
        else text.Append((char)one);
    }
}
