using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks.Bundles;

/// <summary>A runbook with all that its execution needs where neither console nor database is there: a text of five lines, each canonical
/// JSON (RFC 8785): head, runbook, hosts, the sealed part, and a signed end with the hash of each.</summary>
/// <remarks>docs/decisions/0058-runbook-bundles.md.</remarks>
public static class BundleFile
{
    /// <summary>Largest file in bytes.</summary>
    public const int Largest = 16 << 20;

    static readonly string[] Names = ["head", "runbook", "hosts", "sealed"];

    /// <summary>Writes one.</summary>
    /// <param name="head">The first line.</param>
    /// <param name="spec">What the runbook says.</param>
    /// <param name="hosts">Hosts that its steps name.</param>
    /// <param name="seal">Seals the secrets, bound to a hash of what stands before.</param>
    /// <param name="sign">Signs a hash with the installation's key.</param>
    public static string Write(BundleHead head, RunbookSpec spec, IReadOnlyList<BundleHost> hosts, Func<string, BundleSeal> seal,
        Func<string, byte[]> sign)
    {
        var lines = new List<string>
        {
            Canonical(head, BundleJson.Default.BundleHead),
            Part(Names[1], Canonical(spec, WireJson.Default.RunbookSpec)),
            Part(Names[2], Canonical(hosts, BundleJson.Default.IReadOnlyListBundleHost)),
        };
        lines.Add(Part(Names[3], Canonical(seal(Bound(lines)), BundleJson.Default.BundleSeal)));
        var end = End(lines);
        lines.Add($"{{\"end\":{end},\"signature\":\"{Convert.ToBase64String(sign(HashChain.Hash(end)))}\"}}");
        return string.Concat(lines.Select(line => line + "\n"));
    }

    /// <summary>Reads one, and verifies every byte of it against the key that it names. Whose key that is shows when it is opened.
    /// </summary>
    /// <exception cref="ConflictException">"bundle.altered": it is not as it was made; the message says where.</exception>
    /// <exception cref="BadInputException">It is no bundle at all.</exception>
    public static Bundle Read(ReadOnlySpan<byte> file)
    {
        if (file.Length > Largest) throw new BadInputException("bundle", $"It has {file.Length} bytes.", "This is no bundle.");
        if (file.IndexOf("backupdr-bundle-"u8) < 0 && file.IndexOf("\"part\":\"runbook\""u8) < 0)
            throw new BadInputException("bundle", "This is no bundle of a runbook.",
                "Make one with: backupdr runbook bundle RUNBOOK -o FILE");
        var lines = Lines(file);
        var (end, signature) = Closing(lines[^1]);
        var head = Head(lines[0]);
        // Only a line that was altered itself fails here first: the key is named twice in the head, and the end is what it signed.
        using (var key = EvidenceSignature.PublicKey(Base64(head.PublicKey) ?? []) ?? throw Altered(1, Names[0], "its key is none"))
        {
            if (EvidenceSignature.Fingerprint(Base64(head.PublicKey)) != head.Fingerprint)
                throw Altered(1, Names[0], "its key is not the one that its fingerprint names");
            if (!EvidenceSignature.Fits(key, HashChain.Hash(end), signature))
                throw Altered(5, "end", "the signature does not fit");
        }
        using var hashes = JsonDocument.Parse(end);
        for (var at = 0; at < Names.Length; at++)
            if (hashes.RootElement.GetProperty(Names[at]).GetString() != HashChain.Hash(lines[at]))
                throw Altered(at + 1, Names[at], "its hash is not the one that was signed");
        if (head.Format != BundleHead.TheFormat)
            throw new BadInputException("bundle", $"It is of the format {head.Format}.",
                "Use the version of backupdr that made it, or newer.");
        var (spec, hosts, seal) = (Body(lines[1], 1, StoredJson.Of(WireJson.Default.RunbookSpec)),
            Body(lines[2], 2, BundleJson.Default.IReadOnlyListBundleHost), Body(lines[3], 3, BundleJson.Default.BundleSeal));
        return new Bundle(head, spec, hosts, seal, Bound(lines.Take(3)), new BundleCertificate(lines[0], end,
            Convert.ToBase64String(signature)));
    }

    /// <summary>Whether a certificate is of a bundle that this key signed; gives that bundle's head.</summary>
    /// <param name="certificate">As it stands in what a bundle left.</param>
    /// <param name="fits">Whether a signature over a hash is the installation's.</param>
    public static BundleHead? Certified(BundleCertificate certificate, Func<string, byte[], bool> fits)
    {
        try
        {
            using var end = JsonDocument.Parse(certificate.End);
            return fits(HashChain.Hash(certificate.End), Base64(certificate.Signature) ?? [])
                && end.RootElement.TryGetProperty(Names[0], out var hash) && hash.GetString() == HashChain.Hash(certificate.Head)
                ? JsonSerializer.Deserialize(certificate.Head, BundleJson.Default.BundleHead) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) { return null; }   // no certificate at all
    }

    static string Canonical<T>(T value, JsonTypeInfo<T> shape) => CanonicalJson.Write(JsonSerializer.SerializeToElement(value, shape));

    // Canonical as it stands: "body" comes before "part".
    static string Part(string name, string body) => $"{{\"body\":{body},\"part\":\"{name}\"}}";

    static string Bound(IEnumerable<string> lines) => HashChain.Hash(string.Concat(lines.Select(line => line + "\n")));

    static string End(List<string> lines)
    {
        var hashes = new Dictionary<string, string>();
        for (var at = 0; at < Names.Length; at++) hashes[Names[at]] = HashChain.Hash(lines[at]);
        return Canonical<IReadOnlyDictionary<string, string>>(hashes, WireJson.Default.IReadOnlyDictionaryStringString);
    }

    static List<string> Lines(ReadOnlySpan<byte> file)
    {
        var lines = new List<string>();
        var strict = new UTF8Encoding(false, throwOnInvalidBytes: true);
        for (var rest = file; rest.Length > 0;)
        {
            var name = lines.Count < Names.Length ? Names[lines.Count] : "end";
            if (lines.Count > Names.Length) throw Altered(lines.Count + 1, "end", "it stands behind the closing line");
            var length = rest.IndexOf((byte)'\n');
            if (length < 0) throw Altered(lines.Count + 1, name, "it is cut off, or the line feed at its end was altered");
            try
            {
                var text = strict.GetString(rest[..length]);
                if (CanonicalJson.Write(text) != text) throw Altered(lines.Count + 1, name, "it is not written as a bundle is");
                lines.Add(text);
            }
            catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
            {
                throw Altered(lines.Count + 1, name, "it cannot be read");
            }
            rest = rest[(length + 1)..];
        }
        return lines.Count == Names.Length + 1 ? lines : throw Altered(lines.Count + 1, lines.Count < Names.Length ? Names[lines.Count]
            : "end", "it is missing");
    }

    static BundleHead Head(string line)
    {
        try { return JsonSerializer.Deserialize(line, BundleJson.Default.BundleHead) ?? throw Altered(1, Names[0], "it is empty"); }
        catch (Exception e) when (e is JsonException or BadInputException) { throw Altered(1, Names[0], "it cannot be read"); }
    }

    static (string End, byte[] Signature) Closing(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var end = document.RootElement.GetProperty("end");
            if (document.RootElement.EnumerateObject().Count() == 2 && end.EnumerateObject().Count() == Names.Length
                && Names.All(name => end.GetProperty(name).GetString() is not null)
                && Base64(document.RootElement.GetProperty("signature").GetString()!) is { } signature)
                return (CanonicalJson.Write(end), signature);
        }
        // No closing line: told below.
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw Altered(Names.Length + 1, "end", "it cannot be read");
        }
        throw Altered(Names.Length + 1, "end", "it cannot be read");
    }

    static T Body<T>(string line, int at, JsonTypeInfo<T> shape)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            if (document.RootElement.GetProperty("part").GetString() == Names[at]
                && document.RootElement.GetProperty("body").Deserialize(shape) is { } body) return body;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or BadInputException)
        {
            // Signed so, by a version that writes it otherwise.
            throw new BadInputException("bundle", $"Its part '{Names[at]}' cannot be read: {e.Message}",
                "Use the version of backupdr that made it, or newer.");
        }
        throw Altered(at + 1, Names[at], "it is another part");
    }

    /// <summary>Only base64 as it is written: others decode to the same bytes, and would hide a change.</summary>
    static byte[]? Base64(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var count) && Convert.ToBase64String(bytes.AsSpan(0, count)) == text
            ? bytes[..count] : null;
    }

    static ConflictException Altered(int line, string part, string how) => new("bundle.altered",
        $"The bundle is not as it was made: line {line}, the part '{part}': {how}. Nothing was done.",
        "Use another copy of it, or a newer bundle.");
}

/// <summary>A bundle that was read and whose bytes are as they were signed.</summary>
/// <param name="Head">Whose it is.</param>
/// <param name="Spec">What is executed.</param>
/// <param name="Hosts">Hosts that its steps name.</param>
/// <param name="Seal">What only a passphrase opens.</param>
/// <param name="Bound">What the seal is bound to.</param>
/// <param name="Certificate">What shows that its key is the installation's.</param>
public sealed record Bundle(BundleHead Head, RunbookSpec Spec, IReadOnlyList<BundleHost> Hosts, BundleSeal Seal, string Bound,
    BundleCertificate Certificate)
{
    /// <summary>Opens it with a passphrase.</summary>
    /// <exception cref="ConflictException">"bundle.unopened".</exception>
    public BundleSecrets Open(string passphrase) => Checked(BundleSealing.Open(Seal, Bound, passphrase));

    /// <summary>Opens it with the recovery key.</summary>
    /// <exception cref="ConflictException">"bundle.unopened".</exception>
    public BundleSecrets OpenByRecoveryKey(ReadOnlySpan<byte> key) => Checked(BundleSealing.OpenByRecoveryKey(Seal, Bound, key));

    /// <summary>The key with which what is done is signed.</summary>
    public static ECDsa KeyOf(BundleSecrets secrets)
    {
        var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(Convert.FromBase64String(secrets.Key), out _);
        return key;
    }

    BundleSecrets Checked(BundleSecrets secrets)
    {
        using var key = KeyOf(secrets);
        return Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()) == Head.Key ? secrets
            : throw new ConflictException("bundle.altered", "The bundle's key is not the one that its head names. Nothing was done.",
                "Use another copy of it.");
    }
}
