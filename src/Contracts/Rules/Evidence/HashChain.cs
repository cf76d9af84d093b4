using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace BackupDr.Contracts.Rules.Evidence;

/// <summary>Links records so that a changed, missing, added or moved one shows: each hash covers the record and the hash before
/// it.</summary>
/// <remarks>
/// hash = SHA-256 over the canonical JSON (RFC 8785) of the record's members, its number and the hash of the record before it, in
/// lower-case hex.
/// Numbers start at 1; the record before the first has the hash of 64 zeros. Records cut off the end show only against a head that is kept
/// elsewhere.
/// </remarks>
public static class HashChain
{
    /// <summary>What the first record links to.</summary>
    public const string Start = "0000000000000000000000000000000000000000000000000000000000000000";

    /// <summary>The hash of a record.</summary>
    /// <param name="previous">Hash of the record before it.</param>
    /// <param name="seq">Its number, from 1.</param>
    /// <param name="members">Names and texts of the record, in any order; "previous" and "seq" are taken.</param>
    public static string Link(string previous, long seq, IEnumerable<KeyValuePair<string, string>> members)
        => Hash(Canonical(previous, seq, members));

    /// <summary>What the hash of a record covers: the canonical JSON of its members, its number and the hash before it.</summary>
    public static string Canonical(string previous, long seq, IEnumerable<KeyValuePair<string, string>> members)
    {
        var record = new Dictionary<string, string>(members)
        {
            ["previous"] = previous,
            ["seq"] = seq.ToString(CultureInfo.InvariantCulture),
        };
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var (name, text) in record) writer.WriteString(name, text);
            writer.WriteEndObject();
        }
        return CanonicalJson.Write(Encoding.UTF8.GetString(buffer.ToArray()));
    }

    /// <summary>SHA-256 of a text's UTF-8 bytes, in lower-case hex.</summary>
    public static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>A moment as the chain's records write it: UTC with microseconds.</summary>
    public static string Moment(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'",
        CultureInfo.InvariantCulture);
}
