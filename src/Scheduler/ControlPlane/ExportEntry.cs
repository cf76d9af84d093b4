using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Storage;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>One state of the control plane, as it is stored in a location: what there is, and in which parts. Signed with the
/// installation's key, linked to the entry before it.</summary>
sealed record ExportEntry
{
    /// <summary>Of this record.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Version of this form.</summary>
    public int Format { get; init; } = CurrentFormat;
    /// <summary>Whose it is.</summary>
    public required Guid Installation { get; init; }
    /// <summary>Which control plane of the installation wrote it.</summary>
    public required long Term { get; init; }
    /// <summary>Its number, from 1; a number may be missing where a place could not be written.</summary>
    public required long Seq { get; init; }
    /// <summary>Hash of the entry before it.</summary>
    public required string Previous { get; init; }
    /// <summary>By the database's clock.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>The program that wrote it.</summary>
    public required string Version { get; init; }
    /// <summary>The migrations that made the schema.</summary>
    public required IReadOnlyList<string> Migrations { get; init; }
    /// <summary>The key of the secrets in the database, base64.</summary>
    public required string SealingKey { get; init; }
    /// <summary>What the tables hold.</summary>
    public required IReadOnlyList<ExportPart> Parts { get; init; }
    /// <summary>Rows in all.</summary>
    [JsonIgnore]
    public long Rows => Parts.Sum(part => part.Rows);
}

/// <summary>Some rows of a table, stored as one object.</summary>
/// <param name="Table">The table.</param>
/// <param name="Bucket">Which stretch of its keys; empty for tables that are not cut.</param>
/// <param name="Number">Which part of the stretch, from 0.</param>
/// <param name="Rows">How many rows.</param>
/// <param name="Mark">Changes whenever one of the rows does, within one database.</param>
/// <param name="Object">Last segment of the object's name.</param>
sealed record ExportPart(string Table, string Bucket, long Number, long Rows, string Mark, string Object);

/// <summary>An entry with its signature.</summary>
/// <param name="Entry">The entry's canonical JSON: these bytes are what is hashed.</param>
/// <param name="Signature">DER, over the SHA-256 of that text.</param>
/// <param name="PublicKey">SubjectPublicKeyInfo of the key that signed it.</param>
sealed record SignedEntry(string Entry, byte[] Signature, byte[] PublicKey)
{
    /// <summary>Writes an entry and signs it.</summary>
    /// <param name="entry">What it says.</param>
    /// <param name="sign">Signs a hash of 64 hex characters.</param>
    /// <param name="publicKey">The key's public part.</param>
    public static SignedEntry Of(ExportEntry entry, Func<string, byte[]> sign, byte[] publicKey)
    {
        var text = CanonicalJson.Write(JsonSerializer.Serialize(entry, ExportJson.Default.ExportEntry));
        return new SignedEntry(text, sign(HashChain.Hash(text)), publicKey);
    }

    /// <summary>What the next entry links to.</summary>
    [JsonIgnore]
    public string Hash => HashChain.Hash(Entry);

    /// <summary>Who signed it.</summary>
    [JsonIgnore]
    public string Fingerprint => EvidenceSignature.Fingerprint(PublicKey);

    /// <summary>For a box.</summary>
    public byte[] Bytes() => JsonSerializer.SerializeToUtf8Bytes(this, ExportJson.Default.SignedEntry);

    /// <summary>Reads what <see cref="Bytes"/> wrote, and checks the signature.</summary>
    /// <param name="name">The object, for messages.</param>
    /// <param name="bytes">Out of the box.</param>
    /// <param name="signer">The fingerprint that the signing key must have; null to take the one that is in the entry.</param>
    /// <exception cref="ConflictException">It is not signed by that key, or is of a later form.</exception>
    public static (SignedEntry Signed, ExportEntry Entry) Read(string name, ReadOnlySpan<byte> bytes, string? signer)
    {
        try
        {
            var signed = JsonSerializer.Deserialize(bytes, ExportJson.Default.SignedEntry)!;
            using var key = EvidenceSignature.PublicKey(signed.PublicKey);
            if (key is null || !EvidenceSignature.Fits(key, signed.Hash, signed.Signature))
                throw new ConflictException("export.signature", $"The signature of {name} does not fit it.",
                    "It was changed after it was signed. Name an older entry, or another location.");
            if (signer is not null && !string.Equals(signer, signed.Fingerprint, StringComparison.OrdinalIgnoreCase))
                throw new ConflictException("export.signature", $"{name} is signed by the key {signed.Fingerprint}, not by {signer}.",
                    "Compare the fingerprint with the recovery kit's. Somebody else, who has the recovery key, wrote it.");
            var entry = JsonSerializer.Deserialize(signed.Entry, ExportJson.Default.ExportEntry)!;
            if (entry.Format != ExportEntry.CurrentFormat)
                throw new ConflictException("export.newer", $"{name} has the form {entry.Format}, which this version does not know.",
                    $"It was written by version {entry.Version}: rebuild with that one or a later one.");
            return (signed, entry);
        }
        catch (JsonException e)
        {
            throw new ConflictException("export.signature", $"{name} is no entry of an export: {e.Message}",
                "Name an older entry, or another location.");
        }
    }
}

/// <summary>Names of the objects of an export.</summary>
static class ExportNames
{
    /// <summary>Above all of them, below a location's root.</summary>
    public const string Root = "controlplane";
    const int TermDigits = 6, SeqDigits = 10;

    public static string Folder(Guid installation) => $"{Root}/{installation:N}";
    public static string Parts(Guid installation) => $"{Folder(installation)}/part";
    public static string Entries(Guid installation) => $"{Folder(installation)}/entry";
    public static ObjectName Part(Guid installation, string name) => new($"{Parts(installation)}/{name}");

    public static ObjectName Entry(Guid installation, long term, long seq) => new(string.Create(CultureInfo.InvariantCulture,
        $"{Entries(installation)}/{term.ToString($"D{TermDigits}", CultureInfo.InvariantCulture)}-"
        + $"{seq.ToString($"D{SeqDigits}", CultureInfo.InvariantCulture)}"));

    /// <summary>Term and number of an entry's name; null for another name.</summary>
    public static (long Term, long Seq)? Parse(ObjectName name)
    {
        var parts = name.LastSegment.Split('-');
        return parts.Length == 2 && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var term)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var seq) ? (term, seq) : null;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, MaxDepth = 8,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ExportEntry))]
[JsonSerializable(typeof(SignedEntry))]
sealed partial class ExportJson : JsonSerializerContext;
