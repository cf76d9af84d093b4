using System.Text;
using System.Text.Json;

namespace BackupDr.Contracts.Rules.Evidence;

/// <summary>The lines of an export: a head with the key, each record with its hash and signature, and a signed end.</summary>
/// <remarks>Each line is canonical JSON (RFC 8785) and ends with a line feed. docs/operate/evidence.md has the format.</remarks>
public static class EvidenceFile
{
    /// <summary>What the head's member "format" says.</summary>
    public const string Format = "backupdr-evidence-1";

    /// <summary>The first line.</summary>
    /// <param name="publicKey">SubjectPublicKeyInfo of the signing key.</param>
    /// <param name="from">Number of the first record.</param>
    /// <param name="previous">Hash of the record before it.</param>
    /// <param name="madeAt">When the export was made.</param>
    public static string Head(byte[] publicKey, long from, string previous, DateTimeOffset madeAt) => Line(new()
    {
        ["format"] = Format,
        ["algorithm"] = EvidenceSignature.Algorithm,
        ["publicKey"] = Convert.ToBase64String(publicKey),
        ["fingerprint"] = EvidenceSignature.Fingerprint(publicKey),
        ["from"] = Number(from),
        ["previous"] = previous,
        ["madeAt"] = HashChain.Moment(madeAt),
    });

    /// <summary>The line of a record, with the hash that is stored with it: whoever verifies computes it anew.</summary>
    public static string Record(EvidenceRecord record, string hash, byte[] signature)
        => Signed("record", record.Canonical, signature, hash);

    /// <summary>What the last line signs: how many records there are, the last one's number and hash, the chain's head at that moment, and
    /// the hash of the first line.</summary>
    public static string End(string head, long count, long lastSeq, string lastHash, long chainSeq, string chainHash) => Line(new()
    {
        ["count"] = Number(count),
        ["seq"] = Number(lastSeq),
        ["hash"] = lastHash,
        ["chainSeq"] = Number(chainSeq),
        ["chainHash"] = chainHash,
        ["head"] = HashChain.Hash(head),
    });

    /// <summary>The last line.</summary>
    public static string EndLine(string end, byte[] signature) => Signed("end", end, signature, HashChain.Hash(end));

    // Canonical as it stands: "end" and "hash" and "record" and "signature" are in this order.
    static string Signed(string name, string canonical, byte[] signature, string hash)
    {
        var (inner, outer) = ($"\"{name}\":{canonical}", $"\"hash\":\"{hash}\"");
        var first = name == "end" ? $"{inner},{outer}" : $"{outer},{inner}";
        return $"{{{first},\"signature\":\"{Convert.ToBase64String(signature)}\"}}";
    }

    static string Line(Dictionary<string, string> members)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var (name, text) in members) writer.WriteString(name, text);
            writer.WriteEndObject();
        }
        return CanonicalJson.Write(Encoding.UTF8.GetString(buffer.ToArray()));
    }

    static string Number(long number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
