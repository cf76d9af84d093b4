using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.Contracts.Api;

namespace BackupDr.Contracts.Rules.Evidence;

/// <summary>What an export of the audit log turned out to be.</summary>
/// <param name="Entries">Lines with entries.</param>
/// <param name="Seq">Number of the last entry.</param>
/// <param name="Hash">Its hash.</param>
/// <param name="Fingerprint">Of the key that signed the file; null where there is none.</param>
/// <param name="MadeAt">When it was made, as it says.</param>
/// <param name="Problems">What was changed; none where it holds.</param>
public sealed record AuditFileVerdict(long Entries, long Seq, string Hash, string? Fingerprint, string? MadeAt,
    IReadOnlyList<AuditProblem> Problems);

/// <summary>Verifies an export of the audit log with nothing but its own bytes, and heads that are known from elsewhere.</summary>
public static class AuditFileCheck
{
    /// <summary>Longest line, in characters.</summary>
    public const int LongestLine = 1 << 20;

    /// <summary>Reads the file to its end.</summary>
    /// <param name="file">An export, UTF-8.</param>
    /// <param name="anchors">Heads that are known from elsewhere, such as an export of the evidence.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="BadInputException">It is no export at all.</exception>
    public static async Task<AuditFileVerdict> Run(TextReader file, IEnumerable<(long Seq, string Hash)> anchors, CancellationToken ct)
    {
        var chain = new AuditChain(anchors);
        var problems = new List<AuditProblem>();
        var first = await file.ReadLineAsync(ct) ?? throw NoExport();
        var head = Texts(first) is { } members && members.GetValueOrDefault("format") == AuditChain.Format ? members : throw NoExport();
        var (entries, ended) = (0L, false);
        for (var number = 2; await file.ReadLineAsync(ct) is { } line; number++)
        {
            if (ended)
            {
                problems.Add(new AuditProblem(chain.Seq,
                $"Line {number} stands after the closing line: it was added.")); continue;
            }
            if (line.Length > LongestLine) throw NoExport();
            if (line.StartsWith("{\"end\":", StringComparison.Ordinal)) { ended = true; End(chain, first, head, line, problems); }
            else if (Entry(line) is { } entry) { chain.Take(entry); entries++; }
            else problems.Add(new AuditProblem(chain.Seq + 1, $"Line {number} is no line of an export: it was changed or cut."));
        }
        if (!ended) problems.Add(new AuditProblem(chain.Seq + 1, "The closing line is missing: the file was cut off."));
        return new AuditFileVerdict(entries, chain.Seq, chain.Hash, head.GetValueOrDefault("fingerprint"), head.GetValueOrDefault("madeAt"),
            [.. chain.Problems, .. problems]);
    }

    static void End(AuditChain chain, string first, Dictionary<string, string> head, string line, List<AuditProblem> problems)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var end = document.RootElement.GetProperty("end");
            var seq = long.Parse(end.GetProperty("seq").GetString()!, NumberStyles.None, CultureInfo.InvariantCulture);
            var hash = end.GetProperty("hash").GetString()!;
            chain.End(seq, hash);
            using var key = ECDsa.Create();
            var publicKey = Convert.FromBase64String(head["publicKey"]);
            key.ImportSubjectPublicKeyInfo(publicKey, out _);
            var signed = AuditChain.Signed(first, seq, hash);
            var signature = Convert.FromBase64String(document.RootElement.GetProperty("signature").GetString()!);
            if (CanonicalJson.Write(line) == line && CanonicalJson.Write(end) == signed
                && EvidenceSignature.Fingerprint(publicKey) == head["fingerprint"]
                && EvidenceSignature.Fits(key, HashChain.Hash(signed), signature)) return;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException or InvalidOperationException
            or CryptographicException or ArgumentException or OverflowException)
        {
            problems.Add(new AuditProblem(chain.Seq, "The closing line cannot be read: it was changed."));
            return;
        }
        problems.Add(new AuditProblem(chain.Seq, "The signature does not fit: the first line or the closing line was changed."));
    }

    static AuditEntry? Entry(string line) => Texts(line) is { Count: 7 } text && text.TryGetValue("seq", out var number)
        && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var seq)
        && text.TryGetValue("at", out var moment) && DateTimeOffset.TryParse(moment, CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal, out var at) && HashChain.Moment(at) == moment
        && text.TryGetValue("actor", out var actor) && text.TryGetValue("action", out var action)
        && text.TryGetValue("object", out var thing) && text.TryGetValue("detail", out var detail)
        && text.TryGetValue("hash", out var hash) ? new AuditEntry(seq, at, actor, action, thing, detail, hash) : null;

    /// <summary>An object of texts, exactly as an export writes it; null for anything else.</summary>
    static Dictionary<string, string>? Texts(string line)
    {
        try
        {
            if (CanonicalJson.Write(line) != line) return null;
            using var document = JsonDocument.Parse(line);
            return document.RootElement.EnumerateObject().ToDictionary(one => one.Name, one => one.Value.GetString()!,
                StringComparer.Ordinal);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            return null;   // whoever reads the line says that it is none of ours
        }
    }

    static BadInputException NoExport() => new("file", "This is no export of an audit log.", "Make one with: backupdr audit export FILE");
}
