using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace BackupDr.Contracts.Rules.Evidence;

/// <summary>Verifies an export with nothing but its own bytes, and names the record that a change concerns.</summary>
/// <remarks>A file that was made anew with another key is whole in itself: whoever wants to know whose it is compares the
/// fingerprint.</remarks>
public sealed class EvidenceCheck
{
    /// <summary>Most problems that are told.</summary>
    public const int MostProblems = 100;

    /// <summary>Longest line, in bytes.</summary>
    public const int LongestLine = 4 << 20;

    static readonly string[] HeadMembers = ["algorithm", "fingerprint", "format", "from", "madeAt", "previous", "publicKey"];
    static readonly string[] RecordMembers = ["at", "body", "id", "kind", "previous", "seq", "subject"];
    static readonly string[] EndMembers = ["chainHash", "chainSeq", "count", "hash", "head", "seq"];

    readonly List<EvidenceProblem> _problems = [];
    int _line;
    string _head = "";
    Dictionary<string, string>? _first, _end;
    ECDsa? _key;
    long _next, _records;
    string _stated = "", _computed = "";

    EvidenceCheck() { }

    /// <summary>Reads the file to its end.</summary>
    /// <param name="file">An export.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<EvidenceVerdict> Run(Stream file, CancellationToken ct)
    {
        var check = new EvidenceCheck();
        try
        {
            await foreach (var (bytes, isEnded) in Lines(file, ct)) check.Take(bytes, isEnded);
            return check.Verdict();
        }
        finally { check._key?.Dispose(); }
    }

    void Take(byte[] bytes, bool isEnded)
    {
        _line++;
        if (_end is not null) { Wrong(null, $"line {_line} stands after the closing line: it was added."); return; }
        if (!isEnded) Wrong(Next(), $"line {_line}{OfRecord()} is cut off: it has no line feed at its end.");
        var text = Text(bytes);
        if (_line == 1) Head(text);
        else if (text is not null && text.StartsWith("{\"end\":", StringComparison.Ordinal)) End(text);
        else Record(text);
    }

    /// <summary>The line as text, where it is exactly as an export writes it.</summary>
    string? Text(byte[] bytes)
    {
        try
        {
            var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
            if (CanonicalJson.Write(text) == text) return text;
            Wrong(Next(), $"line {_line}{OfRecord()} is not written as an export writes it: it was changed.");
            return null;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            Wrong(Next(), $"line {_line}{OfRecord()} is no line of an export: it was changed or cut.");
            return null;
        }
    }

    void Head(string? text)
    {
        _head = text ?? "";
        if (text is null || (_first = Members(text, HeadMembers)) is null || _first["format"] != EvidenceFile.Format
            || !long.TryParse(_first["from"], NumberStyles.None, CultureInfo.InvariantCulture, out _next) || _next < 1)
        {
            if (text is not null) Wrong(null, "line 1 is no head of an export of this format.");
            (_first, _next) = (null, 1);
            return;
        }
        (_stated, _computed) = (_first["previous"], _first["previous"]);
        var key = Bytes(_first["publicKey"]);
        _key = key is null ? null : EvidenceSignature.PublicKey(key);
        if (_key is null || _first["algorithm"] != EvidenceSignature.Algorithm) Wrong(null, "line 1 holds no key that can be used.");
        else if (EvidenceSignature.Fingerprint(key) != _first["fingerprint"])
            Wrong(null, "line 1: the fingerprint is not that of the key; one of them was changed.");
    }

    void Record(string? text)
    {
        _records++;
        var (members, hash, signature) = text is null ? default : Signed(text, "record", RecordMembers);
        if (members is null || !long.TryParse(members["seq"], NumberStyles.None, CultureInfo.InvariantCulture, out var seq))
        {
            if (text is not null) Wrong(_next, $"line {_line} (record {_next}) is no record: it was changed.");
            // Nothing of it is known: the next one's link stands for it.
            (_next, _stated, _computed) = (_next + 1, "", "");
            return;
        }
        var record = new EvidenceRecord(seq, members["previous"], members["id"], members["at"], members["kind"], members["subject"],
            members["body"]);
        Place(record);
        if (record.Hash != hash) Wrong(seq, $"record {Named(record)} was changed: its hash is {record.Hash}, its line says {hash}.");
        else if (_key is not null && (signature is null || !EvidenceSignature.Fits(_key, hash, signature)))
            Wrong(seq, $"record {Named(record)} is not signed with this key: it or its signature was changed.");
        (_next, _stated, _computed) = (seq + 1, hash!, record.Hash);
    }

    /// <summary>Whether the record stands where its number says, and goes on from the one before.</summary>
    void Place(EvidenceRecord record)
    {
        if (record.Seq > _next)
            Wrong(_next, record.Seq == _next + 1 ? $"record {_next} is missing before {Named(record)}."
                : $"records {_next} to {record.Seq - 1} are missing before {Named(record)}.");
        else if (record.Seq < _next)
            Wrong(record.Seq, $"record {Named(record)} stands where record {_next} belongs: it was moved or doubled.");
        else if (_stated.Length > 0 && record.Previous != _stated && record.Previous != _computed)
            Wrong(record.Seq, $"record {Named(record)} does not go on from record {record.Seq - 1}: one of the two was exchanged.");
    }

    void End(string text)
    {
        var (members, hash, signature) = Signed(text, "end", EndMembers);
        if (members is null || hash is null)
        {
            Wrong(null, "the closing line cannot be read: it was changed.");
            _end = [];
            return;
        }
        _end = members;
        var canonical = text[7..(text.Length - Tail(hash, text))];
        if (HashChain.Hash(canonical) != hash || (_key is not null && (signature is null
            || !EvidenceSignature.Fits(_key, hash, signature))))
            Wrong(null, "the closing line was changed: it is not signed with this key.");
        if (members["head"] != HashChain.Hash(_head)) Wrong(null, "line 1 was changed: the closing line tells another hash of it.");
        Last(members);
    }

    void Last(Dictionary<string, string> members)
    {
        var (last, count) = (members["seq"], members["count"]);
        if (last != Number(_next - 1) && long.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) && seq >= _next)
            Wrong(_next, $"record{(seq == _next ? $" {_next} is" : $"s {_next} to {seq} are")} missing at the end.");
        else if (last != Number(_next - 1) || count != Number(_records))
            Wrong(_next - 1, $"the closing line tells {count} records up to number {last}; these are {_records} up to {_next - 1}.");
        else if (_stated.Length > 0 && members["hash"] != _stated && members["hash"] != _computed)
            Wrong(_next - 1, $"record {_next - 1} was exchanged: the closing line tells another hash of it.");
    }

    EvidenceVerdict Verdict()
    {
        if (_line == 0) Wrong(null, "the file is empty.");
        else if (_end is null)
            Wrong(_next - 1, _records == 0 ? "the file ends after its first line: records and closing line are missing."
                : $"the file ends after record {_next - 1}: it was cut there, its closing line is missing.");
        return new EvidenceVerdict
        {
            Problems = _problems,
            Records = _records,
            From = _first is null ? null : long.Parse(_first["from"], CultureInfo.InvariantCulture),
            To = _records == 0 ? null : _next - 1,
            Hash = _computed,
            Fingerprint = _first?["fingerprint"],
            MadeAt = _first?["madeAt"],
            ChainSeq = _end is { Count: > 0 } && long.TryParse(_end["chainSeq"], NumberStyles.None, CultureInfo.InvariantCulture,
                out var head) ? head : null,
        };
    }

    long? Next() => _line == 1 ? null : _next;

    string OfRecord() => _line == 1 ? "" : $" (record {_next} or the closing line)";

    static string Named(EvidenceRecord record) => $"{record.Seq} ({record.Kind} {record.Id})";

    void Wrong(long? record, string text)
    {
        if (_problems.Count < MostProblems) _problems.Add(new EvidenceProblem(_line, record, text));
    }

    /// <summary>An object of exactly these texts; null for anything else.</summary>
    static Dictionary<string, string>? Members(string text, string[] names)
    {
        using var document = JsonDocument.Parse(text);
        return Members(document.RootElement, names);
    }

    static Dictionary<string, string>? Members(JsonElement value, string[] names)
    {
        if (value.ValueKind != JsonValueKind.Object) return null;
        var members = value.EnumerateObject().ToList();
        return members.Count == names.Length && members.All(member => member.Value.ValueKind == JsonValueKind.String)
            && members.Select(member => member.Name).SequenceEqual(names, StringComparer.Ordinal)
            ? members.ToDictionary(member => member.Name, member => member.Value.GetString()!) : null;
    }

    static (Dictionary<string, string>? Members, string? Hash, byte[]? Signature) Signed(string text, string name, string[] names)
    {
        using var document = JsonDocument.Parse(text);
        var root = document.RootElement;
        return root.ValueKind == JsonValueKind.Object && root.EnumerateObject().Count() == 3
            && root.TryGetProperty(name, out var inner) && Members(inner, names) is { } members
            && root.TryGetProperty("hash", out var hash) && hash.ValueKind == JsonValueKind.String && hash.GetString() is { Length: 64 } hex
            && hex.All(char.IsAsciiHexDigitLower)
            && root.TryGetProperty("signature", out var signature) && signature.ValueKind == JsonValueKind.String
            ? (members, hex, Bytes(signature.GetString()!)) : default;
    }

    /// <summary>How many characters of the closing line follow what it signs.</summary>
    static int Tail(string hash, string text)
        => text.Length - text.IndexOf($",\"hash\":\"{hash}\",\"signature\"", StringComparison.Ordinal);

    /// <summary>Only base64 as it is written: others decode to the same bytes, and would hide a change.</summary>
    static byte[]? Bytes(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var count) && Convert.ToBase64String(bytes.AsSpan(0, count)) == base64
            ? bytes[..count] : null;
    }

    static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>The lines without their line feeds, and whether each had one.</summary>
    /// <exception cref="BadInputException">A line is longer than any export's.</exception>
    static async IAsyncEnumerable<(byte[] Bytes, bool IsEnded)> Lines(Stream file,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        var (buffer, line) = (new byte[64 << 10], new MemoryStream());
        for (int read; (read = await file.ReadAsync(buffer, ct)) > 0;)
        {
            for (var at = 0; at < read;)
            {
                var end = Array.IndexOf(buffer, (byte)'\n', at, read - at);
                line.Write(buffer, at, (end < 0 ? read : end) - at);
                if (line.Length > LongestLine)
                    throw new BadInputException("file", $"A line is longer than {LongestLine >> 20} MiB: this is no export of evidence.");
                at = end < 0 ? read : end + 1;
                if (end < 0) continue;
                yield return (line.ToArray(), true);
                line.SetLength(0);
            }
        }
        if (line.Length > 0) yield return (line.ToArray(), false);
    }
}
