using System.Globalization;
using System.Net;
using System.Text;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Runbooks.Steps.Dns;

/// <summary>All records of one name and type: what they say, and for how long.</summary>
/// <param name="Data">What each says, in bytes; none for no record.</param>
/// <param name="Ttl">Seconds that it may be remembered.</param>
sealed record RecordValues(IReadOnlyList<byte[]> Data, uint Ttl)
{
    const int LongestPart = 255;

    /// <summary>Of values as people write them.</summary>
    public static RecordValues Of(DnsRecordKind kind, IReadOnlyList<string> values, TimeSpan ttl)
        => new([.. values.Select(value => Bytes(kind, value))], (uint)ttl.TotalSeconds);

    /// <summary>The type as messages have it.</summary>
    public static DnsType TypeOf(DnsRecordKind kind) => kind switch
    {
        DnsRecordKind.A => DnsType.A,
        DnsRecordKind.Aaaa => DnsType.Aaaa,
        DnsRecordKind.Cname => DnsType.Cname,
        _ => DnsType.Txt,
    };

    /// <summary>Whether it says the same, in whatever order and for however long.</summary>
    public bool Says(RecordValues other, DnsRecordKind kind) => Keys(kind).SetEquals(other.Keys(kind));

    /// <summary>In words: "192.0.2.1 192.0.2.2"; "no record".</summary>
    public string Text(DnsRecordKind kind)
        => Data.Count == 0 ? "no record" : string.Join(' ', Data.Select(data => Text(kind, data)).Order(StringComparer.Ordinal));

    /// <summary>Exactly, for undoing: seconds, then the bytes of each value in hex.</summary>
    public string Exact() => string.Join(' ', [Ttl.ToString(CultureInfo.InvariantCulture),
        .. Data.Select(Convert.ToHexStringLower)]);

    /// <summary>Reads that again; null where it is something else.</summary>
    public static RecordValues? FromExact(string text)
    {
        var parts = text.Split(' ');
        if (!uint.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var ttl))
            return null;
        try { return new RecordValues([.. parts.Skip(1).Select(Convert.FromHexString)], ttl); }
        catch (FormatException) { return null; }   // somebody wrote into what a step kept
    }

    HashSet<string> Keys(DnsRecordKind kind) => [.. Data.Select(data => Convert.ToHexStringLower(kind == DnsRecordKind.Cname
        ? DnsName.OfWire(data).Canonical() : data))];

    static byte[] Bytes(DnsRecordKind kind, string value)
    {
        if (kind == DnsRecordKind.Cname) return DnsName.Parse(value).Wire.ToArray();
        if (kind != DnsRecordKind.Txt) return IPAddress.Parse(value).GetAddressBytes();
        var text = Encoding.UTF8.GetBytes(value);
        return [.. text.Chunk(LongestPart).SelectMany(part => (byte[])[(byte)part.Length, .. part])];
    }

    static string Text(DnsRecordKind kind, byte[] data)
    {
        if (kind == DnsRecordKind.Cname && data.Length > 0) return DnsName.OfWire(data).ToString();
        if (data.Length == (kind == DnsRecordKind.A ? 4 : 16) && kind is DnsRecordKind.A or DnsRecordKind.Aaaa)
            return new IPAddress(data).ToString();
        var text = new StringBuilder();
        for (var at = 0; at < data.Length;)
        {
            var part = data.AsSpan(at + 1, Math.Min(data[at], data.Length - at - 1));
            if (text.Length > 0) text.Append(' ');
            text.Append('"');
            foreach (var one in part) DnsName.Escape(text, one, isLabel: false);
            text.Append('"');
            at += part.Length + 1;
        }
        return text.ToString();
    }
}
