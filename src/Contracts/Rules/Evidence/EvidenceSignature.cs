using System.Security.Cryptography;

namespace BackupDr.Contracts.Rules.Evidence;

/// <summary>Signatures of evidence: ECDSA on the curve P-256 over a SHA-256, in DER, as openssl makes and checks them.</summary>
/// <remarks>Ed25519 would be as good; the base library does not have it, and openssl checks both.</remarks>
public static class EvidenceSignature
{
    /// <summary>Name of the kind of signature in a file.</summary>
    public const string Algorithm = "ECDSA P-256 SHA-256";

    /// <summary>Names a public key: SHA-256 of its SubjectPublicKeyInfo, in lower-case hex.</summary>
    public static string Fingerprint(ReadOnlySpan<byte> publicKey) => Convert.ToHexStringLower(SHA256.HashData(publicKey));

    /// <summary>Signs a hash of 64 hex characters.</summary>
    public static byte[] Sign(ECDsa key, string hash)
        => key.SignHash(Convert.FromHexString(hash), DSASignatureFormat.Rfc3279DerSequence);

    /// <summary>Whether a signature is this key's over this hash.</summary>
    public static bool Fits(ECDsa key, string hash, ReadOnlySpan<byte> signature)
    {
        try { return key.VerifyHash(Convert.FromHexString(hash), signature, DSASignatureFormat.Rfc3279DerSequence); }
        catch (CryptographicException) { return false; }   // bytes that are no signature at all
    }

    /// <summary>Reads a public key; null where the bytes are none of this curve.</summary>
    public static ECDsa? PublicKey(ReadOnlySpan<byte> spki)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(spki, out var read);
            if (read == spki.Length && key.ExportParameters(false).Curve.Oid.Value == ECCurve.NamedCurves.nistP256.Oid.Value) return key;
        }
        catch (Exception e) when (e is CryptographicException or PlatformNotSupportedException or ArgumentException)
        {
            // no key at all, or of a curve that nobody knows: told as null below
        }
        key.Dispose();
        return null;
    }
}
